"""Small matrices without the overhead of BLAS and LAPACK; import where needed (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def eigensystem(matrix):
    """Return eigenvalues and eigenvectors (columns) of a symmetric 3 x 3 matrix, in any order.

    Cyclic Jacobi rotations: several times faster here than a call of LAPACK.
    """
    a, vectors = matrix.copy(), np.eye(3)
    for _ in range(30):
        size = a[0, 0] ** 2 + a[1, 1] ** 2 + a[2, 2] ** 2
        rest = a[0, 1] ** 2 + a[0, 2] ** 2 + a[1, 2] ** 2
        if rest <= 1e-32 * size or rest == 0.0 or not np.isfinite(rest):
            break
        for p, q in ((0, 1), (0, 2), (1, 2)):
            if a[p, q] != 0.0:
                _rotate(a, vectors, p, q)
    return np.array([a[0, 0], a[1, 1], a[2, 2]]), vectors


@njit(cache=True, nogil=True)
def _rotate(a, vectors, p, q):
    """Make an element of a symmetric matrix zero by a rotation, and take the rotation down."""
    theta = 0.5 * (a[q, q] - a[p, p]) / a[p, q]
    t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
    if theta < 0.0:
        t = -t
    c = 1.0 / np.sqrt(t * t + 1.0)
    s = t * c
    for k in range(3):
        a[k, p], a[k, q] = c * a[k, p] - s * a[k, q], s * a[k, p] + c * a[k, q]
    for k in range(3):
        a[p, k], a[q, k] = c * a[p, k] - s * a[q, k], s * a[p, k] + c * a[q, k]
    for k in range(3):
        v, w = vectors[k, p], vectors[k, q]
        vectors[k, p], vectors[k, q] = c * v - s * w, s * v + c * w


@njit(cache=True, nogil=True)
def of_eigensystem(values, vectors):
    """Return ``vectors diag(values) vectors^T``."""
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                out[i, j] += vectors[i, k] * values[k] * vectors[j, k]
    return out


@njit(cache=True, nogil=True)
def times3(rows, matrix):
    """Return ``rows @ matrix`` for a 3 x 3 matrix, without the overhead of BLAS."""
    out = np.empty((rows.shape[0], 3))
    for i in range(rows.shape[0]):
        x, y, z = rows[i, 0], rows[i, 1], rows[i, 2]
        for k in range(3):
            out[i, k] = x * matrix[0, k] + y * matrix[1, k] + z * matrix[2, k]
    return out
