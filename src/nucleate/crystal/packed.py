"""Fingerprints in 8 bits per value, as they are remembered in memory and in a store.

The values of a shape are never negative; each is kept as a whole number of 255ths of the largest.
That changes a distance by 0.01 at most, and fits four fingerprints into the room of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS = 255.0


def pack(print_: NDArray[np.float32]) -> bytes:
    """Return a fingerprint in short: its head, the size of a level, and a byte for each value."""
    head = _head_size(print_)
    shape = print_[head:]
    level = np.float32(max(float(shape.max(initial=0.0)), 1e-30) / _LEVELS)
    codes = np.rint(shape / level).clip(0.0, _LEVELS).astype(np.uint8)
    return np.append(print_[:head], level).astype("<f4").tobytes() + codes.tobytes()


def unpack(row: bytes) -> tuple[NDArray[np.float32], float, NDArray[np.uint8]]:
    """Return head, size of a level and codes of what :func:`pack` made.

    The head holds the number of elements, their atomic numbers and fractions, and the logarithm
    of the volume per atom.

    Raises
    ------
    ValueError
        If it is nothing of the kind.
    """
    kinds = float(np.frombuffer(row, "<f4", 1)[0]) if len(row) > 4 else 0.0
    if not 1 <= kinds <= 200 or len(row) != 12 + 8 * kinds + 25 * kinds * (kinds + 1):
        raise ValueError("this is no packed fingerprint")
    head = 2 + 2 * int(kinds)
    numbers = np.frombuffer(row, "<f4", head + 1)
    codes = np.frombuffer(row, np.uint8, offset=4 * head + 4)
    return numbers[:head], float(numbers[head]), codes


def _head_size(print_: NDArray[np.float32]) -> int:
    return 2 + 2 * int(print_[0])
