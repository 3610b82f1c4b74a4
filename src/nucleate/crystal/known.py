"""Crystals that have been seen, found again by their fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import (
    DUPLICATE_DISTANCE,
    VOLUME_WEIGHT,
    fingerprint_distances,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MARGIN = 1e-4
"""Relative room for rounding in the bounds that spare distances."""

NO_VALUE = (-1, 0.0)


class KnownCrystals:
    """A growing stack of fingerprints, each under the number of its record.

    Volumes and norms of the shapes bound a distance from below, and a value of one's own (an
    enthalpy) may rule others out, so only few distances are computed.
    """

    def __init__(self) -> None:
        self._rows = np.empty((0, 0), dtype=np.float32)
        self._keys = np.empty((4, 0))  # ln(volume), norm, group, value
        self._numbers: list[int] = []

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
        size = len(self._numbers)
        if size == len(self._rows):
            rows = np.empty((max(64, 2 * size), print_.size), dtype=np.float32)
            keys = np.empty((4, len(rows)))
            if size:
                rows[:size] = self._rows
                keys[:, :size] = self._keys
            self._rows, self._keys = rows, keys
        self._rows[size] = print_
        self._keys[:, size] = *_volume_and_norm(print_), *value
        self._numbers.append(number)

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
        if size == 0 or self._rows.shape[1] != print_.size:
            return {}
        volume, norm = _volume_and_norm(print_)
        volumes, norms, groups, values = self._keys[:, :size]
        limit = within * (1.0 + _MARGIN) + _MARGIN
        near = np.abs(volumes - volume) * VOLUME_WEIGHT < limit
        near &= np.square(norms - norm) < limit**2 * 0.5 * (np.square(norms) + norm**2)
        if np.isfinite(value_within):
            near &= (groups != value[0]) | (np.abs(values - value[1]) < value_within)
        places = np.flatnonzero(near)
        distances = fingerprint_distances(print_, self._rows[places])
        found = zip(places[distances < within], distances[distances < within], strict=True)
        return dict(sorted((self._numbers[i], float(distance)) for i, distance in found))


def _volume_and_norm(print_: NDArray[np.float32]) -> tuple[float, float]:
    head = 2 * int(print_[0]) + 1
    return float(print_[head]), float(np.linalg.norm(print_[head + 1 :].astype(np.float64)))
