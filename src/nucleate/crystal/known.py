"""Crystals that have been seen, found again by their fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, VOLUME_WEIGHT
from nucleate.crystal.packed import pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_VALUE = (-1, 0.0)

N_MARKS = 8
"""Projections of each shape, onto the directions in which those seen differ most."""

ORIENT_AT = (128, 2048, 32768)
"""Sizes at which the directions are found again."""

_SAMPLE = 512


class KnownCrystals:
    """A growing stack of packed fingerprints, each under the number of its record.

    A value of one's own (an enthalpy) may rule others out.
    """

    def __init__(self) -> None:
        self._size = 0
        self._numbers = np.empty(0, dtype=np.int64)
        self._keys = np.empty((0, 5))
        self._heads = np.empty((0, 0), dtype=np.float32)
        self._codes = np.empty((0, 0), dtype=np.uint8)
        self._marks = np.empty((0, N_MARKS), dtype=np.float32)
        self._directions: NDArray[np.float32] | None = None  # shape (n_values, n_marks)

    def __len__(self) -> int:
        return self._size

    def add(
        self,
        number: int,
        print_: NDArray[np.float32] | bytes,
        *,
        value: tuple[int, float] = NO_VALUE,
    ) -> bytes:
        """Remember a fingerprint.

        Parameters
        ----------
        number
            Under which it is found again.
        print_
            The fingerprint, or what :func:`~nucleate.crystal.packed.pack` made of it.
        value
            A group, and a value that can be compared within the group.

        Returns
        -------
        bytes
            The packed fingerprint.
        """
        row = print_ if isinstance(print_, bytes) else pack(print_)
        head, level, codes = unpack(row)
        place = self._new_place(head.size - 1, codes.size)
        self._numbers[place] = number
        norm = level * np.linalg.norm(codes.astype(np.float64))
        self._keys[place] = float(head[-1]), norm, level, *value
        self._heads[place] = head[:-1]
        self._codes[place] = codes
        if self._directions is not None:
            self._marks[place] = level * (codes.astype(np.float32) @ self._directions)
        if self._size in ORIENT_AT:
            self._orient()
        return row

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
        from nucleate.crystal.near import near_rows

        head, shape = _parts(print_)
        if not self._size or shape.size != self._codes.shape[1]:
            return {}
        mark = np.zeros(0) if self._directions is None else shape @ self._directions
        places, distances = near_rows(
            self._keys, self._marks, self._codes, self._size, shape, mark, float(head[-1]),
            float(np.linalg.norm(shape)), VOLUME_WEIGHT, within, float(value[0]), value[1],
            value_within,
        )  # fmt: skip
        if not len(places):
            return {}
        same = np.all(np.abs(self._heads[places] - head[:-1]) < 1e-4, axis=1)
        numbers = self._numbers[places[same]].tolist()
        return dict(sorted(zip(numbers, distances[same].tolist(), strict=True)))

    def _orient(self) -> None:
        """Find the directions in which the shapes differ most, and the marks of all.

        They decide only how many comparisons are spared.
        """
        sample = self._shapes(np.linspace(0, self._size - 1, _SAMPLE).astype(int))
        _, _, rows = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
        self._directions = np.ascontiguousarray(rows[:N_MARKS].T)
        if self._directions.shape[1] < N_MARKS:
            self._directions = None
            return
        for first in range(0, self._size, _SAMPLE):
            places = np.arange(first, min(first + _SAMPLE, self._size))
            self._marks[places] = self._shapes(places) @ self._directions

    def _shapes(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        levels = self._keys[places, 2, None].astype(np.float32)
        return levels * self._codes[places]

    def _new_place(self, head: int, values: int) -> int:
        place, room = self._size, len(self._numbers)
        if place == room:
            more = max(64, 2 * room)
            self._numbers = _grown(self._numbers, (more,))
            self._keys = _grown(self._keys, (more, 5))
            self._heads = _grown(self._heads, (more, head))
            self._codes = _grown(self._codes, (more, values))
            self._marks = _grown(self._marks, (more, N_MARKS))
        self._size += 1
        return place


def _parts(print_: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    head = 2 + 2 * int(print_[0])
    return print_[:head], print_[head:].astype(np.float64)


def _grown(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    new = np.empty(shape, dtype=array.dtype)
    if len(array):
        new[: len(array)] = array
    return new
