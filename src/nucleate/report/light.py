"""The state of a run of any size, from numbers alone: geometries are read for the best only."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.report.ranking import rank_structures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.report.ranking import RankedStructure
    from nucleate.run.store import Store

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
    n_distinct, n_structures, n_repeats : int
        Distinct structures, records that were relaxed, and those that were not.
    failures : Counter
        First failure of each record, by reason.
    """

    ranked: list[RankedStructure]
    n_distinct: int
    n_structures: int
    n_repeats: int
    failures: Counter[str] = field(default_factory=Counter)


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


def overview(store: Store, *, best: int) -> Overview:
    """Return the numbers of a run and its best distinct structures.

    They are those of :func:`~nucleate.report.ranking.rank_structures` over all records, without
    reading the geometry of more than a few times ``best`` of them.

    Parameters
    ----------
    store
        Open for reading.
    best
        How many structures are ranked.
    """
    ladder, added = store.tiers(), tuple(store.added_tiers())
    found = _read(store, added)
    tiers = [tier for tier in ladder if tier in found.tiers] or found.tiers
    lowest, copies = _lowest_of_groups(found, tiers)
    first = lowest[: SPARE * best if added else best]
    above: list[int] = []
    if added:
        of_added = [found.tiers.index(tier) for tier in added if tier in found.tiers]
        above = found.numbers[lowest[np.isin(found.tier[lowest], of_added)]].tolist()
    numbers = found.numbers[first].tolist()
    counts = dict(zip(found.numbers[lowest].tolist(), copies.tolist(), strict=True))
    ranked = _ranked(store, list(dict.fromkeys([*above, *numbers])), counts, tiers, added, best)
    united = len(above) - _n_distinct(store, above, tiers, added) if above else 0
    n_repeats = len(found.numbers) - found.n_paid
    return Overview(ranked, len(lowest) - united, found.n_paid, n_repeats, found.failures)


def _read(store: Store, added: Sequence[str]) -> _Numbers:
    numbers, duplicates, tiers = array("q"), array("q"), array("q")
    enthalpies = array("d")
    seen: dict[str, int] = {}
    climb = {tier: place for place, tier in enumerate(added)}
    failures: Counter[str] = Counter()
    n_paid, last, reached, has_failed = 0, None, -1, False
    for number, tier, status, reason, enthalpy, n_atoms, duplicate_of in store.summary_rows():
        if number != last:
            last, reached, has_failed = number, -1, False
            numbers.append(number)
            duplicates.append(-1 if duplicate_of is None else duplicate_of)
            tiers.append(-1)
            enthalpies.append(np.nan)
            n_paid += tier is not None
        if tier is None:
            continue
        place = seen.setdefault(tier, len(seen))
        if status == "relaxed":
            if climb.get(tier, -1) >= reached:
                reached = climb.get(tier, -1)
                tiers[-1], enthalpies[-1] = place, enthalpy / n_atoms
        elif not has_failed:
            has_failed = True
            failures[str(reason)] += 1
    return _Numbers(
        np.array(numbers),
        np.array(duplicates),
        np.array(tiers),
        np.array(enthalpies),
        list(seen),
        n_paid,
        failures,
    )


def _lowest_of_groups(
    found: _Numbers, tiers: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place of the best record of each distinct structure, best first, and its copies.

    Records belong to the one that they repeat in the end.
    """
    root = np.searchsorted(found.numbers, found.duplicate_of).clip(max=len(found.numbers) - 1)
    itself = np.arange(len(found.numbers))
    root = np.where(found.numbers[root] == found.duplicate_of, root, itself)
    for _ in range(LONGEST_CHAIN):
        above = root[root]
        if np.array_equal(above, root):
            break
        root = above
    depths = np.array([-tiers.index(tier) if tier in tiers else 1 for tier in found.tiers])
    places = np.flatnonzero(found.tier >= 0)
    if not places.size:
        return places, places
    keys = found.numbers[places], found.enthalpy[places], depths[found.tier[places]]
    order = np.lexsort((*keys, root[places]))
    _, first, copies = np.unique(root[places][order], return_index=True, return_counts=True)
    best = order[first]
    ranks = np.lexsort([key[best] for key in keys])
    return places[best][ranks], copies[ranks]


def _ranked(
    store: Store,
    chosen: Sequence[int],
    copies: dict[int, int],
    tiers: Sequence[str],
    added: Sequence[str],
    best: int,
) -> list[RankedStructure]:
    full = [replace(record, duplicate_of=None) for record in store.records_of(chosen)]
    ranked = rank_structures(full, tiers, added=added, best=best)
    counted = []
    for item in ranked:
        others = item.copies - 1  # united on an added tier
        counted.append(replace(item, copies=copies[item.record.number] + others))
    return counted


def _n_distinct(
    store: Store, numbers: Sequence[int], tiers: Sequence[str], added: Sequence[str]
) -> int:
    full = [replace(record, duplicate_of=None) for record in store.records_of(numbers)]
    return len(rank_structures(full, tiers, added=added))
