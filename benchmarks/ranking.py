r"""How often the first structure of a list is the observed one, and how sure a rule may be of it.

    python benchmarks/prototypes.py library TABLE.parquet --out train.nlib
    python benchmarks/ranking.py collect TABLE.parquet --library train.nlib --out lists.jsonl

Lists are made for compounds on the hull with 4 to 20 atoms in the primitive cell: the ten most
likely candidates of the library, relaxed by CHGNet. The library is built from the ``train`` split,
and compounds of the target's formula are held out. Rules are fitted to lists of ``train``
compounds and tested on lists of ``val`` compounds; no formula is in both splits. ``collect``
continues where it was interrupted; compounds of both splits alternate in random order, so that a
part is a random sample.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.api.relax import relax
from nucleate.benchmark.csp import Entry, read_entries
from nucleate.benchmark.generate_only import ON_HULL, hull_distances
from nucleate.benchmark.metrics import TIGHT, Reference
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.library.library import Library
from nucleate.relax.outcome import Relaxed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.library.substitution import Proposal
    from nucleate.relax.outcome import Outcome

Row = dict[str, Any]

KNOWN = "no-formula"
ATOMS = (4, 20)
SPLITS = ("val", "train", "val")
"""Order in which the splits take turns: twice as many lists to test on as to fit to."""


def targets(table: Path, split: str, seed: int) -> list[Entry]:
    """Return the compounds of a split on the hull, in random order."""
    above_hull = hull_distances(table)
    entries = read_entries(table, number=4000, seed=seed, split=split, atoms=ATOMS)
    return [entry for entry in entries if above_hull.get(entry.name, 1.0) <= ON_HULL]


def collect(arguments: argparse.Namespace) -> None:
    """Make and relax a list for every target, one line of the file for each."""
    library = Library.load([arguments.library])
    done = {row["name"] for row in read(arguments.out)}
    begin = time.monotonic()
    with arguments.out.open("a", encoding="utf-8") as stream:
        for split, entry in _in_turn(arguments):
            if entry.name not in done:
                stream.write(json.dumps(relaxed_list(library, split, entry, arguments.most)) + "\n")
                stream.flush()
            if time.monotonic() - begin > arguments.hours * 3600:
                return


def _in_turn(arguments: argparse.Namespace) -> Iterator[tuple[str, Entry]]:
    waiting = {
        split: iter(targets(arguments.table, split, arguments.seed)) for split in set(SPLITS)
    }
    for _ in range(arguments.number):
        for split in SPLITS:
            entry = next(waiting[split], None)
            if entry is not None:
                yield split, entry


def relaxed_list(library: Library, split: str, entry: Entry, most: int) -> Row:
    """Return the candidates of a target with energy, prior weight and match."""
    composition = Composition.from_numbers(entry.crystal.numbers)
    space = SearchSpace.create(composition, max_atoms=max(60, composition.n_atoms))
    proposals = library.candidates(composition, space, known=KNOWN, most=most)
    begin = time.process_time()
    outcomes = relax(
        [proposal.crystal for proposal in proposals], fmax_ev_per_ang=0.03, max_stress_gpa=0.2
    )
    spent = time.process_time() - begin
    reference = Reference(entry.crystal)
    return {
        "name": entry.name,
        "split": split,
        "formula": entry.formula,
        "atoms": entry.crystal.n_atoms,
        "core_s": round(spent, 2),
        "candidates": [
            candidate_row(library, reference, *pair)
            for pair in zip(proposals, outcomes, strict=True)
        ],
    }


def candidate_row(
    library: Library, reference: Reference, proposal: Proposal, outcome: Outcome
) -> Row:
    """Return what is known of a candidate; without an energy if its relaxation failed."""
    row: Row = {
        "vote": proposal.vote,
        "weight_before": library.weight(proposal.crystal, known=KNOWN),
        "derived": proposal.detail.get("derived", ""),
        "match_before": reference.displacement(proposal.crystal),
    }
    if not isinstance(outcome, Relaxed):
        return {**row, "failed": outcome.reason}
    match = reference.displacement(outcome.crystal)
    tight = None if match is None else reference.displacement(outcome.crystal, TIGHT)
    return {
        **row,
        "energy": outcome.energy_per_atom,
        "converged": outcome.converged,
        "weight": library.weight(outcome.crystal, known=KNOWN),
        "match": match,
        "tight": tight,
        "fits": match is not None and reference.fits(outcome.crystal),
        "crystal": _geometry(outcome.crystal),
    }


def _geometry(crystal: Crystal) -> Row:
    return {
        "numbers": crystal.numbers.tolist(),
        "cell": np.round(crystal.cell, 5).tolist(),
        "scaled": np.round(crystal.scaled, 5).tolist(),
    }


def read(path: Path) -> list[Row]:
    """Return the rows of a file, without a last line that is cut short."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def main(given: Sequence[str] | None = None) -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("table", type=Path)
    collecting.add_argument("--library", type=Path, required=True)
    collecting.add_argument("--out", type=Path, required=True)
    collecting.add_argument("--number", type=int, default=150, help="turns; three lists each")
    collecting.add_argument("--most", type=int, default=10)
    collecting.add_argument("--hours", type=float, default=100.0)
    collecting.add_argument("--seed", type=int, default=0)
    collecting.set_defaults(run=collect)
    arguments = parser.parse_args(given)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
