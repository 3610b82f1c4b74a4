r"""How well likelihoods order the crystals of a flow, before anything is relaxed.

    python benchmarks/flow_order.py run TABLE.parquet --out flow.jsonl --number 80
    python benchmarks/flow_order.py table --out flow.jsonl

``run`` draws entries of 2 to 12 atoms of the ``val`` split in random order, lets the flow make
crystals of the right size from 64 starts, and keeps how often each was reached, its log-likelihood
and whether it matches the entry (StructureMatcher, 0.3, 0.5, 10 degrees). It continues where it was
interrupted. ``table`` prints the shares of entries with a match among the first 1, 5 and 20 by
several orders, as Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from prototypes import crystal_of, targets
from rows import append, rows_of

from nucleate.benchmark.generate_only import space_of
from nucleate.benchmark.metrics import Reference
from nucleate.benchmark.rates import matches
from nucleate.benchmark.report import markdown_table
from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.flow.generator import REACHED_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

    Order = Callable[[dict[str, Any]], np.ndarray]

STARTS, SEED = 64, 5
ATOMS = (2, 12)


def run(args: argparse.Namespace) -> None:
    """Append a row for each entry that the file lacks."""
    done = {row["name"] for row in rows_of(args.out)}
    for entry in targets(args.table, ATOMS, args.number, args.seed):
        if entry["material_id"] in done:
            continue
        crystal = crystal_of(entry)
        begin = time.process_time()
        pool = named("flow", number=STARTS).build(GeneratorContext(space_of(crystal), seed=SEED))
        same = [m for m in pool.members if m.crystal.n_atoms == crystal.n_atoms]
        seconds = time.process_time() - begin
        hits = matches(Reference(crystal), [m.crystal for m in same])["loose"]
        row: dict[str, Any] = {"name": entry["material_id"], "atoms": crystal.n_atoms}
        row["reached"] = [int(m.detail["reached"]) for m in same]
        row["likely"] = [float(m.detail.get("log_likelihood", "-inf")) for m in same]
        row["hit"] = [str(place + 1) in hits for place in range(len(same))]
        append(args.out, row | {"core_s": round(seconds, 2)})


def table(args: argparse.Namespace) -> None:
    """Print the shares."""
    rows = [row for row in rows_of(args.out) if row["hit"]]
    rng = np.random.default_rng(0)
    orders: dict[str, Order] = {
        "number of starts": lambda row: np.argsort(-np.array(row["reached"]), kind="stable"),
        "likelihood": lambda row: np.argsort(-np.array(row["likely"]), kind="stable"),
        "both": lambda row: np.argsort(-both(row), kind="stable"),
        "random": lambda row: rng.permutation(len(row["hit"])),
    }
    lines = []
    for name, order in orders.items():
        placed = [np.array(row["hit"])[order(row)] for row in rows]
        shares = {
            f"@{k}": f"{100.0 * np.mean([p[:k].any() for p in placed]):.1f}" for k in (1, 5, 20)
        }
        lines.append({"order": name, "n": len(rows), **shares})
    print(markdown_table(lines))


def both(row: dict[str, Any]) -> np.ndarray:
    """Return what the generator orders crystals of one size by."""
    return np.array(row["likely"]) + REACHED_WEIGHT * np.log(row["reached"])


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    running, showing = commands.add_parser("run"), commands.add_parser("table")
    running.add_argument("table", type=Path)
    running.add_argument("--number", type=int, default=80)
    running.add_argument("--seed", type=int, default=77)
    for command, action in ((running, run), (showing, table)):
        command.add_argument("--out", type=Path, required=True)
        command.set_defaults(action=action)
    args = parser.parse_args()
    args.action(args)


if __name__ == "__main__":
    main()
