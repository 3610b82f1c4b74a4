"""The lowest distinct structures of each size, which attract the particles."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

    Place = tuple[int, float, int]
    """Tier, counted downwards from 0, enthalpy in eV/atom, number."""

KEPT_PER_PLACE = 5
"""Structures that are remembered for each attractor."""


class Attractors:
    """The lowest structures of each number of atoms that are distinct by their fingerprints.

    Parameters
    ----------
    count : int
        How many of each size.
    diversity : float
        Least fingerprint distance between two of them.
    """

    def __init__(self, count: int, diversity: float) -> None:
        self._count = count
        self._diversity = diversity
        self._known: dict[int, list[tuple[Place, Crystal, np.ndarray]]] = {}

    def add(self, crystal: Crystal, place: Place) -> None:
        """Take note of a new minimum."""
        known = self._known.setdefault(crystal.n_atoms, [])
        insort(known, (place, crystal, fingerprint(crystal)), key=lambda item: item[0])
        del known[KEPT_PER_PLACE * self._count :]

    def lowest(self, n_atoms: int) -> tuple[int, Crystal] | None:
        """Return number and crystal of the lowest structure of a size; None where there is none."""
        known = self._known.get(n_atoms)
        return (known[0][0][2], known[0][1]) if known else None

    def nearest(self, crystal: Crystal) -> tuple[int, Crystal] | None:
        """Return the attractor of its size that is most like a crystal, if it can be another."""
        chosen = self._distinct(crystal.n_atoms)
        if not chosen:
            return None
        own = fingerprint(crystal)
        gaps = np.array([fingerprint_distance(own, print_) for _, _, print_ in chosen])
        others = np.where(gaps < self._diversity, np.inf, gaps)
        number, found, _ = chosen[int(np.argmin(others if np.isfinite(others).any() else gaps))]
        return number, found

    def _distinct(self, n_atoms: int) -> list[tuple[int, Crystal, np.ndarray]]:
        chosen: list[tuple[int, Crystal, np.ndarray]] = []
        for place, crystal, print_ in self._known.get(n_atoms, []):
            gaps = (fingerprint_distance(print_, other) for _, _, other in chosen)
            if all(gap >= self._diversity for gap in gaps):
                chosen.append((place[2], crystal, print_))
            if len(chosen) == self._count:
                break
        return chosen
