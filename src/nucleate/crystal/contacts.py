"""Least distances between elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER, element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def minimum_distances(elements: Sequence[int], *, scale: float = 1.0) -> NDArray[np.float64]:
    """Return the least distance in Å for every pair of the given elements.

    Parameters
    ----------
    elements
        Atomic numbers.
    scale
        Factor on the tabulated distances.

    Returns
    -------
    ndarray of float64, shape (104, 104)
        Indexed by two atomic numbers, 0 for elements that are not given.
    """
    table = np.zeros((MAX_NUMBER + 1, MAX_NUMBER + 1))
    for first in elements:
        for second in elements:
            radii = element(first).covalent_radius + element(second).covalent_radius
            table[first, second] = 0.6 * radii * scale
    return table
