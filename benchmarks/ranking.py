r"""How often the first structure of a list is the observed one, and how sure a rule may be of it.

    python benchmarks/prototypes.py library TABLE.parquet --out train.nlib
    python benchmarks/ranking.py collect TABLE.parquet --library train.nlib --out lists.jsonl
    python benchmarks/ranking.py fit lists.jsonl
    python benchmarks/ranking.py table lists.jsonl --figure docs/images/reliability.png

Lists are made for compounds on the hull with 4 to 20 atoms in the primitive cell: the ten most
likely candidates of the library, relaxed by CHGNet. The library is built from the ``train`` split,
and compounds of the target's formula are held out. Rules are fitted to lists of ``train``
compounds and tested on lists of ``val`` compounds; no formula is in both splits. ``collect``
continues where it was interrupted; compounds of both splits alternate in random order, so that a
part is a random sample.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from nucleate.api.relax import relax
from nucleate.benchmark.csp import Entry, read_entries
from nucleate.benchmark.generate_only import read_rows, space_of
from nucleate.benchmark.metrics import TIGHT, Reference, rate
from nucleate.benchmark.rates import ON_HULL, hull_distances
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.matching import Comparable
from nucleate.library.library import Library
from nucleate.relax.outcome import Relaxed
from nucleate.report.distinct import Polished, distinct, families
from nucleate.report.rule import PRIOR_EV_PER_ATOM, probabilities, scores
from nucleate.run.final_settings import FinalSettings
from nucleate.search.polished import RATTLED
from nucleate.search.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.library.substitution import Proposal
    from nucleate.relax.outcome import Outcome

Row = dict[str, Any]

KNOWN = "no-formula"
ATOMS = (4, 20)
TAILS = (0.02, 0.05, 0.1, 0.2, 5.0)
EDGES = (0.0, 0.5, 0.75, 0.9, 1.01)
CURVE = (0.0, 0.3, 0.5, 0.65, 0.8, 0.9, 0.96, 1.01)
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
    done = {row["name"] for row in read_rows(arguments.out)} if arguments.out.exists() else set()
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
    space = space_of(entry.crystal)
    proposals = library.candidates(space.composition, space, known=KNOWN, most=most)
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


def lists(path: Path) -> dict[str, list[List]]:
    """Return the lists of each split, with candidates that became the same structure united."""
    found: dict[str, list[List]] = {}
    for row in read_rows(path):
        found.setdefault(row["split"], []).append(List.of(row))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class List:
    """The distinct structures of a target, shape (n,) each.

    Attributes
    ----------
    energies : ndarray of float64
        eV/atom.
    weights : ndarray of float64
        Prior weights.
    matches : ndarray of bool
        Whether the reference matches.
    family : ndarray of int64
        Number of the family.
    """

    energies: NDArray[np.float64]
    weights: NDArray[np.float64]
    matches: NDArray[np.bool_]
    family: NDArray[np.int64]

    @classmethod
    def of(cls, row: Row) -> List:
        """Return the list of a line of the file."""
        relaxed = [item for item in row["candidates"] if "energy" in item]
        relaxed.sort(key=lambda item: item["energy"])
        polished = [_polished(place, item) for place, item in enumerate(relaxed)]
        items = distinct(polished, FinalSettings().same)
        members = [
            [relaxed[item.best.record.number], *(relaxed[copy.record] for copy in item.same)]
            for item in items
        ]
        family = np.zeros(len(items), dtype=np.int64)
        for number, places in enumerate(families(items)):
            family[places] = number
        return cls(
            np.array([min(item["energy"] for item in group) for group in members]),
            np.array([max(item["weight"] for item in group) for group in members]),
            np.array([any(i["match"] is not None for i in group) for group in members], dtype=bool),
            family,
        )


def _polished(place: int, item: Row) -> Polished:
    crystal = Crystal(*(np.array(item["crystal"][key]) for key in ("numbers", "cell", "scaled")))
    record = Record(place, Candidate(crystal, Origin("prototypes")))
    relaxed: Any = SimpleNamespace(enthalpy_per_atom=item["energy"], crystal=crystal)
    return Polished(record, RATTLED, relaxed, Comparable.of(crystal))


def fit(arguments: argparse.Namespace) -> None:
    """Fit sharpness, floor and the weight of none to the ``train`` lists; print what ships."""
    data = lists(arguments.lists)
    print("tail eV/atom, sharpness, floor, none, nll of train, of val")
    for tail in TAILS:
        found = fitted(data["train"], tail)
        fields = (tail, *found, loss(data["train"], tail, *found), loss(data["val"], tail, *found))
        print(*(f"{value:.4f}" for value in fields))


def fitted(data: Sequence[List], tail: float) -> tuple[float, float, float]:
    """Return sharpness, floor and weight of none that make the ``train`` lists likeliest."""
    from scipy.optimize import minimize

    def to_minimise(x: NDArray[np.float64]) -> float:
        return loss(data, tail, x[0], np.exp(x[1]), np.exp(x[2]))

    x = minimize(to_minimise, [1.0, np.log(0.003), np.log(0.03)], method="Nelder-Mead").x
    return float(x[0]), float(np.exp(x[1])), float(np.exp(x[2]))


def loss(data: Sequence[List], tail: float, sharpness: float, floor: float, none: float) -> float:
    """Return the mean negative logarithm of the probability of what is true of each list."""
    total = 0.0
    for one in data:
        above = one.energies - one.energies.min()
        energy = tail * np.log1p(above / tail) / PRIOR_EV_PER_ATOM
        odds = np.exp(sharpness * (np.log(np.maximum(one.weights, floor)) - energy))
        right = odds[one.matches].sum() if one.matches.any() else none
        total -= np.log(right / (odds.sum() + none))
    return total / len(data)


def table(arguments: argparse.Namespace) -> None:
    """Print how often each order has the right structure first, and how honest the rule is."""
    data = lists(arguments.lists)["val"]
    firsts = {
        "energy alone": np.array([one.matches[one.energies.argmin()] for one in data]),
        "prior alone": np.array([one.matches[one.weights.argmax()] for one in data]),
        "rule": np.array([one.matches[scores(one.energies, one.weights).argmin()] for one in data]),
    }
    print(f"{len(data)} lists, {np.mean([one.matches.any() for one in data]):.3f} with the right")
    for name, first in firsts.items():
        better = int((firsts["rule"] & ~first).sum())
        worse = int((first & ~firsts["rule"]).sum())
        p = binomtest(better, better + worse).pvalue if better + worse else 1.0
        print(f"{name}: {rate(first.sum(), len(data))}; the rule better {better}, worse {worse}, "
              f"McNemar p = {p:.1g}")  # fmt: skip
    low, high = paired_interval(firsts["rule"], firsts["energy alone"])
    print(f"rule - energy alone: 95 % interval of the difference {low:.3f} to {high:.3f}")
    chances, right = of_first_families(data)
    brier = np.mean((chances - right) ** 2)
    print(
        f"family of the first: {rate(right.sum(), len(data))}, "
        f"log-loss {log_loss(chances, right):.3f}, Brier {brier:.3f}"
    )
    for low, high in itertools.pairwise(EDGES):
        inside = (chances >= low) & (chances < high)
        share = rate(right[inside].sum(), inside.sum())
        print(
            f"p {low:g} to {min(high, 1.0):g}: n {inside.sum()}, "
            f"mean p {chances[inside].mean():.3f}, right {share}"
        )
    if arguments.figure is not None:
        draw(arguments.figure, chances, right)


def of_first_families(data: Sequence[List]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of the family of each first structure, and whether it is right."""
    chances, right = [], []
    for one in data:
        own = probabilities(one.energies, one.weights)
        family = one.family == one.family[own.argmax()]
        chances.append(own[family].sum())
        right.append(one.matches[family].any())
    return np.array(chances), np.array(right)


