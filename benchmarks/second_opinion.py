r"""Whether a second model and the rule tell right first rows of whole runs from wrong ones.

    python benchmarks/first_rows.py run TABLE.parquet --runs RUNS
    python benchmarks/second_opinion.py run TABLE.parquet --runs RUNS
    python benchmarks/second_opinion.py table

Needs SevenNet (``pip install 'nucleate[sevennet]'``). ``run`` evaluates every structure of the
lists that ``first_rows.py`` has polished once by 7net-0, at the geometry of the run's own model,
and appends a row for each list to ``--rows`` (default ``benchmarks/rows/second_opinion.jsonl``):
energies of both models, weights, families, and which structures are the reference
(``StructureMatcher``, 0.3, 0.5, 10°).

``table`` prints how often the first structure is right by the energies of one model, of the other
and of the mean of both, alone and in the rule of docs/explanation/ranking.md; and how often the
first family by the run's own model is right where the second model agrees, and where it does not.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from known_structures import targets
from rows import append, rows_of, run_and_table

import nucleate as nc
from nucleate.benchmark.matching import match_rms
from nucleate.benchmark.metrics import rate
from nucleate.benchmark.report import markdown_table
from nucleate.report.rule import scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MODEL = "7net-0"


def run(arguments: argparse.Namespace) -> None:
    """Evaluate the structures of finished lists, and append a row for each list."""
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(MODEL, device="cpu")
    entries = {item.name: item for item in targets(arguments.table, arguments.number, 0)}
    done = {(row["side"], row["entry"]) for row in rows_of(arguments.rows)}
    for store in sorted(arguments.runs.glob("*/csp/*/run.db")):
        folder = store.parent
        side, entry = folder.parents[1].name, entries.get(folder.name)
        if entry is None or (side, folder.name) in done:
            continue
        rows = [item for item in nc.open(folder).top(200) if item.finding is not None]
        if not rows:
            continue
        structures = []
        for item in rows:
            atoms = item.crystal.to_ase()
            atoms.calc = calculator
            structures.append(
                {
                    "energy": item.relaxed.enthalpy_per_atom,
                    "second": float(atoms.get_potential_energy()) / len(atoms),
                    "weight": item.finding.weight,
                    "family": item.finding.family,
                    "right": match_rms(item.crystal, entry.crystal) is not None,
                }
            )
        row = {"side": side, "entry": entry.name, "formula": entry.formula}
        append(arguments.rows, row | {"structures": structures})
        print(side, entry.name, entry.formula, len(structures), flush=True)


class List:
    """A list as arrays."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.own, self.second, self.weight, self.family, self.right = (
            np.array([item[key] for item in row["structures"]])
            for key in ("energy", "second", "weight", "family", "right")
        )

    def is_right(self, place: int, *, family: bool = False) -> bool:
        """Return whether a structure, or its family, is the reference."""
        chosen = self.family == self.family[place] if family else np.arange(len(self.own)) == place
        return bool(self.right[chosen].any())

    def first(self, energies: NDArray[np.float64], *, by_rule: bool = True) -> int:
        """Return the first place by energies, with the rule or alone."""
        order = scores(energies, self.weight) if by_rule else energies
        return int(np.argmin(order))


def table(arguments: argparse.Namespace) -> None:
    """Print shares."""
    lists = [List(row) for row in rows_of(arguments.rows)]
    energies: dict[str, Callable[[List], Any]] = {
        "the run's model": lambda item: item.own,
        MODEL: lambda item: item.second,
        "mean of both": lambda item: (item.own + item.second) / 2.0,
    }
    lines = []
    for name, of in energies.items():
        line: dict[str, Any] = {"energies": name, "lists": len(lists)}
        for by_rule, head in ((False, "alone"), (True, "in the rule")):
            places = [item.first(of(item), by_rule=by_rule) for item in lists]
            for family, what in ((False, "structure"), (True, "family")):
                right = sum(
                    item.is_right(place, family=family)
                    for item, place in zip(lists, places, strict=True)
                )
                line[f"first {what} right, {head}, %"] = str(rate(right, len(lists)))
        lines.append(line)
    print(markdown_table(lines))
    print()
    print(markdown_table([agreement(lists, by_rule=False), agreement(lists, by_rule=True)]))


def agreement(lists: list[List], *, by_rule: bool) -> dict[str, Any]:
    """Return how often the first family is right where the second model has it first, too."""
    counts = {True: [0, 0], False: [0, 0]}
    for item in lists:
        own, second = item.first(item.own), item.first(item.second, by_rule=by_rule)
        count = counts[bool(item.family[own] == item.family[second])]
        count[0] += item.is_right(own, family=True)
        count[1] += 1
    name = "by the rule" if by_rule else "by energy"
    line: dict[str, Any] = {f"first of {MODEL}": name}
    for agrees, what in ((True, "the same family"), (False, "another")):
        right, number = counts[agrees]
        line |= {f"{what}: lists": number, f"{what}: first row right, %": str(rate(right, number))}
    return line


def main() -> None:
    """Run a sub-command."""
    parser, judging, _ = run_and_table(__doc__, run, table, "second_opinion.jsonl")
    judging.add_argument("table", type=Path)
    judging.add_argument("--runs", type=Path, required=True)
    judging.add_argument("--number", type=int, default=100)
    arguments = parser.parse_args()
    arguments.action(arguments)


if __name__ == "__main__":
    main()
