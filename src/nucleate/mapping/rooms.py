"""Room for one more atom in a crystal; import where needed (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def rooms(points, cell, scaled, contacts, before):
    """Return the distance of points to the nearest atom in units of the shortest contacts.

    Parameters
    ----------
    points
        Fractional coordinates, (n_points, 3).
    cell
        A reduced cell in Å, rows are the vectors.
    scaled
        Fractional coordinates of the atoms, (n_atoms, 3).
    contacts
        Shortest contact of each atom with the new one in Å, (n_atoms,).
    before
        Rooms with regard to other atoms, (n_points,).

    Returns
    -------
    ndarray of float64, shape (n_points,)
        The smaller of both.
    """
    result = before.copy()
    gap = np.empty(3)
    for p in range(points.shape[0]):
        for atom in range(scaled.shape[0]):
            for k in range(3):
                gap[k] = points[p, k] - scaled[atom, k]
                gap[k] -= np.rint(gap[k])
            least = np.inf
            for i in range(-1, 2):
                for j in range(-1, 2):
                    for m in range(-1, 2):
                        square = 0.0
                        for c in range(3):
                            length = (
                                (gap[0] + i) * cell[0, c]
                                + (gap[1] + j) * cell[1, c]
                                + (gap[2] + m) * cell[2, c]
                            )
                            square += length * length
                        least = min(least, square)
            result[p] = min(result[p], np.sqrt(least) / contacts[atom])
    return result
