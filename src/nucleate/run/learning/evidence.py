"""What the last candidates say of a surrogate: its errors, and how well it tells them apart."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

WINDOW = 100
"""Candidates that are looked at."""

RISES, LEAST_RISES, LEAST_FAIR = 50, 15, 25
"""Finished structures that are compared; the least number of them that says anything, and that of
candidates that were asked about whatever they seemed to be worth."""

INTEREST_EV = 0.05
"""eV/atom above the best structure, up to which candidates are to be finished."""


@dataclass(frozen=True, slots=True)
class Told:
    """A candidate that was considered.

    Attributes
    ----------
    fit : int
        Of the surrogate.
    surrogate : float or None
        eV/atom at the minimum of the surrogate; None where it is unphysical.
    error : float or None
        eV/atom that the first tier lies above it, there or at the minimum of a finished structure;
        of candidates alone that the tier was asked about whatever they seemed to be worth.
    """

    fit: int
    surrogate: float | None
    error: float | None = None


class Evidence:
    """Takes what becomes of candidates, in the order of their numbers."""

    def __init__(self) -> None:
        self._told: deque[Told] = deque(maxlen=WINDOW)
        self._rises: deque[float] = deque(maxlen=RISES)  # of finished structures
        self.best = np.inf
        """eV/atom, lowest by the first tier."""

    def take(self, told: Told | None, first: float | None) -> None:
        """Take a record: what the surrogate made of it, and the first tier, in eV/atom."""
        if first is not None:
            self.best = min(self.best, first)
        if told is not None:
            self._told.append(told)
            if first is not None and told.surrogate is not None:
                self._rises.append(first - told.surrogate)

    @property
    def unphysical(self) -> float:
        """Share of unphysical minima; 0 while few candidates are known."""
        if len(self._told) < WINDOW // 5:
            return 0.0
        return sum(told.surrogate is None for told in self._told) / len(self._told)

    def error(self) -> float | None:
        """Return the spread in eV/atom of how far finished structures lie above the surrogate."""
        return spread(self._rises) if len(self._rises) >= LEAST_RISES else None

    def correlation(self, after: int) -> float | None:
        """Return the correlation of surrogate and first tier; None while it is not known.

        It is ``sqrt(1 - (error / spread of the candidates)^2)`` with the larger of two errors: of
        the finished structures, and of all those about which the tier was asked whatever they
        seemed to be worth. The first alone would deceive: what the surrogate has chosen has similar
        errors there. The correlation of the finished ones themselves says little, as they are the
        lowest and differ little.

        Parameters
        ----------
        after
            Last fit of a surrogate that was switched off: errors of later ones alone count, for
            which all that were asked about are fair; -1 for one that chooses.
        """
        known = self._surrogate()
        fair = [t.error for t in self._told if t.fit > after and t.error is not None]
        fair = fair[-LEAST_FAIR:] if after < 0 else fair  # the first fits are poor
        ends = list(self._rises) if after < 0 else []
        errors = [
            spread(values)
            for values, least in ((fair, LEAST_FAIR), (ends, LEAST_RISES))
            if len(values) >= least
        ]
        if len(known) < WINDOW // 2 or not errors:
            return None
        among = spread(known)
        return float(np.sqrt(max(1.0 - (max(errors) / among) ** 2, 0.0))) if among else 0.0

    def limits(self) -> tuple[float, float] | None:
        """Return how high what could end near the best may be, in eV/atom.

        By the surrogate at its minimum, and by the first tier there, which has still to relax; None
        while too little is known.
        """
        error = self.error()
        if error is None or len(self._surrogate()) < WINDOW // 2:
            return None
        shift = float(np.median(self._rises))
        highest = self.best + INTEREST_EV + 2.0 * error
        return highest - shift, highest - min(shift, 0.0)

    def share_below(self, limit: float) -> float:
        """Return the share of the candidates whose energy by the surrogate is below a limit."""
        return float(np.mean(np.array(self._surrogate()) < limit))

    def _surrogate(self) -> list[float]:
        return [told.surrogate for told in self._told if told.surrogate is not None]


def spread(values: Collection[float]) -> float:
    """Return a standard deviation that outliers do not change, from the quartiles."""
    low, high = np.percentile(list(values), (25, 75))
    return float(high - low) / 1.349
