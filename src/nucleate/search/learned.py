"""What random searches learn from their lowest structures: minimum separations and a volume."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import neighbour_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.search.record import Record

    Place = tuple[int, float, int]
    """Tier, counted downwards from 0, enthalpy in eV/atom, number."""

REACH_ANG = 6.0
"""Å; separations above this are not learned."""


class Learned:
    """The shortest separations and the volume of the few lowest distinct structures.

    Parameters
    ----------
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    elements : tuple of int
        Atomic numbers, in the order of the rows of the separations.
    size : int
        From how many structures to learn.
    """

    def __init__(self, tiers: tuple[str, ...], elements: tuple[int, ...], size: int) -> None:
        self._tiers = tiers
        self._elements = elements
        self._size = size
        self._lowest: list[tuple[Place, NDArray[np.float64], float]] = []

    def add(self, record: Record) -> bool:
        """Take note of a new minimum; return whether anything was learned."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return False
        place = -self._tiers.index(tier), relaxed.enthalpy_per_atom, record.number
        if len(self._lowest) == self._size and place > self._lowest[-1][0]:
            return False
        crystal = relaxed.crystal
        found = separations(crystal, self._elements), crystal.volume_per_atom
        insort(self._lowest, (place, *found), key=lambda item: item[0])
        del self._lowest[self._size :]
        return True

    @property
    def separations(self) -> NDArray[np.float64]:
        """Shortest separations in Å in any of the structures; 0 for pairs that are far apart."""
        return np.min([item[1] for item in self._lowest], axis=0)

    @property
    def volume_per_atom(self) -> float:
        """Volume of the lowest in Å³."""
        return self._lowest[0][2]


def separations(crystal: Crystal, elements: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the shortest separation of each pair of elements in Å, 0 where above `REACH_ANG`."""
    i, j, _, distances = neighbour_pairs(crystal, REACH_ANG)
    shortest = np.full((len(elements), len(elements)), np.inf)
    order = np.argsort(elements)
    kinds = order[np.searchsorted(np.array(elements)[order], crystal.numbers)]
    np.minimum.at(shortest, (kinds[i], kinds[j]), distances)
    return np.where(np.isfinite(shortest), shortest, 0.0)
