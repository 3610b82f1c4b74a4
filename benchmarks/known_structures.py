r"""Whole runs with and without known structures: how often the right structure is found.

    python benchmarks/prototypes.py library TABLE.parquet --out train.nlib
    python benchmarks/known_structures.py run TABLE.parquet --library train.nlib --out RUNS \
        --number 100 --known no-formula no-relatives off --budget 120
    python benchmarks/known_structures.py run TABLE.parquet --library train.nlib --out RUNS \
        --number 100 --known off --until-found --rows until_found.jsonl
    python benchmarks/known_structures.py run TABLE.parquet --library train.nlib --out RUNS \
        --number 100 --known off --generators symmetric:0.85 blocks:0.15 --until-found \
        --rows until_found.jsonl
    python benchmarks/known_structures.py run TABLE.parquet --library train.nlib --out RUNS \
        --number 12 --atoms 21-52 --unknown-hull --known off --until-found \
        --rows until_found_large.jsonl
    python benchmarks/known_structures.py table

Targets are entries on the hull of the ``val`` split with 4 to 20 atoms in the primitive cell, the
library is built from the ``train`` split alone. ``--atoms FROM-TO`` takes other sizes, and
``--unknown-hull`` also entries whose distance from the hull is unknown, as that of most larger ones
is; their rows belong in a file of their own. The number of atoms in the cell is given, as in
published match rates. ``run`` continues where it was interrupted, and each run that has ended is
a row of ``--rows`` (default ``benchmarks/rows/known_structures.jsonl``); a larger --number begins
with the targets of a smaller one. ``--generators`` names the generators and their weights in place
of the default ones, in runs of their own; ``table`` compares runs under the same hold-out target by
target.
``--until-found`` ends a run as soon as it has found the target, which answers whether and after how
many core-seconds, and nothing else; such rows belong in a file of their own. The first row of a
list is that of the rule in docs/explanation/ranking.md (energy and known structure types, under the
hold-out of the run) among the structures of which the final phase of ``predict`` polishes the best,
without that phase.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rows import KEPT, append, rows_of
from survival import in_words

from nucleate.benchmark.csp import entry_folder, entry_references, entry_row, read_entries
from nucleate.benchmark.matching import match_rms
from nucleate.benchmark.metrics import rate
from nucleate.benchmark.rates import ON_HULL, hull_distances
from nucleate.benchmark.report import markdown_table
from nucleate.benchmark.results import NEAR_EV_PER_ATOM
from nucleate.library.hold_out import HOLD_OUTS
from nucleate.report.prior import Prior
from nucleate.report.rule import probabilities
from nucleate.report.selection import contenders
from nucleate.run.predict import opened, predict
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store
from nucleate.signals import is_request, stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.benchmark.csp import Entry
    from nucleate.benchmark.references import RelaxedStructure
    from nucleate.search.record import Record

CLOSE_MEV = 2.0
"""meV/atom of the lowest structure within which the reference counts as nearly the lowest."""

NEVER = 10**6


def targets(
    table: Path,
    number: int,
    seed: int,
    atoms: tuple[int, int] = (4, 20),
    *,
    unknown_hull: bool = False,
) -> list[Entry]:
    """Draw targets on the hull with so many atoms in the primitive cell.

    Entries whose distance from the hull is unknown count as on it if ``unknown_hull``.
    """
    above_hull = hull_distances(table)
    unknown = 0.0 if unknown_hull else 1.0
    everything = read_entries(table, number=max(1000, 20 * number), seed=seed, atoms=atoms)
    chosen = [entry for entry in everything if above_hull.get(entry.name, unknown) <= ON_HULL]
    return chosen[:number]


def settings(
    entry: Entry, known: str, library: Path, seed: int, budget_s: float, generators: Sequence[str]
) -> RunSettings:
    """Return the input of a run."""
    search: dict[str, Any] = {"seed": seed, "known": known, "library": [str(library.resolve())]}
    if generators:
        pairs = [item.split(":") for item in generators]
        search["generators"] = [{"kind": kind, "weight": float(w)} for kind, w in pairs]
    return RunSettings.from_dict(
        {
            "problem": {"formula": entry.formula, **entry.problem},
            "search": search,
            "stop": {"without_improvement": NEVER, "core_time": budget_s},
            "run": {"workers": 1},
        }
    )


class Found:
    """Ends a run at the structure that counts as its reference in the tables.

    Parameters
    ----------
    reference : RelaxedStructure
        Relaxed by the tier of the run.
    """

    def __init__(self, reference: RelaxedStructure) -> None:
        self._reference = reference

    def is_found(self, record: Record) -> bool:
        """Return whether a record is near the reference in energy and matches it."""
        relaxed = record.relaxed
        if relaxed is None:
            return False
        gap = relaxed.energy_per_atom - self._reference.energy_ev_per_atom
        return (
            abs(gap) <= NEAR_EV_PER_ATOM
            and match_rms(self._reference.crystal, relaxed.crystal) is not None
        )

    def distance_in_words(self) -> str:
        """Return nothing: the row says how near it came."""
        return ""


def searched_until_found(
    wanted: RunSettings, folder: Path, reference: Callable[[], RelaxedStructure]
) -> str:
    """Run or continue a search up to its reference; return why it ended.

    ``reference`` is asked once the run exists, because it is relaxed by the tier of the run.
    """
    with opened(wanted, folder) as campaign, stopping_on_signals(campaign.request_stop):
        campaign.progress.stop.target = Found(reference())
        return campaign.run().reason


def run(arguments: argparse.Namespace) -> None:
    """Run every target under every hold-out; those that are done are left as they are."""
    low, _, high = arguments.atoms.partition("-")
    atoms = (int(low), int(high))
    entries = targets(
        arguments.table,
        arguments.number,
        arguments.seed,
        atoms,
        unknown_hull=arguments.unknown_hull,
    )
    done = {key_of(row) for row in rows_of(arguments.rows)}
    for entry in entries:
        for known in arguments.known:
            row: dict[str, Any] = {"side": side(known, arguments.generators), "entry": entry.name}
            row |= {"seed": arguments.seed, "budget_s": arguments.budget}
            if key_of(row) in done:
                continue
            folder = entry_folder(arguments.out / row["side"], entry)
            wanted = settings(
                entry,
                known,
                arguments.library,
                arguments.seed,
                arguments.budget,
                arguments.generators,
            )
            reference = partial(reference_of, arguments.out, entries, entry, folder)
            if arguments.until_found:
                reason = searched_until_found(wanted, folder, reference)
            else:
                reason = predict(wanted, folder).reason
            print(f"{entry.name} {entry.formula} {known}: {reason}", flush=True)
            if is_request(reason):
                return
            row |= entry_row(folder, entry, reference())
            row |= {"until_found": 1} if arguments.until_found else {"leads": leads(folder, entry)}
            append(arguments.rows, row)


def reference_of(
    out: Path, entries: Sequence[Entry], entry: Entry, folder: Path
) -> RelaxedStructure:
    """Return the reference of an entry as the last tier of a run relaxes it."""
    return entry_references(out, entries, folder)[entry.name]


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one run from others."""
    return tuple(row[key] for key in ("side", "entry", "seed", "budget_s"))


