"""Crystals that have been seen, found again by their fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import (
    DUPLICATE_DISTANCE,
    VOLUME_WEIGHT,
    fingerprint,
    fingerprint_distances,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

_MARGIN = 1e-4
"""Relative room for rounding in the bounds that spare distances."""

NO_VALUE = (-1, 0.0)


class KnownCrystals:
    """A growing stack of fingerprints, each under the number of its record.

    Volumes and norms of the shapes bound a distance from below, and a value of one's own (an
    enthalpy) may rule others out, so only few distances are computed. A crystal may be added
    without its fingerprint, which is then computed when something comes near.
    """

    def __init__(self) -> None:
        self._rows = np.empty((0, 0), dtype=np.float32)
        self._keys = np.empty((4, 0))  # ln(volume), norm (NaN: no fingerprint yet), group, value
        self._numbers: list[int] = []
        self._later: dict[int, Crystal] = {}  # by place

    def __len__(self) -> int:
        return len(self._numbers)

    def add(
        self, number: int, print_: NDArray[np.float32], *, value: tuple[int, float] = NO_VALUE
    ) -> None:
        """Remember a fingerprint.

        Parameters
        ----------
        number
            Under which it is found again.
        print_
            The fingerprint.
        value
            A group, and a value that can be compared within the group.
        """
        place = self._new_place(number)
        self._keys[:, place] = *_volume_and_norm(print_), *value
        self._row(print_.size)[place] = print_

    def add_crystal(
        self, number: int, crystal: Crystal, *, value: tuple[int, float] = NO_VALUE
    ) -> None:
        """Remember a crystal, as :meth:`add` does with its fingerprint."""
        place = self._new_place(number)
        self._keys[:, place] = np.log(crystal.volume_per_atom), np.nan, *value
        self._later[place] = crystal

    def matches(
        self,
        print_: NDArray[np.float32],
        *,
        within: float = DUPLICATE_DISTANCE,
        value: tuple[int, float] = NO_VALUE,
        value_within: float = np.inf,
    ) -> dict[int, float]:
        """Return the fingerprint distance of every record nearer than ``within``, by number.

        Those of the same group whose value differs by ``value_within`` or more are left out.
        """
        size = len(self._numbers)
        volume, norm = _volume_and_norm(print_)
        volumes, norms, groups, values = self._keys[:, :size]
        limit = within * (1.0 + _MARGIN) + _MARGIN
        near = np.abs(volumes - volume) < limit / VOLUME_WEIGHT
        if np.isfinite(value_within):
            near &= (groups != value[0]) | (np.abs(values - value[1]) < value_within)
        places = np.flatnonzero(near)
        if self._later:
            self._fill(places[np.isnan(norms[places])])
        others = norms[places]
        places = places[np.square(others - norm) < limit**2 * 0.5 * (np.square(others) + norm**2)]
        if not places.size:
            return {}
        distances = fingerprint_distances(print_, self._row(print_.size)[places])
        found = zip(places[distances < within], distances[distances < within], strict=True)
        return dict(sorted((self._numbers[i], float(distance)) for i, distance in found))

    def _new_place(self, number: int) -> int:
        place = len(self._numbers)
        if place == self._keys.shape[1]:
            keys = np.empty((4, max(64, 2 * place)))
            keys[:, :place] = self._keys
            self._keys = keys
        self._numbers.append(number)
        return place

    def _row(self, size: int) -> NDArray[np.float32]:
        """Return the fingerprints, with room for all places."""
        have, places = len(self._rows), self._keys.shape[1]
        if have < places:
            rows = np.zeros((places, size), dtype=np.float32)
            if have:
                rows[:have] = self._rows
            self._rows = rows
        return self._rows

    def _fill(self, places: NDArray[np.int64]) -> None:
        for place in places.tolist():
            print_ = fingerprint(self._later.pop(place))
            self._keys[:2, place] = _volume_and_norm(print_)
            self._row(print_.size)[place] = print_


def _volume_and_norm(print_: NDArray[np.float32]) -> tuple[float, float]:
    head = 2 * int(print_[0]) + 1
    return float(print_[head]), float(np.linalg.norm(print_[head + 1 :].astype(np.float64)))
