"""Compiled sums of the surrogate: energies of crystals, and rows of the design matrix.

Per pair of elements there are cubic B-splines of the distance r. Per centre i the moments
``A[k b, m] = sum_j e_k(j) g_b(r_ij) m(u_ij)`` run over its neighbours j: e_k is a channel of
elements, g_b a cubic B-spline and m one of the monomials x^p y^q z^s of the unit vector, up to
degree three. Products of two moments, summed over the monomials of a degree l with their
multinomial factors, are sums of ``g_b g_b' cos^l`` over all pairs of neighbours: every three-body
term at the cost of a sum over pairs.

Every sum takes a half list of neighbours: the monomials of -u are those of u, with the sign of the
degree. ``virial`` is dE/d(strain) in eV.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIR_LOW, PAIR_HIGH, N_PAIR = 1.0, 6.0, 16
MOMENT_LOW, MOMENT_HIGH, N_RADIAL = 1.4, 4.5, 4
N_DEGREES = 4
DEGREE = np.array([0] + [1] * 3 + [2] * 6 + [3] * 10)
MULTIPLICITY = np.array([1, 1, 1, 1, 1, 2, 2, 1, 2, 1, 1, 3, 3, 3, 6, 3, 1, 3, 3, 1.0])
PARITY = np.where(DEGREE % 2 == 0, 1.0, -1.0)
N_MONOMIALS = 20
WALL = 150.0
"""eV/Å³: a pair closer than its wall costs ``WALL gap^3``."""

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_R, _U, _G, _SLOPE, _M = 0, 1, 4, 8, 12
_ROOM = _M + N_MONOMIALS


class SurrogateTables(NamedTuple):
    """The arrays of a fitted surrogate for the compiled sums.

    Attributes
    ----------
    one_body : ndarray, shape (n_elements,)
        eV, constant energy of each element.
    pair : ndarray, shape (n_elements, n_elements, N_PAIR)
        eV, symmetric: weights of the splines of a pair.
    wall : ndarray, shape (n_elements, n_elements)
        Å, symmetric: where the wall of a pair begins.
    embedding : ndarray, shape (n_elements, n_channels)
        Share of a neighbour in each channel.
    moments : ndarray, shape (n_elements, n_products, n_products, N_MONOMIALS)
        eV, symmetric: half of ``moments[s, c, e, m] A[c, m] A[e, m]``, summed, is the energy of a
        centre.
    cutoff : float
        Å.
    """

    one_body: NDArray[np.float64]
    pair: NDArray[np.float64]
    wall: NDArray[np.float64]
    embedding: NDArray[np.float64]
    moments: NDArray[np.float64]
    cutoff: float


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def splines(r, low, high, count, values, slopes):
    """Fill the four cubic B-splines at a distance and their slopes; return the number of the first.

    Those numbered ``count`` or more do not exist, so that all vanish at ``high`` with two
    derivatives. Below ``low`` they are constant.
    """
    h = (high - low) / count
    u = (r - low) / h
    k = max(math.floor(u), 0)
    t = max(u - k, 0.0)
    s = 1.0 - t
    values[0] = s * s * s / 6.0
    values[1] = (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0
    values[2] = (-3.0 * t * t * t + 3.0 * t * t + 3.0 * t + 1.0) / 6.0
    values[3] = t * t * t / 6.0
    if u < 0.0:
        slopes[:] = 0.0
    else:
        slopes[0] = -0.5 * s * s / h
        slopes[1] = (1.5 * t * t - 2.0 * t) / h
        slopes[2] = (-1.5 * t * t + t + 0.5) / h
        slopes[3] = 0.5 * t * t / h
    return k


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def radial(r, values, slopes, four, four_slopes):
    """Fill all radial functions of the moments and their slopes."""
    first = splines(r, MOMENT_LOW, MOMENT_HIGH, N_RADIAL, four, four_slopes)
    for b in range(N_RADIAL):
        k = b - first
        inside = 0 <= k < 4
        values[b] = four[k] if inside else 0.0
        slopes[b] = four_slopes[k] if inside else 0.0


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def monomials(x, y, z, m):
    """Fill the monomials of a unit vector, by degree."""
    m[0] = 1.0
    m[1], m[2], m[3] = x, y, z
    m[4], m[5], m[6], m[7], m[8], m[9] = x * x, x * y, x * z, y * y, y * z, z * z
    m[10], m[11], m[12] = x * m[4], y * m[4], z * m[4]
    m[13], m[14], m[15] = x * m[7], x * m[8], x * m[9]
    m[16], m[17], m[18], m[19] = y * m[7], z * m[7], y * m[9], z * m[9]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def gradient(h, m):
    """Return the derivatives of ``h . m`` by x, y and z."""
    x, y, z = m[1], m[2], m[3]
    tx = h[1] + 2.0 * h[4] * x + h[5] * y + h[6] * z
    tx += 3.0 * h[10] * m[4] + 2.0 * h[11] * m[5] + 2.0 * h[12] * m[6]
    tx += h[13] * m[7] + h[14] * m[8] + h[15] * m[9]
    ty = h[2] + h[5] * x + 2.0 * h[7] * y + h[8] * z
    ty += h[11] * m[4] + 2.0 * h[13] * m[5] + h[14] * m[6]
    ty += 3.0 * h[16] * m[7] + 2.0 * h[17] * m[8] + h[18] * m[9]
    tz = h[3] + h[6] * x + h[8] * y + 2.0 * h[9] * z
    tz += h[12] * m[4] + h[14] * m[5] + 2.0 * h[15] * m[6]
    tz += h[17] * m[7] + 2.0 * h[18] * m[8] + 3.0 * h[19] * m[9]
    return tx, ty, tz


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def pair_vector(pos, cell, shift, i, j, p):
    """Return the vector in Å from atom i to the image of atom j of pair p."""
    a, b, c = shift[p, 0], shift[p, 1], shift[p, 2]
    x = pos[j, 0] - pos[i, 0] + a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
    y = pos[j, 1] - pos[i, 1] + a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
    z = pos[j, 2] - pos[i, 2] + a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
    return x, y, z


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _push(gx, gy, gz, x, y, z, i, j, forces, virial):
    """Add a derivative of the energy by the vector from i to j."""
    forces[i, 0] += gx
    forces[i, 1] += gy
    forces[i, 2] += gz
    forces[j, 0] -= gx
    forces[j, 1] -= gy
    forces[j, 2] -= gz
    virial[0, 0] += gx * x
    virial[1, 1] += gy * y
    virial[2, 2] += gz * z
    virial[0, 1] += 0.5 * (gx * y + gy * x)
    virial[0, 2] += 0.5 * (gx * z + gz * x)
    virial[1, 2] += 0.5 * (gy * z + gz * y)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def surrogate_sum(pos, cell, kind, first, other, shift, t, forces, virial):
    """Fill ``forces`` (eV/Å) and ``virial`` (eV); return the energy and the shortest contact."""
    forces[:] = 0.0
    virial[:] = 0.0
    n, n_elements = pos.shape[0], t.pair.shape[0]
    near = np.empty((other.size, _ROOM))
    ends = np.empty((other.size, 2), np.int64)
    moments = np.zeros((n, n_elements, N_RADIAL, N_MONOMIALS))
    energy, shortest, n_near = _pairs(
        pos, cell, kind, first, other, shift, t, forces, virial, near, ends, moments
    )
    for i in range(n):
        energy += t.one_body[kind[i]]
    energy += _centres(kind, t.embedding, t.moments, moments)
    _angles(kind, near, ends, n_near, moments, forces, virial)
    virial[1, 0], virial[2, 0], virial[2, 1] = virial[0, 1], virial[0, 2], virial[1, 2]
    return energy, math.sqrt(shortest)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _pairs(pos, cell, kind, first, other, shift, t, forces, virial, near, ends, moments):
    """Add the pairs and fill the moments; return energy, shortest square, number of near pairs."""
    energy, shortest, n_near = 0.0, 1e30, 0
    cut2, near2 = PAIR_HIGH * PAIR_HIGH, MOMENT_HIGH * MOMENT_HIGH
    values, slopes = np.empty(4), np.empty(4)
    for i in range(pos.shape[0]):
        si = kind[i]
        for p in range(first[i], first[i + 1]):
            j = other[p]
            x, y, z = pair_vector(pos, cell, shift, i, j, p)
            r2 = x * x + y * y + z * z
            if r2 >= cut2:
                continue
            shortest = min(shortest, r2)
            r = math.sqrt(r2)
            sj = kind[j]
            weights = t.pair[si, sj]
            k = splines(r, PAIR_LOW, PAIR_HIGH, N_PAIR, values, slopes)
            slope = 0.0
            for b in range(min(4, N_PAIR - k)):
                energy += weights[k + b] * values[b]
                slope += weights[k + b] * slopes[b]
            gap = t.wall[si, sj] - r
            if gap > 0.0:
                energy += WALL * gap * gap * gap
                slope -= 3.0 * WALL * gap * gap
            inverse = 1.0 / (r + 1e-12)
            slope *= inverse
            _push(slope * x, slope * y, slope * z, x, y, z, i, j, forces, virial)
            if r2 >= near2:
                continue
            row = near[n_near]
            ends[n_near, 0], ends[n_near, 1] = i, j
            row[_R] = r
            row[_U], row[_U + 1], row[_U + 2] = x * inverse, y * inverse, z * inverse
            radial(r, row[_G:_SLOPE], row[_SLOPE:_M], values, slopes)
            m = row[_M:]
            monomials(row[_U], row[_U + 1], row[_U + 2], m)
            n_near += 1
            mine, theirs = moments[i, sj], moments[j, si]
            for b in range(N_RADIAL):
                g = row[_G + b]
                if g != 0.0:
                    for q in range(N_MONOMIALS):
                        mine[b, q] += g * m[q]
                        theirs[b, q] += g * m[q] * PARITY[q]
    return energy, shortest, n_near


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _centres(kind, embedding, weights, moments):
    """Return the energy of the centres and replace the moments by its derivatives."""
    n_elements, n_channels = embedding.shape
    a = np.empty((n_channels * N_RADIAL, N_MONOMIALS))
    g = np.empty((n_channels * N_RADIAL, N_MONOMIALS))
    energy = 0.0
    for i in range(kind.size):
        own, w = moments[i], weights[kind[i]]
        embed(own, embedding, a)
        g[:] = 0.0
        for c in range(a.shape[0]):
            for e in range(a.shape[0]):
                for m in range(N_MONOMIALS):
                    g[c, m] += w[c, e, m] * a[e, m]
        for c in range(a.shape[0]):
            for m in range(N_MONOMIALS):
                energy += 0.5 * g[c, m] * a[c, m]
        own[:] = 0.0
        for s in range(n_elements):
            for k in range(n_channels):
                share = embedding[s, k]
                if share != 0.0:
                    for b in range(N_RADIAL):
                        for m in range(N_MONOMIALS):
                            own[s, b, m] += share * g[k * N_RADIAL + b, m]
    return energy


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def embed(own, embedding, a):
    """Fill the moments of the channels from those of the elements."""
    a[:] = 0.0
    for s in range(embedding.shape[0]):
        for k in range(embedding.shape[1]):
            share = embedding[s, k]
            if share != 0.0:
                for b in range(N_RADIAL):
                    for m in range(N_MONOMIALS):
                        a[k * N_RADIAL + b, m] += share * own[s, b, m]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _angles(kind, near, ends, n_near, derivatives, forces, virial):
    """Add the forces and the virial of the moments."""
    h = np.empty(N_MONOMIALS)
    for p in range(n_near):
        i, j = ends[p, 0], ends[p, 1]
        row = near[p]
        m = row[_M:]
        mine, theirs = derivatives[i, kind[j]], derivatives[j, kind[i]]
        h[:] = 0.0
        along = 0.0
        for b in range(N_RADIAL):
            g, slope = row[_G + b], row[_SLOPE + b]
            for q in range(N_MONOMIALS):
                both = mine[b, q] + PARITY[q] * theirs[b, q]
                h[q] += g * both
                along += slope * both * m[q]
        r, x, y, z = row[_R], row[_U], row[_U + 1], row[_U + 2]
        tx, ty, tz = gradient(h, m)
        inward = tx * x + ty * y + tz * z
        gx = along * x + (tx - inward * x) / r
        gy = along * y + (ty - inward * y) / r
        gz = along * z + (tz - inward * z) / r
        _push(gx, gy, gz, r * x, r * y, r * z, i, j, forces, virial)
