"""Energies of hypothetical compounds of the FUSE papers above the hulls of their fields.

    python benchmarks/above_hull.py --out FOLDER
    python benchmarks/above_hull.py --out FOLDER --targets Li4OBrCl --map 3m --search 5m \
        --references structures/

For each target a map of its elements is made whose compositions are the target and known compounds
that the shipped library lacks; all others of the field come from the library. The map is searched
for ``--map`` of processor time, and then the run of the target, as ``nucleate predict``, until it
has taken ``--search``. ``--references`` names structure files of the field, for example published
ones of the target; they count like known compounds. Everything is relaxed by CHGNet.

A folder is continued: what is relaxed stays. Rows are written to ``FOLDER/above-hull.csv``.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nucleate as nc
from nucleate.mapping.settings import MapSettings
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.maps.rows import MapRow


@dataclass(frozen=True, slots=True)
class Target:
    """A compound and the field in which it may decompose.

    Attributes
    ----------
    formula, system : str
    others : tuple of str
        Known compounds of the field that the shipped library lacks, to be searched.
    states : dict
        Oxidation states that are not the usual ones.
    """

    formula: str
    system: str
    others: tuple[str, ...]
    states: dict[str, list[int]]


TARGETS = (
    Target("Li4OBrCl", "Li-O-Br-Cl", ("LiCl", "Li3OCl"), {}),
    Target("Li3Si3O5Cl5", "Li-Si-O-Cl", ("LiCl", "SiO2", "Li2Si2O5", "Si2OCl6"), {}),
    Target(
        "Li2Sn2S3Cl4", "Li-Sn-S-Cl", ("LiCl", "SnS", "SnS2", "Li2SnS3", "Li4SnS4"), {"Sn": [2, 4]}
    ),
)

COLUMNS = ("target", "above_hull_mev", "decomposition", "lowest", "structures", "references")


def settings_of(target: Target, references: Sequence[str], core_time: str) -> MapSettings:
    """Return the input of the map of a target."""
    field: dict[str, Any] = {
        "system": target.system,
        "points": [target.formula, *target.others],
        "max_atoms_per_formula": 1,
        "references": ["shipped", *references],
        "oxidation_states": target.states,
    }
    return MapSettings.from_dict(
        {
            "field": field,
            "stop": {"core_time": core_time, "expected_change_mev": 0.5},
            "run": {"workers": 1},
        }
    )


def measured(target: Target, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Search the field of a target, then the target, and return its row."""
    settings = settings_of(target, arguments.references, arguments.map)
    found = nc.map(settings, folder=folder, display=False)
    reason = str(found.status()["stop_reason"])
    if is_request(reason):
        raise SystemExit(reason)
    run = found.run(target.formula)
    nc.predict(
        run.formula, folder=run.folder, core_time=arguments.search, polish=0, workers=1, judge="off"
    )
    found.export()
    name = found.phase(target.formula).composition.formula
    (row,) = [row for row in found.rows if row.formula == name]
    return row_of(target, row, found)


def row_of(target: Target, row: MapRow, found: nc.PhaseMap) -> dict[str, Any]:
    """Return what is stated of a target."""
    height = row.above_hull_ev_per_atom
    margin = row.reaction_ev_per_atom
    value = margin if row.state == "stable" else height
    return {
        "target": target.formula,
        "above_hull_mev": None if value is None else round(1000.0 * value, 1),
        "decomposition": row.decomposition,
        "lowest": row.known_as if row.origin == "known" else "found by the search",
        "structures": row.n_structures,
        "references": found.status()["references"],
    }


def write_row(path: Path, row: dict[str, Any]) -> None:
    """Write a row in place of the one of the same target."""
    rows = [row]
    if path.exists():
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [old for old in csv.DictReader(stream) if old["target"] != row["target"]] + rows
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Search the targets and print their rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    names = [target.formula for target in TARGETS]
    parser.add_argument("--targets", nargs="+", choices=names, default=names)
    parser.add_argument("--map", default="20m", help="processor time of the map")
    parser.add_argument("--search", default="20m", help="processor time of the run of the target")
    parser.add_argument("--references", nargs="*", default=[], help="structure files of the field")
    arguments = parser.parse_args()
    arguments.references = [str(Path(name).resolve()) for name in arguments.references]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for target in TARGETS:
        if target.formula in arguments.targets:
            row = measured(target, arguments.out / target.formula, arguments)
            write_row(arguments.out / "above-hull.csv", row)
            print(" | ".join(f"{key} {row[key]}" for key in COLUMNS), flush=True)


if __name__ == "__main__":
    main()
