"""Assignments of a composition's elements to the slots of an anonymous formula."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import combinations, groupby, permutations, product
from math import factorial, prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_ENUMERATED = 5040
"""Formulas with more assignments are not enumerated: the best of each entry are found instead."""


def n_assignments(counts: Sequence[int]) -> int:
    """Return the number of orders of the elements that keep the counts in order.

    Examples
    --------
    >>> n_assignments([1, 1, 3, 3, 3])
    12
    """
    return prod(factorial(n) for n in Counter(counts).values())


@lru_cache(maxsize=64)
def all_assignments(counts: tuple[int, ...]) -> NDArray[np.int64]:
    """Return all assignments for ascending counts, shape (n_assignments, n_slots).

    Row p, column k: which of the elements (in the order of the counts) stands in slot k.
    """
    parts = [list(permutations(block)) for block in blocks_of(counts)]
    return np.array([sum(order, ()) for order in product(*parts)], dtype=np.int64)


def best_assignments(
    counts: Sequence[int], scores: NDArray[np.float64], most: int
) -> NDArray[np.int64]:
    """Return good assignments where there are too many to enumerate, shape (n, n_slots).

    For each entry the best assignment and those that differ from it by one exchange; the union
    over the entries whose best assignment scores highest.

    Parameters
    ----------
    counts
        Ascending.
    scores
        Of each element in each slot of each entry, shape (n_entries, n_elements, n_slots).
    most
        Number of entries to take them from.
    """
    from scipy.optimize import linear_sum_assignment

    blocks = blocks_of(counts)
    found = []
    for entry in scores:
        order = np.arange(len(counts))
        total = 0.0
        for block in blocks:
            part = entry[np.ix_(block, block)]
            rows, columns = linear_sum_assignment(part, maximize=True)
            order[np.array(block)[columns]] = np.array(block)[rows]
            total += part[rows, columns].sum()
        found.append((total, tuple(order.tolist())))
    unique: dict[tuple[int, ...], None] = {}
    for _, order in sorted(found, reverse=True)[:most]:
        unique[order] = None
        for block in blocks:
            for first, second in combinations(block, 2):
                swapped = list(order)
                swapped[first], swapped[second] = swapped[second], swapped[first]
                unique[tuple(swapped)] = None
    return np.array(list(unique), dtype=np.int64).reshape(-1, len(counts))


def blocks_of(counts: Sequence[int]) -> list[list[int]]:
    """Return the places of equal counts, for ascending counts."""
    return [list(run) for _, run in groupby(range(len(counts)), key=lambda place: counts[place])]
