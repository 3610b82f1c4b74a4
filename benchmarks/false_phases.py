r"""What a second model says of the new phases that maps of known fields have found.

    python benchmarks/phase_fields.py run shipped --out FOLDER
    nucleate refine FOLDER/Ba-Zr-S-hull-0 --best 1 --judge sevennet
    python benchmarks/false_phases.py FOLDER

New phases are those of ``benchmarks/phase_fields.py``: stable in the map and more than 1 meV/atom
below the hull of the known ones. The second model has a hull of its own, of all phases near that of
the map (after tight relaxations by the model of the map). A new phase is *refuted* if it lies more
than 1 meV/atom above that hull, and *still stable* otherwise; *replaced* are those for which the
tight relaxations brought another structure or that were not judged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from phase_fields import read_rows

import nucleate as nc
from nucleate.benchmark.report import markdown_table
from nucleate.mapping.store import MapStore

STABLE_EV = 1e-3
"""eV/atom above its hull up to which a phase counts as stable by the second model."""


def main() -> None:
    """Print a table of the judged maps of a folder, and what is said of every phase."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    lines, words = [], []
    for row in read_rows(folder / "phase-fields.csv"):
        path = folder / f"{row['field']}-{row['rule']}-{row['seed']}"
        if not MapStore.exists(path):
            continue
        names = [text.rsplit(" ", 1) for text in row["new_phases"].split("; ") if text]
        found = {r.formula: r.judged_above_hull_ev_per_atom for r in nc.open(path).rows}
        if all(value is None for value in found.values()):
            continue
        heights = {name: found.get(name) for name, _ in names}
        judged = [value for value in heights.values() if value is not None]
        refuted = sum(value > STABLE_EV for value in judged)
        lines.append(
            {
                "field": row["field"],
                "rule": row["rule"],
                "new by the first model": len(names),
                "of known compositions": int(row["new_of_known"]),
                "still stable": len(judged) - refuted,
                "refuted": refuted,
                "replaced": len(names) - len(judged),
            }
        )
        said = [
            f"{name} ({below.lstrip('-')} below; "
            + ("replaced" if heights[name] is None else f"{1000.0 * heights[name]:.0f} above")
            + ")"
            for name, below in names
        ]
        words.append(f"{row['field']}, {row['rule']}: {', '.join(said) or 'none'}")
    print(markdown_table(lines))
    print("\nIn meV/atom, below the known hull by the first model and above its own hull by the")
    print("second:\n")
    print("\n".join(words))


if __name__ == "__main__":
    main()