def side(known: str, generators: Sequence[str]) -> str:
    """Return the folder of the runs of one kind."""
    kinds = "+".join(item.split(":")[0] for item in generators)
    return f"{known}, {kinds}" if kinds else known


def show(arguments: argparse.Namespace) -> None:
    """Print the shares that were found, with 95 % intervals, and the gains of added generators."""
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows_of(arguments.rows):
        if (row["seed"], row["budget_s"]) == (arguments.seed, arguments.budget):
            groups.setdefault(row["side"], {})[row["entry"]] = row
    print("Known structures held out as in the first column.\n")
    print(markdown_table([_shares(name, list(rows.values())) for name, rows in groups.items()]))
    for before, after in combinations(groups, 2):
        if before.partition(",")[0] == after.partition(",")[0]:
            _print_pairs(before, after, groups)


def _print_pairs(before: str, after: str, groups: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Print by how many points more of the same targets are found, with a paired interval."""
    both = sorted(groups[before].keys() & groups[after].keys())
    if not both:
        return
    found = [
        np.array([groups[name][entry]["verdict"] == "found" for entry in both], dtype=float)
        for name in (before, after)
    ]
    gain = found[1] - found[0]
    drawn = np.random.default_rng(0).integers(0, len(both), (10_000, len(both)))
    low, high = np.percentile(100.0 * gain[drawn].mean(axis=1), [2.5, 97.5])
    print(
        f"\n{after} against {before}, {len(both)} pairs: {100.0 * gain.mean():+.1f} points "
        f"({low:+.1f} to {high:+.1f}); found by the first alone {int((gain > 0).sum())}, by the "
        f"second alone {int((gain < 0).sum())}"
    )


def leads(folder: Path, entry: Entry) -> bool:
    """Return whether the likeliest structure of a run is the reference."""
    with Store.read(folder) as store:
        items = contenders(store, Prior.of_run(store.meta))
    odds = probabilities([item.enthalpy for item in items], [item.weight for item in items])
    return match_rms(items[int(odds.argmax())].typed.crystal, entry.crystal) is not None


def _shares(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found = [row for row in rows if row["verdict"] == "found"]
    lowest = [
        row
        for row in found
        if row["rank"] == 1
        or (row["gap_mev_per_atom"] != "" and row["gap_mev_per_atom"] >= -CLOSE_MEV)
    ]
    line = {"known": name, "runs": len(rows), "found, %": str(rate(len(found), len(rows)))}
    times = [
        {"reached": int(row in found), "s": row["found_core_s"] if row in found else row["core_s"]}
        for row in rows
    ]
    line["core-s to it, median"] = in_words(times, "s")
    if any("until_found" in row for row in rows):
        return line
    return line | {
        f"lowest or within {CLOSE_MEV:g} meV/atom, %": str(rate(len(lowest), len(rows))),
        "first row by the rule, %": str(rate(sum(row["leads"] for row in rows), len(rows))),
        "found by prototypes": sum(row["found_by"] == "prototypes" for row in found),
    }


def main() -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    running, reporting = commands.add_parser("run"), commands.add_parser("table")
    for command, action in ((running, run), (reporting, show)):
        command.add_argument("--rows", type=Path, default=KEPT / "known_structures.jsonl")
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--budget", type=float, default=120.0, help="core seconds")
        command.set_defaults(run=action)
    running.add_argument("table", type=Path)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--number", type=int, default=100)
    running.add_argument("--atoms", default="4-20", metavar="FROM-TO", help="in the primitive cell")
    running.add_argument("--unknown-hull", action="store_true")
    running.add_argument(
        "--known", nargs="+", choices=HOLD_OUTS, default=["no-formula", "no-relatives", "off"]
    )
    running.add_argument(
        "--generators",
        nargs="+",
        default=[],
        metavar="KIND:WEIGHT",
        help="in place of the default ones",
    )
    running.add_argument("--until-found", action="store_true")
    running.add_argument("--library", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
