"""Is it done? The chance that a lower minimum was missed, from how often the low ones were found.

Capture and recapture: a minimum is an animal, a find of it a capture. The finds of the 20 lowest
minima are counted. Each is supposed to be found at random times, at a rate of its own that is
drawn from a gamma distribution whose mean changes exponentially with the rank, as low minima are
often easier to find than high ones. The counts then have negative binomial distributions without
their zero class (Fisher, Corbet and Williams, J. Anim. Ecol. 12, 42, 1943). The parameters are
integrated over a grid. The chance that there is a lower minimum, never found, is the weight of the
zero class at the rank of the lowest.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import MOVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

LOWEST = 20
"""Minima whose finds are counted."""

SLOPE = 2.0
"""Standard deviation of the prior of the change of ln(finds) over these ranks."""

OLDEST = 1000
"""Generations of ancestors that are looked at."""


@dataclass(frozen=True, slots=True)
class Missed:
    """The chance that a lower minimum was missed.

    Attributes
    ----------
    chance : float
        Its mean.
    low, high : float
        Between these it lies with 95 % probability.
    minima, finds, once : int
        Low minima, how often they were found in all, and how many were found once only.
    """

    chance: float
    low: float
    high: float
    minima: int
    finds: int
    once: int

    def in_words(self) -> str:
        """Return it as a sentence."""
        percent = [_percent(value) for value in (self.chance, self.low, self.high)]
        return (
            f"chance that a lower minimum was missed: {percent[0]} (95 %: {percent[1]} to "
            f"{percent[2]}), from {self.finds} finds of the {self.minima} lowest minima, "
            f"{self.once} of them found once"
        )


@cache
def _renewing() -> frozenset[str]:
    from nucleate.moves.table import MOVES

    return frozenset(f"{MOVE}{move.name}" for move in MOVES if move.renews)


def lineage(source: str, parents: Sequence[int]) -> tuple[int, ...]:
    """Return the records that a candidate is made from: none for a move that only replaces."""
    return () if source in _renewing() else tuple(parents)


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f} %" if value < 0.1 else f"{100.0 * value:.0f} %"


class Finds:
    """How often each minimum was found, independently of the finds before.

    A record that ends in a minimum from which it descends is no find: moves often lead back to
    where they began. A candidate that was not relaxed because its start was known counts as a
    find of what that ended in.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._order: list[tuple[int, float, int]] = []
        self._roots: dict[int, int] = {}
        self._parents: dict[int, tuple[int, ...]] = {}
        self._missed: Missed | None = None

    def add(
        self,
        number: int,
        parents: Sequence[int],
        place: tuple[int, float] | None,
        duplicate_of: int | None,
    ) -> None:
        """Take note of a record.

        Parameters
        ----------
        number
            Of the record.
        parents
            Records that it is made from; empty for a new structure.
        place
            Tier and enthalpy in eV/atom of the last tier that gave one; None where none did.
        duplicate_of
            The record that it repeats, at the start or as relaxed.
        """
        root = number if duplicate_of is None else self._roots.get(duplicate_of)
        if parents:
            self._parents[number] = tuple(parents)
        if root is None or (duplicate_of is None and place is None):
            return
        self._roots[number] = root
        if duplicate_of is None and place is not None:
            insort(self._order, (-place[0], place[1], number))
        elif self._descends(number, root):
            return
        self._counts[root] += 1
        self._missed = None

    def _descends(self, number: int, root: int) -> bool:
        """Return whether a record descends from one that ended in a minimum."""
        seen: set[int] = set()
        waiting = list(self._parents.get(number, ()))
        while waiting and len(seen) < OLDEST:
            one = waiting.pop()
            if one in seen:
                continue
            if self._roots.get(one) == root:
                return True
            seen.add(one)
            waiting += self._parents.get(one, ())
        return False

    def counts(self) -> list[int]:
        """Return how often each of the lowest minima was found, the lowest first."""
        return [self._counts[number] for _, _, number in self._order[:LOWEST]]

    def missed(self) -> Missed | None:
        """Return the chance that a lower minimum was missed; None before the first find."""
        if self._missed is None and self._order:
            self._missed = chance_of_missing(self.counts())
        return self._missed


def chance_of_missing(counts: Iterable[int]) -> Missed:
    """Return the chance that the lowest minimum is one that was never found.

    Parameters
    ----------
    counts
        How often each low minimum was found, the lowest first; positive, at least one.

    Returns
    -------
    Missed
        Mean and central 95 % of the posterior. The priors are flat in the logarithms of the mean
        number of finds of the lowest minimum (0.02 to 1000) and of the shape of the distribution
        of rates (0.3 to 30), and normal in the logarithm of the change of the mean over 20 ranks,
        with the standard deviation 2.
    """
    found = np.fromiter(counts, dtype=np.int64)
    zero, weights = _posterior(found)
    order = np.argsort(zero)
    grown = np.cumsum(weights[order])
    low, high = (
        zero[order][min(int(np.searchsorted(grown, level)), zero.size - 1)]
        for level in (0.025, 0.975)
    )
    return Missed(
        chance=float(weights @ zero),
        low=float(low),
        high=float(high),
        minima=int(found.size),
        finds=int(found.sum()),
        once=int((found == 1).sum()),
    )


@cache
def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return shapes, means and slopes of the grid, each of shape (n_points,)."""
    axes = np.geomspace(0.3, 30.0, 8), np.geomspace(0.02, 1000.0, 40), np.linspace(-5.0, 5.0, 15)
    shape, mean, slope = np.meshgrid(*axes)
    return shape.ravel(), mean.ravel(), slope.ravel()


def _posterior(found: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight of the zero class of the lowest rank, and the weight of each point."""
    from scipy.special import gammaln  # takes long to load, and few commands need it

    shape, mean, slope = _grid()
    logs = -0.5 * (slope / SLOPE) ** 2
    base = gammaln(shape)
    for rank, count in enumerate(found.tolist()):
        here = np.maximum(mean * np.exp(-slope * rank / LOWEST), 1e-6)
        zero = -shape * np.log1p(here / shape)
        logs += gammaln(count + shape) - base + zero - np.log(-np.expm1(zero))
        logs += count * (np.log(here) - np.log(shape + here))
    weights = np.exp(logs - logs.max())
    return np.exp(-shape * np.log1p(mean / shape)), weights / weights.sum()
