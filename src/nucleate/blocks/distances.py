"""Shortest periodic distances between a set of points, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.crystal.images import adjacent_cells, is_beyond, nearest_image, reach_of
from nucleate.crystal.lattice import inverse_of, reduce_lattice

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
    # Writable copies: one compiled version serves frozen and raw arrays.
    return _shortest_distances(
        np.array(scaled, dtype=np.float64, order="C"),
        np.array(cell, dtype=np.float64, order="C"),
        float(cutoff),
    )


@njit(cache=True)
def _shortest_distances(
    scaled: NDArray[np.float64], cell: NDArray[np.float64], cutoff: float
) -> NDArray[np.float64]:
    n = scaled.shape[0]
    reduced, change = reduce_lattice(cell)
    fractions = scaled @ inverse_of(change)
    cells = adjacent_cells(reduced)
    unit, own = reach_of(reduced, 1.0), (reduced[0] ** 2).sum()
    shortest = np.full((n, n), np.inf)
    for i in range(n):
        if own < cutoff * cutoff:
            shortest[i, i] = np.sqrt(own)
        for j in range(i):
            gap0 = fractions[j, 0] - fractions[i, 0]
            gap1 = fractions[j, 1] - fractions[i, 1]
            gap2 = fractions[j, 2] - fractions[i, 2]
            if is_beyond(unit, gap0, gap1, gap2, cutoff):
                continue
            square = nearest_image(reduced, cells, gap0, gap1, gap2)[3]
            if square < cutoff * cutoff:
                shortest[i, j] = shortest[j, i] = np.sqrt(square)
    return shortest
