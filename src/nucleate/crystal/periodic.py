"""Compiled kernels for distances under full periodicity; import where needed (numba).

Every kernel first reduces the lattice (:mod:`nucleate.crystal.lattice`), so the answers are right
for any input cell.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from nucleate.crystal.images import (
    ALL,
    OTHERS,
    adjacent_cells,
    image_table,
    images_within,
    nearest_image,
    reach_of,
)
from nucleate.crystal.lattice import dot_rows, inverse_of, reduce_lattice, reduced_frame

CLEAR = 0
CLASH = 1
ISOLATED = 2


@njit(cache=True, nogil=True)
def nearest_distances(cell, scaled):
    """Return the distance of each atom to its nearest neighbour, own images included."""
    reduced, fractions = reduced_frame(cell, scaled)
    cells = adjacent_cells(reduced)
    n_atoms = fractions.shape[0]
    nearest = np.full(n_atoms, dot_rows(reduced, 0, 0))
    for i in range(n_atoms):
        for j in range(i):
            square = nearest_square(reduced, cells, fractions, i, j)
            nearest[i] = min(nearest[i], square)
            nearest[j] = min(nearest[j], square)
    return np.sqrt(nearest)


@njit(cache=True, nogil=True)
def nearest_range(cell, scaled):
    """Return the smallest and the largest distance of an atom to its nearest neighbour."""
    nearest = nearest_distances(cell, scaled)
    return nearest.min(), nearest.max()


@njit(cache=True, nogil=True)
def inspect(numbers, cell, scaled, minimum, isolated_cutoff):
    """Return CLEAR, CLASH (a contact below its minimum) or ISOLATED (an atom by itself).

    ``minimum[z, z']`` is the minimum distance allowed between two elements; the check for isolated
    atoms is left out where ``isolated_cutoff`` is 0.
    """
    reduced, fractions = reduced_frame(cell, scaled)
    cells = adjacent_cells(reduced)
    n_atoms = fractions.shape[0]
    own = dot_rows(reduced, 0, 0)
    nearest = np.full(n_atoms, own)
    for i in range(n_atoms):
        limit = minimum[numbers[i], numbers[i]]
        if not own >= limit * limit:  # also where it is not a number
            return CLASH
        for j in range(i):
            square = nearest_square(reduced, cells, fractions, i, j)
            limit = minimum[numbers[i], numbers[j]]
            if not square >= limit * limit:
                return CLASH
            nearest[i] = min(nearest[i], square)
            nearest[j] = min(nearest[j], square)
    for i in range(n_atoms):
        if nearest[i] > isolated_cutoff * isolated_cutoff > 0.0:
            return ISOLATED
    return CLEAR


@njit(cache=True, nogil=True)
def neighbour_list(cell, scaled, cutoff):
    """Return i, j, shifts (in the cell given) and distances of all pairs within ``cutoff``.

    The list is full: each pair appears from both ends, and an atom pairs with its own images.
    The vector of a pair is ``(scaled[j] + shift - scaled[i]) @ cell``.
    """
    reduced, change = reduce_lattice(cell)
    fractions = scaled @ inverse_of(change)
    reach = reach_of(reduced, cutoff)
    table = image_table(reach)
    n_atoms, found = scaled.shape[0], 0
    pairs, distances = np.empty((64, 5), np.int64), np.empty(64)
    for i in range(n_atoms):
        for j in range(n_atoms):
            gap0 = fractions[j, 0] - fractions[i, 0]
            gap1 = fractions[j, 1] - fractions[i, 1]
            gap2 = fractions[j, 2] - fractions[i, 2]
            which = OTHERS if i == j else ALL
            n = images_within(reduced, reach, gap0, gap1, gap2, cutoff, which, table)
            if found + n > pairs.shape[0]:
                pairs, distances = _roomier(pairs, distances, 2 * (found + n))
            for m in range(n):
                pairs[found, 0], pairs[found, 1] = i, j
                for k in range(3):
                    pairs[found, 2 + k] = round_shift(table[m], change, k)
                distances[found] = math.sqrt(table[m, 6])
                found += 1
    return pairs[:found].copy(), distances[:found].copy()


@njit(cache=True, nogil=True)
def _roomier(pairs, distances, room):
    wider, longer = np.empty((room, 5), np.int64), np.empty(room)
    wider[: pairs.shape[0]] = pairs
    longer[: distances.size] = distances
    return wider, longer


@njit(cache=True, nogil=True)
def round_shift(image, change, axis):
    """Return one component of an image's translation in the cell before it was reduced."""
    value = image[0] * change[0, axis] + image[1] * change[1, axis] + image[2] * change[2, axis]
    return np.int64(np.rint(value))


@njit(cache=True, nogil=True)
def pair_histogram(cell, scaled, kinds, n_kinds, cutoff, n_bins):
    """Return the histogram of distances of each pair of kinds, shape (n_kinds, n_kinds, n_bins).

    Every neighbour of every atom counts, with a weight that falls smoothly to 0 at the cutoff,
    shared between the two nearest bins. The upper triangle is filled.
    """
    reduced, fractions = reduced_frame(cell, scaled)
    reach = reach_of(reduced, cutoff)
    table = image_table(reach)
    histogram = np.zeros((n_kinds, n_kinds, n_bins))
    per_length = n_bins / cutoff
    for i in range(fractions.shape[0]):
        for j in range(i + 1):
            first = min(kinds[i], kinds[j])
            second = max(kinds[i], kinds[j])
            factor = 2.0 if i != j and first == second else 1.0
            gap0 = fractions[j, 0] - fractions[i, 0]
            gap1 = fractions[j, 1] - fractions[i, 1]
            gap2 = fractions[j, 2] - fractions[i, 2]
            which = OTHERS if i == j else ALL
            n = images_within(reduced, reach, gap0, gap1, gap2, cutoff, which, table)
            row = histogram[first, second]
            for m in range(n):
                _count(row, table[m, 6], factor, cutoff, per_length)
    return histogram


@njit(cache=True, nogil=True)
def _count(row, square, factor, cutoff, per_length):
    place = math.sqrt(square) * per_length - 0.5
    lower = int(np.floor(place))
    share = place - lower
    weight = factor * (1.0 - square / (cutoff * cutoff)) ** 2
    if lower >= 0:
        row[lower] += weight * (1.0 - share)
    if lower + 1 < row.size:
        row[lower + 1] += weight * share


@njit(cache=True, nogil=True)
def mark_occupied(cell, scaled, shape, exclusion):
    """Return a flat grid of bool: True where a point lies within ``exclusion`` of an atom."""
    occupied = np.zeros(shape[0] * shape[1] * shape[2], np.bool_)
    reach = reach_of(cell, exclusion)
    for i in range(scaled.shape[0]):
        first = np.empty(3, np.int64)
        last = np.empty(3, np.int64)
        for k in range(3):
            first[k] = np.int64(np.ceil((scaled[i, k] - reach[k]) * shape[k]))
            last[k] = np.int64(np.floor((scaled[i, k] + reach[k]) * shape[k]))
        for p in range(first[0], last[0] + 1):
            for q in range(first[1], last[1] + 1):
                for r in range(first[2], last[2] + 1):
                    square = _square(
                        cell,
                        p / shape[0] - scaled[i, 0],
                        q / shape[1] - scaled[i, 1],
                        r / shape[2] - scaled[i, 2],
                    )
                    if square <= exclusion * exclusion:
                        row = (p % shape[0]) * shape[1] + q % shape[1]
                        occupied[row * shape[2] + r % shape[2]] = True
    return occupied


@njit(cache=True, nogil=True)
def nearest_square(reduced, cells, fractions, i, j):
    """Return the square of the least distance between two atoms of a reduced crystal."""
    return nearest_image(
        reduced,
        cells,
        fractions[i, 0] - fractions[j, 0],
        fractions[i, 1] - fractions[j, 1],
        fractions[i, 2] - fractions[j, 2],
    )[3]


@njit(cache=True, nogil=True)
def _square(cell, u, v, w):
    x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
    y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
    z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
    return x * x + y * y + z * z
