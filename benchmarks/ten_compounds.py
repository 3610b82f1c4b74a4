r"""Whether the first family of a short default run is the known structure, for ten compounds.

    python benchmarks/ten_compounds.py --out RUNS

Every run has the defaults, seed 0, one worker and 60 s of processor time. It is continued where it
was interrupted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nucleate as nc
from nucleate.benchmark.report import markdown_table

if TYPE_CHECKING:
    from collections.abc import Sequence

KNOWN = {
    "SrTiO3": (221, "cubic perovskite"),
    "MgO": (225, "rock salt"),
    "NaCl": (225, "rock salt"),
    "CsCl": (221, "CsCl"),
    "ZnS": (216, "zinc blende; wurtzite (186) is level"),
    "TiO2": (136, "rutile"),
    "Al2O3": (167, "corundum"),
    "BaTiO3": (221, "cubic perovskite above 393 K"),
    "CaTiO3": (62, "orthorhombic perovskite"),
    "GaN": (186, "wurtzite"),
}
"""Space group of the known structure; a distortion of the same family counts."""


def row(formula: str, folder: Path, core_s: float) -> dict[str, Any]:
    """Run one compound and return what stands on top."""
    run = nc.predict(formula, folder=folder, core_time=core_s, workers=1, seed=0, display=False)
    ranked = run.structures
    first = [item for item in ranked if item.finding and item.finding.family == 1]
    number, name = KNOWN[formula]
    groups = {rung.number for item in first for rung in item.symmetry}
    shown = "; ".join(
        f"{item.space_group} {1000 * item.above_best:.1f} ({item.finding.probability or 0:.2f})"
        for item in first[:4]
        if item.finding
    )
    by_energy = run.ranked("energy")[0]
    return {
        "compound": formula,
        "known": f"{number}, {name}",
        "first family: meV/atom above the lowest (p)": shown,
        "right": "yes" if number in groups else "no",
        "lowest in energy": by_energy.space_group,
        "structures": len(run.records),
    }


def main(given: Sequence[str] | None = None) -> None:
    """Run them all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--core-time", type=float, default=60.0)
    parser.add_argument("compounds", nargs="*", default=list(KNOWN))
    arguments = parser.parse_args(given)
    rows = []
    for formula in arguments.compounds:
        rows.append(row(formula, arguments.out / formula, arguments.core_time))
        print(rows[-1], flush=True)
    print(markdown_table(rows))


if __name__ == "__main__":
    main()
