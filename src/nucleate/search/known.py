"""What a search has seen: starting geometries and minima, with their enthalpies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.search.minima import NEAR_DISTANCE, SAME_ENTHALPY, is_same_minimum

if TYPE_CHECKING:
    import numpy as np

    from nucleate.search.record import Record
    from nucleate.search.search import Trial

PRECISION = 1e-5
"""eV/atom; smaller differences of enthalpy are none."""


class Known:
    """Recognises repeated starts and minima, and compares enthalpies.

    Parameters
    ----------
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    """

    def __init__(self, tiers: tuple[str, ...]) -> None:
        self._tiers = tiers
        self._starts = KnownCrystals()
        self._minima = KnownCrystals()
        self._enthalpies: dict[int, dict[str, float]] = {}

    def repeats(self, print_: np.ndarray) -> int | None:
        """Return the first record with this starting geometry or minimum; None if there is none."""
        seen = self._starts.matches(print_) | self._minima.matches(print_)
        return min(seen) if seen else None

    def add_start(self, trial: Trial) -> None:
        """Remember the geometry of a trial."""
        self._starts.add_crystal(trial.number, trial.candidate.crystal)

    def add(self, record: Record) -> int | None:
        """Remember a minimum; return the record that it repeats, if any."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return None
        self._enthalpies[record.number] = record.enthalpies()
        print_ = fingerprint(relaxed.crystal)
        value = (self._tiers.index(tier), relaxed.enthalpy_per_atom)
        near = self._minima.matches(
            print_, within=NEAR_DISTANCE, value=value, value_within=SAME_ENTHALPY
        )
        for known, distance in near.items():
            difference = self.difference(record, known)
            if difference is not None and is_same_minimum(distance, difference):
                return known
        self._minima.add(record.number, print_, value=value)
        return None

    def add_again(self, record: Record, duplicate_of: int | None) -> None:
        """Remember a minimum of which it is known from before whether it repeats another."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return
        self._enthalpies[record.number] = record.enthalpies()
        if duplicate_of is None:
            value = (self._tiers.index(tier), relaxed.enthalpy_per_atom)
            self._minima.add_crystal(record.number, relaxed.crystal, value=value)

    def difference(self, record: Record, other: int) -> float | None:
        """Return the enthalpy less that of another record, in eV/atom, on their last common tier.

        None where they have no tier in common.
        """
        ours, theirs = self._enthalpies.get(record.number, {}), self._enthalpies.get(other, {})
        for tier in reversed(self._tiers):
            if tier in ours and tier in theirs:
                return ours[tier] - theirs[tier]
        return None

    def is_better(self, record: Record, best: Record | None) -> bool:
        """Return whether a record is lower than another; a higher tier always is."""
        if record.tier is None:
            return False
        if best is None or best.tier is None:
            return True
        ours, theirs = (self._tiers.index(tier) for tier in (record.tier, best.tier))
        if ours != theirs:
            return ours > theirs
        difference = self.difference(record, best.number)
        return difference is not None and difference < -PRECISION
