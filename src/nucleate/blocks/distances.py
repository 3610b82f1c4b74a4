"""Shortest periodic distances between a set of points, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.crystal.images import ALL, OTHERS, image_table, nearest_image, reach_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def shortest_distances(scaled: ArrayLike, cell: ArrayLike, cutoff: float) -> NDArray[np.float64]:
    """Return the shortest periodic distances between points, right for any cell.

    Parameters
    ----------
    scaled : array_like of float, shape (n, 3)
        Fractional coordinates.
    cell : array_like of float, shape (3, 3)
        Rows are the lattice vectors in Å.
    cutoff : float
        Distances in Å beyond this are returned as infinity.

    Returns
    -------
    ndarray of float64, shape (n, n)
        In Å; on the diagonal the shortest distance of a point to its own images.
    """
    return _shortest_distances(
        np.ascontiguousarray(scaled, dtype=np.float64),
        np.ascontiguousarray(cell, dtype=np.float64),
        float(cutoff),
    )


@njit(cache=True)
def _shortest_distances(
    scaled: NDArray[np.float64], cell: NDArray[np.float64], cutoff: float
) -> NDArray[np.float64]:
    n = scaled.shape[0]
    unit = reach_of(cell, 1.0)
    reach = unit * cutoff
    table = image_table(reach)
    shortest = np.full((n, n), np.inf)
    for i in range(n):
        for j in range(i, n):
            gap = scaled[j] - scaled[i]
            which = OTHERS if i == j else ALL
            found = nearest_image(cell, unit, gap[0], gap[1], gap[2], cutoff, which, reach, table)
            if found[3] < cutoff * cutoff:
                shortest[i, j] = shortest[j, i] = np.sqrt(found[3])
    return shortest
