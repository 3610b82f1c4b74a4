"""Atoms held fixed along some lattice vectors: projectors onto what may move (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def free_projectors(cell, free):
    """Return for each atom the projector onto the directions in which it may move.

    Parameters
    ----------
    cell : ndarray, shape (3, 3)
        Rows are the lattice vectors.
    free : ndarray of bool, shape (n_atoms, 3)
        Fractional coordinates that may change.

    Returns
    -------
    ndarray, shape (n_atoms, 3, 3)
        Symmetric; onto the span of the lattice vectors of the free coordinates.
    """
    out = np.zeros((free.shape[0], 3, 3))
    axes = np.empty((3, 3))
    for i in range(free.shape[0]):
        found = 0
        for k in range(3):
            if not free[i, k]:
                continue
            axes[found] = cell[k]
            for m in range(found):
                axes[found] -= np.dot(axes[m], cell[k]) * axes[m]
            axes[found] /= np.sqrt(np.dot(axes[found], axes[found]))
            found += 1
        for m in range(found):
            for a in range(3):
                for b in range(3):
                    out[i, a, b] += axes[m, a] * axes[m, b]
    return out


@njit(cache=True, nogil=True)
def free_forces(forces, cell, free):
    """Return the part of the forces along the fractional coordinates that may change."""
    return projected(forces, free_projectors(cell, free))


@njit(cache=True, nogil=True)
def projected(rows, projectors):
    """Return each row times the projector of its atom."""
    out = np.empty_like(rows)
    for i in range(rows.shape[0]):
        for a in range(3):
            out[i, a] = (
                rows[i, 0] * projectors[i, 0, a]
                + rows[i, 1] * projectors[i, 1, a]
                + rows[i, 2] * projectors[i, 2, a]
            )
    return out
