"""Volumes of candidates, relative to those of known compounds."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.crystal.elements import element
from nucleate.crystal.volumes import expected_volume

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def volume_ratio(new: NDArray[np.integer], old: NDArray[np.integer]) -> float:
    """Return the ratio of the expected volumes of two lists of atomic numbers."""
    return _expected(new) / _expected(old)


def _expected(numbers: NDArray[np.integer]) -> float:
    return _expected_of(frozenset(Counter(numbers.tolist()).items()))


@lru_cache(maxsize=4096)
def _expected_of(amounts: frozenset[tuple[int, int]]) -> float:
    return expected_volume({element(z).symbol: count for z, count in amounts})
