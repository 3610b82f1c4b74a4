"""Crystals that have been seen, found again by their fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, fingerprint_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray


class KnownCrystals:
    """A growing stack of fingerprints, each under the number of its record."""

    def __init__(self) -> None:
        self._rows = np.empty((0, 0), dtype=np.float32)
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, print_: NDArray[np.float32]) -> None:
        """Remember a fingerprint."""
        size = len(self._numbers)
        if size == len(self._rows):
            rows = np.empty((max(64, 2 * size), print_.size), dtype=np.float32)
            if size:
                rows[:size] = self._rows
            self._rows = rows
        self._rows[size] = print_
        self._numbers.append(number)

    def matches(
        self, print_: NDArray[np.float32], *, within: float = DUPLICATE_DISTANCE
    ) -> dict[int, float]:
        """Return the fingerprint distance of every record nearer than ``within``, by number."""
        distances = fingerprint_distances(print_, self._rows[: len(self._numbers)])
        near = np.flatnonzero(distances < within)
        return dict(sorted((self._numbers[i], float(distances[i])) for i in near))
