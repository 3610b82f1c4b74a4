"""Minimum distances between elements, from the shortest contacts of known structures."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER, data_rows, element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALLOWANCE = 0.8
"""Minimum distance allowed, relative to the shortest contact of known structures."""

_COVALENT_FACTOR = 0.75
"""Contact of a pair without data, relative to the sum of its covalent radii."""


def shortest_contact(first: int, second: int) -> float:
    """Return the shortest contact in Å that two elements make in known structures.

    The 0.5 % quantile over structures (``data/contacts.csv``); 0.75 of the sum of the covalent
    radii for a pair with too few structures, which is low for nineteen pairs in twenty.

    Parameters
    ----------
    first, second
        Atomic numbers.

    Examples
    --------
    >>> shortest_contact(20, 8) == shortest_contact(8, 20)
    True
    """
    pair = (min(first, second), max(first, second))
    found = _contacts().get(pair)
    if found is not None:
        return found
    return _COVALENT_FACTOR * (element(first).covalent_radius + element(second).covalent_radius)


def minimum_distances(elements: Sequence[int], *, scale: float) -> NDArray[np.float64]:
    """Return the minimum distance in Å for every pair of the given elements.

    It is 0.8 of the shortest contact of known structures, which 99.8 % of those respect, all
    their pairs together (``benchmarks/fit_contacts.py``).

    Parameters
    ----------
    elements
        Atomic numbers.
    scale
        Factor on the minimum distances.

    Returns
    -------
    ndarray of float64, shape (104, 104)
        Indexed by two atomic numbers, 0 for elements that are not given.
    """
    table = np.zeros((MAX_NUMBER + 1, MAX_NUMBER + 1))
    for first in elements:
        for second in elements:
            table[first, second] = scale * ALLOWANCE * shortest_contact(first, second)
    return table


@cache
def _contacts() -> dict[tuple[int, int], float]:
    return {
        (element(row["first"]).number, element(row["second"]).number): float(row["distance_A"])
        for row in data_rows("contacts.csv")
    }
