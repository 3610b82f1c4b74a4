"""Compiled rows of the design matrix of the surrogate; import where needed (numba)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from nucleate.surrogate.kernels import (
    DEGREE,
    MOMENT_HIGH,
    MULTIPLICITY,
    N_DEGREES,
    N_MONOMIALS,
    N_PAIR,
    N_RADIAL,
    PAIR_HIGH,
    PAIR_LOW,
    PARITY,
    embed,
    monomials,
    pair_vector,
    radial,
    splines,
)

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_FIRST = np.array([0, 1, 2, 1, 0, 0])
_SECOND = np.array([0, 1, 2, 2, 2, 1])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def design(pos, cell, kind, first, other, shift, pair, embedding, force_row):
    """Return the rows of the linear model for a crystal, shape (n_rows, n_columns).

    Rows are the energy (eV), the forces (eV/Å) on the atoms that have rows, and the virial xx, yy,
    zz, yz, xz, xy (eV); the energy alone where ``force_row`` is empty. The order of the columns is
    that of :class:`~nucleate.surrogate.descriptors.Layout`.

    Parameters
    ----------
    pos, cell, kind
        Positions and cell in Å, and the element of each atom.
    first, other, shift
        Half list of neighbours as in :func:`nucleate.potentials.kernels.neighbours`.
    pair : ndarray of int64, shape (n_elements, n_elements)
        Number of each unordered pair.
    embedding : ndarray, shape (n_elements, n_channels)
    force_row : ndarray of int64, shape (n_atoms,) or (0,)
        First of the three rows of an atom, from 1 on; 0 for an atom without rows.
    """
    n, n_elements = kind.size, pair.shape[0]
    products = embedding.shape[1] * N_RADIAL
    n_features = products * (products + 1) // 2 * N_DEGREES
    three = n_elements + n_elements * (n_elements + 1) // 2 * N_PAIR
    derivatives = force_row.size > 0
    rows = 1 + (3 * np.count_nonzero(force_row) + 6 if derivatives else 0)
    out = np.zeros((rows, three + n_elements * n_features))
    own = np.zeros((n, n_elements, N_RADIAL, N_MONOMIALS))
    _two_body(pos, cell, kind, first, other, shift, pair, own, force_row, out)
    a = np.empty((n, products, N_MONOMIALS))
    for i in range(n):
        out[0, kind[i]] += 1.0
        embed(own[i], embedding, a[i])
        column = three + kind[i] * n_features
        for c in range(products):
            for e in range(c, products):
                for m in range(N_MONOMIALS):
                    out[0, column + DEGREE[m]] += MULTIPLICITY[m] * a[i, c, m] * a[i, e, m]
                column += N_DEGREES
    if derivatives:
        a *= MULTIPLICITY
        _three_body(pos, cell, kind, first, other, shift, embedding, a, three, force_row, out)
    return out


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _two_body(pos, cell, kind, first, other, shift, pair, own, force_row, out):
    """Add the pairs and fill the moments."""
    values, slopes = np.empty(4), np.empty(4)
    g, m = np.empty(N_RADIAL), np.empty(N_MONOMIALS)
    d, by_vector, slope_g = np.empty(3), np.empty((3, N_PAIR)), np.empty(N_RADIAL)
    n_elements = pair.shape[0]
    for i in range(kind.size):
        for p in range(first[i], first[i + 1]):
            j = other[p]
            d[0], d[1], d[2] = pair_vector(pos, cell, shift, i, j, p)
            r = math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
            if r >= PAIR_HIGH:
                continue
            column = n_elements + pair[kind[i], kind[j]] * N_PAIR
            k = splines(r, PAIR_LOW, PAIR_HIGH, N_PAIR, values, slopes)
            by_vector[:] = 0.0
            for b in range(min(4, N_PAIR - k)):
                out[0, column + k + b] += values[b]
                for q in range(3):
                    by_vector[q, k + b] = slopes[b] * d[q] / r
            if out.shape[0] > 1:
                _add(out, column, by_vector, d, force_row[i], force_row[j])
            if r < MOMENT_HIGH:
                radial(r, g, slope_g, values, slopes)
                monomials(d[0] / r, d[1] / r, d[2] / r, m)
                for b in range(N_RADIAL):
                    for q in range(N_MONOMIALS):
                        own[i, kind[j], b, q] += g[b] * m[q]
                        own[j, kind[i], b, q] += g[b] * m[q] * PARITY[q]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _add(out, column, by_vector, d, mine, theirs):
    """Add the derivatives of some columns by the vector d between atoms with these rows, or 0."""
    end, count = out.shape[0] - 6, by_vector.shape[1]
    for q in range(3):
        if mine > 0:
            row = out[mine + q]
            for f in range(count):
                row[column + f] += by_vector[q, f]
        if theirs > 0:
            row = out[theirs + q]
            for f in range(count):
                row[column + f] -= by_vector[q, f]
    for v in range(6):
        a, b = _FIRST[v], _SECOND[v]
        row, half_a, half_b = out[end + v], 0.5 * d[a], 0.5 * d[b]
        for f in range(count):
            row[column + f] += by_vector[a, f] * half_b + by_vector[b, f] * half_a


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _three_body(pos, cell, kind, first, other, shift, embedding, a, three, force_row, out):
    """Add the derivatives of the products of moments; ``a`` has their multinomial factors."""
    products = a.shape[1]
    n_features = products * (products + 1) // 2 * N_DEGREES
    d, u = np.empty(3), np.empty(3)
    values, slopes = np.empty(4), np.empty(4)
    g, slope_g = np.empty(N_RADIAL), np.empty(N_RADIAL)
    m, angular = np.empty(N_MONOMIALS), np.empty((N_MONOMIALS, 3))
    moved = np.empty((3, N_RADIAL, N_MONOMIALS))
    half = np.empty((3, N_RADIAL, products, N_DEGREES))
    by_vector = np.empty((3, n_features))
    for i in range(kind.size):
        for p in range(first[i], first[i + 1]):
            j = other[p]
            d[0], d[1], d[2] = pair_vector(pos, cell, shift, i, j, p)
            r = math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
            if r >= MOMENT_HIGH:
                continue
            u[:] = d / r
            radial(r, g, slope_g, values, slopes)
            monomials(u[0], u[1], u[2], m)
            _angular(m, angular)
            for q in range(N_MONOMIALS):
                along = angular[q, 0] * u[0] + angular[q, 1] * u[1] + angular[q, 2] * u[2]
                for b in range(N_RADIAL):
                    for x in range(3):
                        across = (angular[q, x] - along * u[x]) / r
                        moved[x, b, q] = slope_g[b] * m[q] * u[x] + g[b] * across
            for side in range(2):
                centre, neighbour = (i, j) if side == 0 else (j, i)
                if side == 1:
                    moved *= PARITY
                _halves(a[centre], moved, half)
                _products(embedding[kind[neighbour]], half, by_vector)
                column = three + kind[centre] * n_features
                _add(out, column, by_vector, d, force_row[i], force_row[j])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _angular(m, out):
    """Fill the derivatives of every monomial by x, y, z."""
    x, y, z = m[1], m[2], m[3]
    out[:] = 0.0
    out[1, 0] = out[2, 1] = out[3, 2] = 1.0
    out[4, 0], out[5, 0], out[6, 0] = 2.0 * x, y, z
    out[5, 1], out[7, 1], out[8, 1] = x, 2.0 * y, z
    out[6, 2], out[8, 2], out[9, 2] = x, y, 2.0 * z
    out[10, 0], out[11, 0], out[12, 0] = 3.0 * m[4], 2.0 * m[5], 2.0 * m[6]
    out[13, 0], out[14, 0], out[15, 0] = m[7], m[8], m[9]
    out[11, 1], out[13, 1], out[14, 1] = m[4], 2.0 * m[5], m[6]
    out[16, 1], out[17, 1], out[18, 1] = 3.0 * m[7], 2.0 * m[8], m[9]
    out[12, 2], out[14, 2], out[15, 2] = m[4], m[5], 2.0 * m[6]
    out[17, 2], out[18, 2], out[19, 2] = m[7], 2.0 * m[8], 3.0 * m[9]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _halves(a, moved, out):
    """Fill the products of each moment of a centre with the change of a radial function."""
    for x in range(3):
        for b in range(N_RADIAL):
            change = moved[x, b]
            for e in range(a.shape[0]):
                own, row = a[e], out[x, b, e]
                row[0] = own[0] * change[0]
                row[1] = row[2] = row[3] = 0.0
                for q in range(1, 4):
                    row[1] += own[q] * change[q]
                for q in range(4, 10):
                    row[2] += own[q] * change[q]
                for q in range(10, 20):
                    row[3] += own[q] * change[q]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _products(shares, half, out):
    """Fill what moving one neighbour does to the products of a centre, shape (3, n_features)."""
    products = half.shape[2]
    for x in range(3):
        column = 0
        for c in range(products):
            share_c, b_c = shares[c // N_RADIAL], c % N_RADIAL
            for e in range(c, products):
                share_e, b_e = shares[e // N_RADIAL], e % N_RADIAL
                first, second = half[x, b_c, e], half[x, b_e, c]
                for k in range(N_DEGREES):
                    out[x, column + k] = share_c * first[k] + share_e * second[k]
                column += N_DEGREES
