"""Energies of one tier, made comparable between compositions."""

from __future__ import annotations

from bisect import insort

import numpy as np

FIRST = 100
"""Energies that set the scale; it does not change after them."""

LARGEST = 5.0
"""Limit of the normalised energy: a single exploded structure must not rule a policy."""


class Normaliser:
    """Mean and standard deviation of the first energies, and the highest tenth of all."""

    def __init__(self) -> None:
        self._first: list[float] = []
        self._sorted: list[float] = []
        self._mean, self._spread = 0.0, 0.0

    def add(self, energy: float) -> None:
        """Take note of an energy in eV/atom."""
        insort(self._sorted, energy)
        if len(self._first) < FIRST:
            self._first.append(energy)
            self._mean = float(np.median(self._first))
            low, high = np.percentile(self._first, (15.87, 84.13))
            self._spread = float(high - low) / 2.0

    @property
    def is_ready(self) -> bool:
        """Whether there is a scale."""
        return self._spread > 0.0

    @property
    def high(self) -> float:
        """Mean of the highest tenth of all energies, in eV/atom."""
        count = max(len(self._sorted) // 10, 1)
        return float(np.mean(self._sorted[-count:]))

    def of(self, energy: float) -> float:
        """Return the normalised energy."""
        return float(np.clip((energy - self._mean) / self._spread, -LARGEST, LARGEST))
