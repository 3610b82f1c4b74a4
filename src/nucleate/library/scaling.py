"""Volumes of candidates, relative to those of known compounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element
from nucleate.crystal.volumes import expected_volume

if TYPE_CHECKING:
    from numpy.typing import NDArray


def volume_ratio(new: NDArray[np.integer], old: NDArray[np.integer]) -> float:
    """Return the ratio of the expected volumes of two lists of atomic numbers."""
    return _expected(new) / _expected(old)


def _expected(numbers: NDArray[np.integer]) -> float:
    kinds, counts = np.unique(numbers, return_counts=True)
    return expected_volume(
        {element(int(z)).symbol: int(n) for z, n in zip(kinds, counts, strict=True)}
    )
