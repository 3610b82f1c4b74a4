r"""The first rows of whole runs: how often they are right, and whether their probabilities hold.

    python benchmarks/known_structures.py run TABLE.parquet --library train.nlib --out RUNS ...
    python benchmarks/first_rows.py run TABLE.parquet --runs RUNS
    python benchmarks/first_rows.py table

``run`` lets the final phase of ``predict`` finish the runs of ``benchmarks/known_structures.py``
(120 core-seconds at most each, no second model) and looks at the list that a user sees. Each
finished run is a row of ``--rows`` (default ``benchmarks/rows/first_rows.jsonl``); a run that has a
row is not looked at again. A structure is right if ``StructureMatcher`` (0.3, 0.5, 10°) finds the
reference.

``table`` prints the shares of right first rows and first families by the rule of
docs/explanation/ranking.md and by energy, and the probabilities beside the shares that are right.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from known_structures import targets
from rows import append, rows_of, run_and_table

import nucleate as nc
from nucleate.api import polish
from nucleate.benchmark.matching import match_rms
from nucleate.benchmark.metrics import rate
from nucleate.benchmark.report import markdown_table
from nucleate.signals import is_request

BINS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Bounds of the probabilities whose lists are put together."""


def run(arguments: argparse.Namespace) -> None:
    """Finish the runs, and append a row for each."""
    entries = {item.name: item for item in targets(arguments.table, arguments.number, 0)}
    done = {(row["side"], row["entry"]) for row in rows_of(arguments.rows)}
    for store in sorted(arguments.runs.glob("*/csp/*/run.db")):
        folder = store.parent
        side, entry = folder.parents[1].name, entries.get(folder.name)
        if entry is None or (side, folder.name) in done:
            continue
        if is_request(nc.open(folder).stop_reason or ""):
            continue  # interrupted
        summary = polish(folder, judge="off", workers=1)
        if summary.polish is None:
            raise SystemExit(f"{folder}: {' '.join(summary.text)}")
        row = {"side": side, "entry": folder.name, "formula": entry.formula}
        row |= first_row(folder, entry) | {"core_s": round(summary.polish.core_s, 1)}
        append(arguments.rows, row)
        print(side, folder.name, entry.formula, row, flush=True)


def first_row(folder: Path, entry: Any) -> dict[str, Any]:
    """Return whether the first row, its family, and the lowest of a list are right."""
    rows = [item for item in nc.open(folder).top(100) if item.finding is not None]
    right = [match_rms(item.crystal, entry.crystal) is not None for item in rows]
    family = [item.finding.family == rows[0].finding.family for item in rows]
    odds = [item.finding.probability or 0.0 for item in rows]
    lowest = min(range(len(rows)), key=lambda place: rows[place].relaxed.enthalpy_per_atom)
    return {
        "listed": len(rows),
        "place": right.index(True) + 1 if any(right) else None,
        "first": right[0],
        "family": any(np.array(right) & family),
        "lowest": right[lowest],
        "p": round(odds[0], 4),
        "p_family": round(float(np.array(odds) @ family), 4),
    }


def table(arguments: argparse.Namespace) -> None:
    """Print shares and probabilities."""
    rows = rows_of(arguments.rows)
    sides = dict.fromkeys(row["side"] for row in rows)
    print(markdown_table([shares(side, [r for r in rows if r["side"] == side]) for side in sides]))
    print()
    print(markdown_table([item for low, high in pairwise(BINS) if (item := held(rows, low, high))]))


def shares(side: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many lists of one hold-out begin with the right structure."""
    listed = sum(row["place"] is not None for row in rows)
    return {
        "known": side,
        "runs": len(rows),
        "right one listed, %": str(rate(listed, len(rows))),
        "first row, %": str(rate(sum(row["first"] for row in rows), len(rows))),
        "first family, %": str(rate(sum(row["family"] for row in rows), len(rows))),
        "lowest by energy, %": str(rate(sum(row["lowest"] for row in rows), len(rows))),
        "core-s, median": f"{np.median([row['core_s'] for row in rows]):.0f}",
    }


def held(rows: list[dict[str, Any]], low: float, high: float) -> dict[str, Any] | None:
    """Return how many first families of a range of probabilities are right."""
    inside = [
        row for row in rows if low <= row["p_family"] < high or row["p_family"] == high == 1.0
    ]
    if not inside:
        return None
    return {
        "probability of the first family": f"{low:g} to {high:g}",
        "lists": len(inside),
        "mean probability": f"{np.mean([row['p_family'] for row in inside]):.2f}",
        "right, %": str(rate(sum(row["family"] for row in inside), len(inside))),
    }


def main() -> None:
    """Run a sub-command."""
    parser, finishing, _ = run_and_table(__doc__, run, table, "first_rows.jsonl")
    finishing.add_argument("table", type=Path)
    finishing.add_argument("--runs", type=Path, required=True)
    finishing.add_argument("--number", type=int, default=100)
    arguments = parser.parse_args()
    arguments.action(arguments)


if __name__ == "__main__":
    main()
