"""Compiled rows of the linear fit: derivatives of energy, forces and virial by coefficient."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from nucleate.potentials.kernels import neighbours


@njit(cache=True, nogil=True)
def spline_row(ratio, start, spacing, size, values, slopes):
    """Fill the four B-splines at ``ratio`` and their slopes in ln(ratio); return the first."""
    t = (math.log(ratio) - start) / spacing
    inside = 0.0 <= t < size - 3
    t = min(max(t, 1e-9), size - 3 - 1e-9)
    k = int(t)
    s = t - k
    values[0] = (1 - s) ** 3 / 6
    values[1] = (3 * s**3 - 6 * s**2 + 4) / 6
    values[2] = (-3 * s**3 + 3 * s**2 + 3 * s + 1) / 6
    values[3] = s**3 / 6
    scale = (1.0 if inside else 0.0) / spacing
    slopes[0] = -0.5 * (1 - s) ** 2 * scale
    slopes[1] = (1.5 * s**2 - 2 * s) * scale
    slopes[2] = (-1.5 * s**2 + s + 0.5) * scale
    slopes[3] = 0.5 * s**2 * scale
    return k


@njit(cache=True, nogil=True)
def rows_of(pos, cell, kind, block, contact, start, spacing, size, taper_start, cutoff,
            wall_height, wall_steepness, n_blocks):  # fmt: skip
    """Return the rows of one geometry.

    Parameters
    ----------
    pos, cell, kind
        Å, lattice rows, local element of each atom.
    block, contact
        Local pair (block of coefficients) and d0 in Å of two local elements.
    start, spacing, size, taper_start, cutoff, wall_height, wall_steepness
        Fields of :class:`~nucleate.potentials.basis.Basis`.
    n_blocks
        Number of local pairs.

    Returns
    -------
    rows : ndarray, shape (3 n + 7, n_blocks * size)
        Forces, the virial (xx, yy, zz, yz, xz, xy) and the energy, of unit coefficients.
    known : ndarray, shape (3 n + 7,)
        The same of the fixed wall.
    """
    n = kind.size
    rows = np.zeros((3 * n + 7, n_blocks * size))
    known = np.zeros(3 * n + 7)
    values, slopes = np.empty(4), np.empty(4)
    first, other, shift = neighbours(pos, cell, cutoff)
    vector = np.empty(3)
    for i in range(n):
        for m in range(first[i], first[i + 1]):
            j = other[m]
            r2 = 0.0
            for d in range(3):
                x = pos[j, d] - pos[i, d]
                for e in range(3):
                    x += shift[m, e] * cell[e, d]
                vector[d] = x
                r2 += x * x
            r = max(math.sqrt(r2), 0.1)
            d0 = contact[kind[i], kind[j]]
            base = block[kind[i], kind[j]] * size
            k = spline_row(r / d0, start, spacing, size, values, slopes)
            u = min(max((r - taper_start) / (cutoff - taper_start), 0.0), 1.0)
            fade = 1.0 - u**3 * (10.0 - 15.0 * u + 6.0 * u * u)
            fade_slope = -30.0 * u * u * (1.0 - u) ** 2 / (cutoff - taper_start)
            wall = wall_height * math.exp(-wall_steepness * (r / d0 - 0.6))
            wall_slope = -wall_steepness / d0 * wall
            for q in range(5):
                if q < 4:
                    energy = values[q] * fade
                    slope = slopes[q] / r * fade + values[q] * fade_slope
                else:
                    energy = wall * fade
                    slope = wall_slope * fade + wall * fade_slope
                for d in range(3):
                    f = slope * vector[d] / r
                    vir = f * vector[(d + 1) % 3]
                    cross = 3 * n + 3 + (d + 2) % 3
                    if q < 4:
                        c = base + k + q
                        rows[3 * i + d, c] += f
                        rows[3 * j + d, c] -= f
                        rows[3 * n + d, c] += f * vector[d]
                        rows[cross, c] += vir
                    else:
                        known[3 * i + d] += f
                        known[3 * j + d] -= f
                        known[3 * n + d] += f * vector[d]
                        known[cross] += vir
                if q < 4:
                    rows[3 * n + 6, base + k + q] += energy
                else:
                    known[3 * n + 6] += energy
    return rows, known


@njit(cache=True, nogil=True)
def apply_rows(values, row_start, width, column_start, columns, x, out):
    """Matrix times vector for dense blocks: ``out`` = A x."""
    place = 0
    for s in range(width.size):
        w = width[s]
        local = np.empty(w, np.float32)
        for c in range(w):
            local[c] = x[columns[column_start[s] + c]]
        for r in range(row_start[s], row_start[s + 1]):
            total = np.float32(0.0)
            for c in range(w):
                total += values[place + c] * local[c]
            out[r] = total
            place += w


@njit(cache=True, nogil=True)
def apply_transposed(values, row_start, width, column_start, columns, y, out):
    """Transposed matrix times vector for dense blocks: ``out`` = A^T y."""
    out[:] = 0.0
    place = 0
    for s in range(width.size):
        w = width[s]
        local = np.zeros(w, np.float32)
        for r in range(row_start[s], row_start[s + 1]):
            weight = np.float32(y[r])
            for c in range(w):
                local[c] += values[place + c] * weight
            place += w
        for c in range(w):
            out[columns[column_start[s] + c]] += local[c]
