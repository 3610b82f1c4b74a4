"""The state of a run of any size, from numbers alone: geometries are read for the best only."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.relax.outcome import FailReason
from nucleate.report.findings import read_findings
from nucleate.report.naming import libraries_of
from nucleate.report.ranking import LIKELY, rank_structures
from nucleate.report.rule import scores
from nucleate.search.polished import JUDGED, POLISHED, level_of_tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from nucleate.report.ranking import RankedStructure
    from nucleate.run.store import Store
    from nucleate.search.record import Record

SPARE = 3
"""Groups that are read beyond those asked for, for each: added tiers may unite some."""


LONGEST_CHAIN = 60
"""Doublings after which a chain of repeats that repeat repeats is taken for a circle."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the numbers of a store say.

    Attributes
    ----------
    ranked : list of RankedStructure
        The best distinct structures.
    n_distinct, n_structures, n_repeats, n_screened : int
        Distinct structures, records that were relaxed, those that were not as they repeat others,
        and those that were considered with a surrogate only.
    failures : Counter
        First failure of each record, by reason.
    """

    ranked: list[RankedStructure]
    n_distinct: int
    n_structures: int
    n_repeats: int
    failures: Counter[str] = field(default_factory=Counter)
    n_screened: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """The records in ascending order of their numbers, as arrays.

    Attributes
    ----------
    numbers, duplicate_of : ndarray of int64, shape (n,)
        -1 where a record repeats none.
    tier : ndarray of int64, shape (n,)
        Place in ``tiers`` of the tier on which a record is ranked; -1 where it has no energy.
    enthalpy : ndarray of float64, shape (n,)
        Per atom, on that tier.
    tiers : list of str
        Tiers that occur, in the order in which they do.
    n_paid : int
        Records that any tier saw.
    failures : Counter
        First failure of each record, by reason.
    """

    numbers: NDArray[np.int64]
    duplicate_of: NDArray[np.int64]
    tier: NDArray[np.int64]
    enthalpy: NDArray[np.float64]
    tiers: list[str]
    n_paid: int
    failures: Counter[str]


def overview(store: Store, *, best: int, order: str = LIKELY) -> Overview:
    """Return the numbers of a run and its best distinct structures.

    They are those of :func:`~nucleate.report.ranking.rank_structures` over all records, without
    reading the geometry of more than a few times ``best`` of them.

    Parameters
    ----------
    store
        Open for reading.
    best
        How many structures are ranked.
    order
        As in :func:`~nucleate.report.ranking.rank_structures`.
    """
    ladder, added, findings = store.tiers(), tuple(store.added_tiers()), read_findings(store)
    found = _read(store, added)
    tiers = [tier for tier in ladder if tier in found.tiers] or found.tiers
    roots = _roots(found)
    lowest = _lowest_of_groups(found, tiers, roots)
    first = lowest[: SPARE * best if added else best]
    above: list[int] = []
    if added:
        of_added = [found.tiers.index(tier) for tier in added if tier in found.tiers]
        above = found.numbers[lowest[np.isin(found.tier[lowest], of_added)]].tolist()
    known = set(found.numbers.tolist())  # a run that is continued tells its last records again
    judged = [] if findings is None else [n for n, _ in findings.places if n in known]
    chosen = list(dict.fromkeys([*judged, *above, *found.numbers[first].tolist()]))
    full, unread = _chosen_records(store, chosen, found, roots)
    ranked = rank_structures(
        full,
        tiers,
        added=added,
        findings=findings,
        order=order,
        unread=unread,
        libraries=libraries_of(store.meta),
    )
    n_distinct = len(ranked) + len(lowest) - len(unread)
    screened = found.failures.pop(FailReason.SCREENED, 0)
    relaxed, n_repeats = found.n_paid - screened, len(found.numbers) - found.n_paid
    return Overview(ranked[:best], n_distinct, relaxed, n_repeats, found.failures, screened)


def best_groups(
    store: Store, best: int, *, weights: Mapping[int, float] | None = None, likeliest: int = 0
) -> list[list[int]]:
    """Return the best distinct structures of the search itself, as tiers added later left no trace.

    Parameters
    ----------
    store
        Open for reading.
    best
        How many structures.
    weights
        Prior weights that some records were given when they were drawn.
    likeliest
        How many others follow: those of the same tier with such a record that are the first by
        the rule of :func:`nucleate.report.rule.scores`.

    Returns
    -------
    list of list of int
        For each the numbers of its records on its tier, the lowest first. The structures are in
        the order of their enthalpies.
    """
    added = store.added_tiers()
    found = _read(store, (), ignored=frozenset(added))
    tiers = [tier for tier in store.tiers() if tier not in added] or found.tiers
    roots = _roots(found)
    lowest = _lowest_of_groups(found, tiers, roots)
    chosen = [*range(min(best, len(lowest)))]
    chosen += _likeliest(found, roots, lowest, weights or {}, best)[:likeliest]
    groups: list[list[int]] = []
    for place in lowest[sorted(chosen)]:
        own = np.flatnonzero((roots == roots[place]) & (found.tier == found.tier[place]))
        order = np.lexsort((found.numbers[own], found.enthalpy[own]))
        groups.append(found.numbers[own[order]].tolist())
    return groups


def _likeliest(
    found: _Numbers,
    roots: NDArray[np.int64],
    lowest: NDArray[np.int64],
    weights: Mapping[int, float],
    first: int,
) -> list[int]:
    """Return which of the structures from ``first`` on have a weight, the likeliest first."""
    given = np.array([weights.get(number, 0.0) for number in found.numbers.tolist()])
    of_group = np.zeros(len(given))
    np.maximum.at(of_group, roots, given)
    same = lowest[found.tier[lowest] == found.tier[lowest[:1]]]
    own = of_group[roots[same]]
    order = scores(found.enthalpy[same].tolist(), own.tolist()).argsort(kind="stable")
    return [int(k) for k in order if k >= first and own[k] > 0.0]


def _read(store: Store, added: Sequence[str], ignored: frozenset[str] = frozenset()) -> _Numbers:
    numbers, duplicates, tiers = array("q"), array("q"), array("q")
    enthalpies = array("d")
    seen: dict[str, int] = {}
    climb = {tier: place for place, tier in enumerate(added)}
    climb |= {tier: 0 for tier in POLISHED if tier in climb}  # they are the first of those added
    failures: Counter[str] = Counter()
    n_paid = 0
    for head, valid in _records(store, ignored.union(JUDGED)):
        n_paid += head[1] is not None
        failed: list[tuple[int, str]] = []
        for tier, row in valid.items():
            seen.setdefault(tier, len(seen))
            if row[2] != "relaxed":
                failed.append((climb.get(tier, -1), row[3]))
        tier, enthalpy = _counting(valid.values(), climb)
        if failed:
            failures[str(min(failed, key=itemgetter(0))[1])] += 1
        numbers.append(head[0])
        duplicates.append(-1 if head[-1] is None else head[-1])
        tiers.append(-1 if tier is None else seen[tier])
        enthalpies.append(enthalpy)
    return _Numbers(
        np.array(numbers),
        np.array(duplicates),
        np.array(tiers),
        np.array(enthalpies),
        list(seen),
        n_paid,
        failures,
    )


def _records(
    store: Store, ignored: frozenset[str]
) -> Iterator[tuple[tuple[Any, ...], dict[str, tuple[Any, ...]]]]:
    """Yield the first row of each record, and by tier the row of its last outcome, which is valid.

    A second model, which is ``ignored`` too, ranks nothing.
    """
    head: tuple[Any, ...] | None = None
    valid: dict[str, tuple[Any, ...]] = {}
    for row in store.summary_rows():
        if head is None or row[0] != head[0]:
            if head is not None:
                yield head, valid
            head, valid = row, {}
        if row[1] is not None and row[1] not in ignored:
            valid[row[1]] = row
    if head is not None:
        yield head, valid


def _counting(
    valid: Iterable[tuple[Any, ...]], climb: Mapping[str, int]
) -> tuple[str | None, float]:
    """Return the tier on which a record is ranked, and its enthalpy per atom there."""
    found: str | None = None
    enthalpy, reached = np.nan, -1
    polished: float | None = None
    for _, tier, status, _, of_cell, n_atoms, _ in valid:
        if status != "relaxed":
            continue
        value = of_cell / n_atoms
        if tier in POLISHED and polished is not None and polished <= value:
            continue
        polished = value if tier in POLISHED else polished
        if climb.get(tier, -1) >= reached:
            found, enthalpy, reached = tier, value, climb.get(tier, -1)
    return found, enthalpy


def _roots(found: _Numbers) -> NDArray[np.int64]:
    """Return the place of the record that each record repeats in the end."""
    root = np.searchsorted(found.numbers, found.duplicate_of).clip(max=len(found.numbers) - 1)
    itself = np.arange(len(found.numbers))
    root = np.where(found.numbers[root] == found.duplicate_of, root, itself)
    for _ in range(LONGEST_CHAIN):
        above = root[root]
        if np.array_equal(above, root):
            break
        root = above
    return root


def _lowest_of_groups(
    found: _Numbers, tiers: Sequence[str], roots: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the place of the best record of each distinct structure, best first."""
    depth = {level_of_tier(tier): place for place, tier in enumerate(tiers)}
    depths = np.array([-depth.get(level_of_tier(tier), -1) for tier in found.tiers])
    places = np.flatnonzero(found.tier >= 0)
    if not places.size:
        return places
    keys = found.numbers[places], found.enthalpy[places], depths[found.tier[places]]
    order = np.lexsort((*keys, roots[places]))
    _, first = np.unique(roots[places][order], return_index=True)
    best = order[first]
    return places[best][np.lexsort([key[best] for key in keys])]


def _chosen_records(
    store: Store, chosen: Sequence[int], found: _Numbers, roots: NDArray[np.int64]
) -> tuple[list[Record], dict[int, int]]:
    """Return records in full, each group under its first, and how many of a group are not read."""
    places = np.searchsorted(found.numbers, chosen)
    groups: dict[int, list[Record]] = {}
    for record, place in zip(store.records_of(chosen), places.tolist(), strict=True):
        groups.setdefault(int(roots[place]), []).append(record)
    sizes = np.bincount(roots[found.tier >= 0], minlength=len(roots))
    full: list[Record] = []
    unread: dict[int, int] = {}
    for root, (head, *others) in groups.items():
        unread[head.number] = int(sizes[root]) - 1 - len(others)
        full.append(replace(head, duplicate_of=None))
        full += [replace(record, duplicate_of=head.number) for record in others]
    return full, unread
