"""What a search has seen: starting geometries and minima, with their enthalpies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.search.minima import NEAR_DISTANCE, SAME_ENTHALPY, is_same_minimum

if TYPE_CHECKING:
    from nucleate.search.record import Record

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
        self._enthalpies = _Enthalpies(len(tiers))

    def repeats(self, print_: np.ndarray) -> int | None:
        """Return the first record with this starting geometry or minimum; None if there is none."""
        seen = self._starts.matches(print_) | self._minima.matches(print_)
        return min(seen) if seen else None

    def add_start(self, number: int, print_: np.ndarray | bytes) -> bytes:
        """Remember the starting geometry of a trial; return its packed fingerprint."""
        return self._starts.add(number, print_)

    def add(self, record: Record) -> tuple[int | None, bytes]:
        """Remember a minimum.

        Returns
        -------
        tuple of int or None, bytes
            The record that it repeats, if any, else its packed fingerprint.
        """
        place = self._place(record)
        if place is None:
            return None, b""
        print_ = fingerprint(record.crystal)
        near = self._minima.matches(
            print_, within=NEAR_DISTANCE, value=place, value_within=SAME_ENTHALPY
        )
        for known, distance in near.items():
            difference = self.difference(record, known)
            if difference is not None and is_same_minimum(distance, difference):
                return known, b""
        return None, self._minima.add(record.number, print_, value=place)

    def add_again(self, record: Record, duplicate_of: int | None, packed: bytes) -> bytes:
        """Remember a minimum of which it is known from before whether it repeats another.

        ``packed`` is its fingerprint from then; where that is empty it is computed again. Returns
        the fingerprint, empty where none is kept.
        """
        place = self._place(record)
        if place is None or duplicate_of is not None:
            return b""
        print_ = packed or fingerprint(record.crystal)
        return self._minima.add(record.number, print_, value=place)

    def _place(self, record: Record) -> tuple[int, float] | None:
        """Note the enthalpies of a record; return its last tier and the enthalpy there."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return None
        self._enthalpies.note(record.number, self._on_tiers(record))
        return self._tiers.index(tier), relaxed.enthalpy_per_atom

    def _on_tiers(self, record: Record) -> list[float]:
        found = record.enthalpies()
        return [found.get(tier, np.nan) for tier in self._tiers]

    def difference(self, record: Record, other: int) -> float | None:
        """Return the enthalpy less that of another record, in eV/atom, on their last common tier.

        None where they have no tier in common.
        """
        gaps = np.array(self._on_tiers(record)) - self._enthalpies.of(other)
        common = gaps[~np.isnan(gaps)]
        return float(common[-1]) if common.size else None

    def gap(self, number: int, other: int) -> float | None:
        """Return the enthalpy of one record less that of another, as :meth:`difference`."""
        gaps = self._enthalpies.of(number) - self._enthalpies.of(other)
        common = gaps[~np.isnan(gaps)]
        return float(common[-1]) if common.size else None

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


class _Enthalpies:
    """The enthalpies of the records on each tier, NaN where a tier gave none."""

    def __init__(self, n_tiers: int) -> None:
        self._values = np.empty((0, n_tiers))
        self._places: dict[int, int] = {}

    def note(self, number: int, values: list[float]) -> None:
        place = self._places.setdefault(number, len(self._places))
        if place == len(self._values):
            more = np.empty((max(64, 2 * place), self._values.shape[1]))
            more[:place] = self._values
            self._values = more
        self._values[place] = values

    def of(self, number: int) -> np.ndarray:
        place = self._places.get(number)
        return np.full(self._values.shape[1], np.nan) if place is None else self._values[place]