def log_loss(chances: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the mean negative logarithm of the probability of what was the case."""
    inside = np.clip(chances, 1e-6, 1.0 - 1e-6)
    return float(-np.mean(np.where(right, np.log(inside), np.log1p(-inside))))


def paired_interval(
    first: NDArray[np.bool_], second: NDArray[np.bool_], seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean difference over the same lists."""
    gaps = first.astype(float) - second.astype(float)
    rng = np.random.default_rng(seed)
    means = gaps[rng.integers(0, gaps.size, (5000, gaps.size))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def draw(path: Path, chances: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    """Draw the reliability curve with 95 % intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    for low, high in itertools.pairwise(CURVE):
        inside = (chances >= low) & (chances < high)
        if inside.any():
            found = rate(right[inside].sum(), inside.sum())
            bars = [[found.value - found.low], [found.high - found.value]]
            axes.errorbar(chances[inside].mean(), found.value, bars, fmt="o", color="C0", capsize=3)
            axes.annotate(
                f"{inside.sum()}",
                (chances[inside].mean(), found.low),
                (0, -12),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set(xlabel="probability given to the first family", ylabel="share that is observed")
    figure.savefig(path, dpi=150)


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
    fitting = commands.add_parser("fit")
    fitting.add_argument("lists", type=Path)
    fitting.set_defaults(run=fit)
    shown = commands.add_parser("table")
    shown.add_argument("lists", type=Path)
    shown.add_argument("--figure", type=Path)
    shown.set_defaults(run=table)
    arguments = parser.parse_args(given)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
