"""Shortest periodic distances between a set of points, compiled."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

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
    inverse_heights = np.sqrt(np.sum(np.linalg.inv(cell) ** 2, axis=0))
    shortest = np.full((n, n), np.inf)
    for i in range(n):
        for j in range(i, n):
            _, square = nearest_within(scaled, cell, inverse_heights, i, j, cutoff)
            if square < cutoff * cutoff:
                shortest[i, j] = shortest[j, i] = np.sqrt(square)
    return shortest


@njit(cache=True)
def nearest_within(
    scaled: NDArray[np.float64],
    cell: NDArray[np.float64],
    inverse_heights: NDArray[np.float64],
    i: int,
    j: int,
    cutoff: float,
) -> tuple[tuple[float, float, float], float]:
    """Return the shortest vector in Å from atom i to an image of j, and its square.

    Where no image lies within the cutoff, a zero vector and the square of the cutoff.
    ``inverse_heights`` are the inverse distances between the faces of the cell.
    """
    gap0 = scaled[j, 0] - scaled[i, 0]
    gap1 = scaled[j, 1] - scaled[i, 1]
    gap2 = scaled[j, 2] - scaled[i, 2]
    reach0 = cutoff * inverse_heights[0]
    reach1 = cutoff * inverse_heights[1]
    reach2 = cutoff * inverse_heights[2]
    best = cutoff * cutoff
    vector = (0.0, 0.0, 0.0)
    for u in range(ceil(-reach0 - gap0), floor(reach0 - gap0) + 1):
        for v in range(ceil(-reach1 - gap1), floor(reach1 - gap1) + 1):
            for w in range(ceil(-reach2 - gap2), floor(reach2 - gap2) + 1):
                if i == j and u == 0 and v == 0 and w == 0:
                    continue
                a, b, c = gap0 + u, gap1 + v, gap2 + w
                x = a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
                y = a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
                z = a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
                square = x * x + y * y + z * z
                if square < best:
                    best = square
                    vector = (x, y, z)
    return vector, best
