"""Reduced lattices; import where needed (numba).

Minkowski reduction by the greedy algorithm of Nguyen and Stehlé, ACM Trans. Algorithms 5, 46,
2009. In a reduced cell the nearest image of a wrapped difference vector lies within one cell in
each direction, and a sphere reaches into as few cells as it can.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def reduce_lattice(cell):
    """Return the Minkowski-reduced cell and the integer matrix H with reduced = H @ cell."""
    basis = cell.copy()
    change = np.eye(3)
    for _ in range(200):
        _sort_rows(basis, change)
        for _ in range(200):
            norm = dot_rows(basis, 0, 0)
            if norm == 0.0:
                break
            factor = np.rint(dot_rows(basis, 0, 1) / norm)
            if factor == 0.0:
                break
            for k in range(3):
                basis[1, k] -= factor * basis[0, k]
                change[1, k] -= factor * change[0, k]
            if dot_rows(basis, 1, 1) < norm:
                _swap_rows(basis, change, 0, 1)
        if not _shorten_third(basis, change):
            break
    _sort_rows(basis, change)
    return _product(change, cell), change


@njit(cache=True, nogil=True)
def reduced_frame(cell, scaled):
    """Return the reduced cell and the fractional coordinates in it, wrapped to [0, 1)."""
    reduced, change = reduce_lattice(cell)
    inverse = inverse_of(change)
    fractions = np.empty_like(scaled)
    for i in range(scaled.shape[0]):
        for k in range(3):
            value = 0.0
            for m in range(3):
                value += (scaled[i, m] - np.floor(scaled[i, m])) * inverse[m, k]
            fractions[i, k] = value - np.floor(value)
    return reduced, fractions


@njit(cache=True, nogil=True)
def _shorten_third(basis, change):
    """Subtract from the third vector the nearest point of the plane lattice of the others."""
    g00 = dot_rows(basis, 0, 0)
    g01 = dot_rows(basis, 0, 1)
    g11 = dot_rows(basis, 1, 1)
    determinant = g00 * g11 - g01 * g01
    if determinant <= 0.0:
        return False
    p0 = dot_rows(basis, 0, 2)
    p1 = dot_rows(basis, 1, 2)
    u = np.rint((p0 * g11 - p1 * g01) / determinant)
    v = np.rint((p1 * g00 - p0 * g01) / determinant)
    before = dot_rows(basis, 2, 2)
    best = before
    best_u = 0.0
    best_v = 0.0
    for du in range(-1, 2):
        for dv in range(-1, 2):
            a = u + du
            b = v + dv
            square = before - 2 * a * p0 - 2 * b * p1 + a * a * g00 + b * b * g11 + 2 * a * b * g01
            if square < best - 1e-10 * before:
                best = square
                best_u = a
                best_v = b
    if best_u == 0.0 and best_v == 0.0:
        return False
    for k in range(3):
        basis[2, k] -= best_u * basis[0, k] + best_v * basis[1, k]
        change[2, k] -= best_u * change[0, k] + best_v * change[1, k]
    return True


@njit(cache=True, nogil=True)
def _sort_rows(basis, change):
    for first, second in ((0, 1), (1, 2), (0, 1)):
        if dot_rows(basis, second, second) < dot_rows(basis, first, first):
            _swap_rows(basis, change, first, second)


@njit(cache=True, nogil=True)
def _swap_rows(basis, change, first, second):
    for k in range(3):
        basis[first, k], basis[second, k] = basis[second, k], basis[first, k]
        change[first, k], change[second, k] = change[second, k], change[first, k]


@njit(cache=True, nogil=True)
def dot_rows(basis, first, second):
    """Return the scalar product of two rows."""
    total = 0.0
    for k in range(3):
        total += basis[first, k] * basis[second, k]
    return total


@njit(cache=True, nogil=True)
def _product(left, right):
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                out[i, j] += left[i, k] * right[k, j]
    return out


@njit(cache=True, nogil=True)
def inverse_of(matrix):
    """Return the inverse of a 3 x 3 matrix."""
    out = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            a = (j + 1) % 3
            b = (j + 2) % 3
            c = (i + 1) % 3
            d = (i + 2) % 3
            out[i, j] = matrix[a, c] * matrix[b, d] - matrix[a, d] * matrix[b, c]
    determinant = matrix[0, 0] * out[0, 0] + matrix[0, 1] * out[1, 0] + matrix[0, 2] * out[2, 0]
    return out / determinant
