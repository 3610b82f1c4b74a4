"""The one loop over periodic images; import where needed (numba).

Neighbour lists, graphs, histograms, contacts and the classical sums all ask :func:`images_within`
for the lattice translations that bring one point near another. It is right for any cell; reduce
the cell first (:func:`~nucleate.crystal.lattice.reduce_lattice`) where it may be very skewed, so
that there are few translations to look at.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

ALL, OTHERS, HALF = range(3)
"""Every translation; all but zero; one of each pair of opposite ones (for a point's own images)."""

COLUMNS = 7
"""Of a table of images: translation (3), vector in Å (3), squared length in Å²."""

_MARGIN = 1e-9


@njit(cache=True, nogil=True)
def reach_of(cell, cutoff):
    """Return the cut-off over the heights of the cell: how far to look along each axis."""
    reach = np.empty(3)
    cross = np.empty(3)
    for k in range(3):
        a = (k + 1) % 3
        b = (k + 2) % 3
        for m in range(3):
            m1 = (m + 1) % 3
            m2 = (m + 2) % 3
            cross[m] = cell[a, m1] * cell[b, m2] - cell[a, m2] * cell[b, m1]
        area = math.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
        volume = abs(cell[k, 0] * cross[0] + cell[k, 1] * cross[1] + cell[k, 2] * cross[2])
        reach[k] = cutoff * area / volume
    return reach


@njit(cache=True, nogil=True)
def image_table(reach):
    """Return an empty table with room for all images of one point."""
    room = 1
    for k in range(3):
        room *= int(2.0 * (reach[k] + _MARGIN)) + 2
    return np.empty((room, COLUMNS))


@njit(cache=True, nogil=True, error_model="numpy")
def images_within(cell, reach, gap0, gap1, gap2, cutoff, which, table):
    """Write the images of a point within a cut-off into a table; return how many there are.

    Parameters
    ----------
    cell : ndarray, shape (3, 3)
        Lattice vectors as rows, in Å.
    reach : ndarray, shape (3,)
        Of :func:`reach_of`, for this cut-off or a larger one.
    gap0, gap1, gap2 : float
        Fractional coordinates of the point less those of the centre.
    cutoff : float
        Å, inclusive.
    which : int
        ALL, OTHERS or HALF.
    table : ndarray, shape (room, COLUMNS)
        Of :func:`image_table`; rows are in the order of the translations.
    """
    limit = cutoff * cutoff
    c0, c1, c2 = cell[2, 0], cell[2, 1], cell[2, 2]
    along2 = c0 * c0 + c1 * c1 + c2 * c2
    per_along2 = 1.0 / along2
    low0, high0 = math.ceil(-reach[0] - _MARGIN - gap0), math.floor(reach[0] + _MARGIN - gap0)
    low1, high1 = math.ceil(-reach[1] - _MARGIN - gap1), math.floor(reach[1] + _MARGIN - gap1)
    if which == HALF:
        low0 = max(low0, 0)
    found = 0
    for p in range(low0, high0 + 1):
        u = gap0 + p
        for q in range(low1, high1 + 1):
            v = gap1 + q
            x0 = u * cell[0, 0] + v * cell[1, 0]
            y0 = u * cell[0, 1] + v * cell[1, 1]
            z0 = u * cell[0, 2] + v * cell[1, 2]
            along = x0 * c0 + y0 * c1 + z0 * c2
            chord = along * along - along2 * (x0 * x0 + y0 * y0 + z0 * z0 - limit)
            if chord < -_MARGIN * along2 * limit:
                continue  # this row of images passes outside the sphere
            middle = -along * per_along2 - gap2
            half = math.sqrt(max(chord, 0.0)) * per_along2 + _MARGIN
            low = math.ceil(middle - half)
            if which == HALF and p == 0:
                if q < 0:
                    continue
                if q == 0:
                    low = max(low, 1)
            for r in range(low, math.floor(middle + half) + 1):
                if which == OTHERS and p == 0 and q == 0 and r == 0:
                    continue
                w = gap2 + r
                x, y, z = x0 + w * c0, y0 + w * c1, z0 + w * c2
                square = x * x + y * y + z * z
                if square <= limit:
                    row = table[found]
                    row[0], row[1], row[2] = p, q, r
                    row[3], row[4], row[5], row[6] = x, y, z, square
                    found += 1
    return found


@njit(cache=True, nogil=True)
def adjacent_cells(reduced):
    """Return the translations to a cell and its 26 neighbours in Å, shape (27, 3).

    In a reduced cell the nearest image of a wrapped difference vector is reached by one of them.
    """
    out = np.empty((27, 3))
    for m in range(27):
        p, q, r = m // 9 - 1, m // 3 % 3 - 1, m % 3 - 1
        for k in range(3):
            out[m, k] = p * reduced[0, k] + q * reduced[1, k] + r * reduced[2, k]
    return out


@njit(cache=True, nogil=True)
def is_beyond(unit, gap0, gap1, gap2, cutoff):
    """Return whether the gap along one axis alone keeps every image outside a cut-off.

    ``unit`` is :func:`reach_of` for 1 Å.
    """
    return (
        abs(gap0 - np.rint(gap0)) > cutoff * unit[0]
        or abs(gap1 - np.rint(gap1)) > cutoff * unit[1]
        or abs(gap2 - np.rint(gap2)) > cutoff * unit[2]
    )


@njit(cache=True, nogil=True)
def nearest_image(reduced, cells, gap0, gap1, gap2):
    """Return the shortest vector from a point to an image of another one, and its square.

    Parameters
    ----------
    reduced : ndarray, shape (3, 3)
        Minkowski-reduced cell.
    cells : ndarray, shape (27, 3)
        Of :func:`adjacent_cells`.
    gap0, gap1, gap2 : float
        Difference of their fractional coordinates in the reduced cell, not wrapped.
    """
    u, v, w = gap0 - np.rint(gap0), gap1 - np.rint(gap1), gap2 - np.rint(gap2)
    x = u * reduced[0, 0] + v * reduced[1, 0] + w * reduced[2, 0]
    y = u * reduced[0, 1] + v * reduced[1, 1] + w * reduced[2, 1]
    z = u * reduced[0, 2] + v * reduced[1, 2] + w * reduced[2, 2]
    best = x * x + y * y + z * z
    shortest = reduced[0, 0] ** 2 + reduced[0, 1] ** 2 + reduced[0, 2] ** 2
    if 4.0 * best <= shortest:
        return x, y, z, best
    at = 13
    for m in range(27):
        x1, y1, z1 = x + cells[m, 0], y + cells[m, 1], z + cells[m, 2]
        square = x1 * x1 + y1 * y1 + z1 * z1
        if square < best:
            best, at = square, m
    return x + cells[at, 0], y + cells[at, 1], z + cells[at, 2], best
