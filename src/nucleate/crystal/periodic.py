"""Compiled kernels for distances under full periodicity; import where needed (numba).

Every kernel first reduces the lattice (Minkowski, greedy algorithm of Nguyen and Stehlé,
ACM Trans. Algorithms 5, 46, 2009). In a reduced cell the nearest image of a wrapped difference
vector lies within one cell in each direction, so the answers are right for any input cell.
"""

from __future__ import annotations

import numpy as np
from numba import njit

CLEAR = 0
CLASH = 1
ISOLATED = 2


@njit(cache=True)
def reduce_lattice(cell):
    """Return the Minkowski-reduced cell and the integer matrix H with reduced = H @ cell."""
    basis = cell.copy()
    change = np.eye(3)
    for _ in range(200):
        _sort_rows(basis, change)
        for _ in range(200):
            norm = _dot(basis, 0, 0)
            if norm == 0.0:
                break
            factor = np.rint(_dot(basis, 0, 1) / norm)
            if factor == 0.0:
                break
            for k in range(3):
                basis[1, k] -= factor * basis[0, k]
                change[1, k] -= factor * change[0, k]
            if _dot(basis, 1, 1) < norm:
                _swap_rows(basis, change, 0, 1)
        if not _shorten_third(basis, change):
            break
    _sort_rows(basis, change)
    return _product(change, cell), change


@njit(cache=True)
def reduced_frame(cell, scaled):
    """Return the reduced cell and the fractional coordinates in it, wrapped to [0, 1)."""
    reduced, change = reduce_lattice(cell)
    inverse = _inverse(change)
    fractions = np.empty_like(scaled)
    for i in range(scaled.shape[0]):
        for k in range(3):
            value = 0.0
            for m in range(3):
                value += (scaled[i, m] - np.floor(scaled[i, m])) * inverse[m, k]
            fractions[i, k] = value - np.floor(value)
    return reduced, fractions


@njit(cache=True)
def nearest_distances(cell, scaled):
    """Return the distance of each atom to its nearest neighbour, own images included."""
    reduced, fractions = reduced_frame(cell, scaled)
    n_atoms = fractions.shape[0]
    nearest = np.full(n_atoms, _dot(reduced, 0, 0))
    for i in range(n_atoms):
        for j in range(i):
            square = _image_square(reduced, fractions, i, j)
            nearest[i] = min(nearest[i], square)
            nearest[j] = min(nearest[j], square)
    return np.sqrt(nearest)


@njit(cache=True)
def nearest_range(cell, scaled):
    """Return the least and the largest distance of an atom to its nearest neighbour."""
    nearest = nearest_distances(cell, scaled)
    return nearest.min(), nearest.max()


@njit(cache=True)
def inspect(numbers, cell, scaled, minimum, isolated_cutoff):
    """Return CLEAR, CLASH (a contact below its minimum) or ISOLATED (an atom by itself).

    ``minimum[z, z']`` is the least distance allowed between two elements; the check for isolated
    atoms is left out where ``isolated_cutoff`` is 0.
    """
    reduced, fractions = reduced_frame(cell, scaled)
    n_atoms = fractions.shape[0]
    own = _dot(reduced, 0, 0)
    nearest = np.full(n_atoms, own)
    for i in range(n_atoms):
        limit = minimum[numbers[i], numbers[i]]
        if not own >= limit * limit:  # also where it is not a number
            return CLASH
        for j in range(i):
            square = _image_square(reduced, fractions, i, j)
            limit = minimum[numbers[i], numbers[j]]
            if not square >= limit * limit:
                return CLASH
            nearest[i] = min(nearest[i], square)
            nearest[j] = min(nearest[j], square)
    for i in range(n_atoms):
        if nearest[i] > isolated_cutoff * isolated_cutoff > 0.0:
            return ISOLATED
    return CLEAR


@njit(cache=True)
def neighbour_list(cell, scaled, cutoff):
    """Return i, j, shifts (in the cell given) and distances of all pairs within ``cutoff``.

    The list is full: each pair appears from both ends, and an atom pairs with its own images.
    The vector of a pair is ``(scaled[j] + shift - scaled[i]) @ cell``.
    """
    reduced, change = reduce_lattice(cell)
    inverse = _inverse(change)
    n_atoms = scaled.shape[0]
    fractions = np.empty_like(scaled)
    for i in range(n_atoms):
        for k in range(3):
            fractions[i, k] = (
                scaled[i, 0] * inverse[0, k]
                + scaled[i, 1] * inverse[1, k]
                + scaled[i, 2] * inverse[2, k]
            )
    reach = _reach(reduced, cutoff)
    total = _collect(
        reduced,
        fractions,
        cutoff,
        reach,
        change,
        np.empty((0, 5), np.int64),
        np.empty(0),
    )
    pairs = np.empty((total, 5), np.int64)
    distances = np.empty(total)
    _collect(reduced, fractions, cutoff, reach, change, pairs, distances)
    return pairs, distances


@njit(cache=True)
def _collect(reduced, fractions, cutoff, reach, change, pairs, distances):
    n_atoms = fractions.shape[0]
    found = 0
    low = np.empty(3, np.int64)
    high = np.empty(3, np.int64)
    for i in range(n_atoms):
        for j in range(n_atoms):
            for k in range(3):
                gap = fractions[j, k] - fractions[i, k]
                low[k] = np.int64(np.ceil(-gap - reach[k]))
                high[k] = np.int64(np.floor(-gap + reach[k]))
            for p in range(low[0], high[0] + 1):
                for q in range(low[1], high[1] + 1):
                    for r in range(low[2], high[2] + 1):
                        if i == j and p == 0 and q == 0 and r == 0:
                            continue
                        square = _square(
                            reduced,
                            fractions[j, 0] - fractions[i, 0] + p,
                            fractions[j, 1] - fractions[i, 1] + q,
                            fractions[j, 2] - fractions[i, 2] + r,
                        )
                        if square > cutoff * cutoff:
                            continue
                        if pairs.shape[0] > 0:
                            pairs[found, 0] = i
                            pairs[found, 1] = j
                            for k in range(3):
                                pairs[found, 2 + k] = np.int64(
                                    np.rint(p * change[0, k] + q * change[1, k] + r * change[2, k])
                                )
                            distances[found] = np.sqrt(square)
                        found += 1
    return found


@njit(cache=True)
def pair_histogram(cell, scaled, kinds, n_kinds, cutoff, n_bins):
    """Return the histogram of distances of each pair of kinds, shape (n_kinds, n_kinds, n_bins).

    Every neighbour of every atom counts, with a weight that falls smoothly to 0 at the cutoff,
    shared between the two nearest bins. The upper triangle is filled.
    """
    reduced, fractions = reduced_frame(cell, scaled)
    reach = _reach(reduced, cutoff)
    histogram = np.zeros((n_kinds, n_kinds, n_bins))
    per_length = n_bins / cutoff
    low = np.empty(3, np.int64)
    high = np.empty(3, np.int64)
    for i in range(fractions.shape[0]):
        for j in range(i + 1):
            for k in range(3):
                gap = fractions[j, k] - fractions[i, k]
                low[k] = np.int64(np.ceil(-gap - reach[k]))
                high[k] = np.int64(np.floor(-gap + reach[k]))
            first = min(kinds[i], kinds[j])
            second = max(kinds[i], kinds[j])
            factor = 2.0 if i != j and first == second else 1.0
            row = histogram[first, second]
            for p in range(low[0], high[0] + 1):
                for q in range(low[1], high[1] + 1):
                    for r in range(low[2], high[2] + 1):
                        if i == j and p == 0 and q == 0 and r == 0:
                            continue
                        square = _square(
                            reduced,
                            fractions[j, 0] - fractions[i, 0] + p,
                            fractions[j, 1] - fractions[i, 1] + q,
                            fractions[j, 2] - fractions[i, 2] + r,
                        )
                        if square >= cutoff * cutoff:
                            continue
                        distance = np.sqrt(square)
                        place = distance * per_length - 0.5
                        lower = int(np.floor(place))
                        share = place - lower
                        weight = factor * (1.0 - square / (cutoff * cutoff)) ** 2
                        if lower >= 0:
                            row[lower] += weight * (1.0 - share)
                        if lower + 1 < n_bins:
                            row[lower + 1] += weight * share
    return histogram


@njit(cache=True)
def mark_occupied(cell, scaled, shape, exclusion):
    """Return a flat grid of bool: True where a point lies within ``exclusion`` of an atom."""
    occupied = np.zeros(shape[0] * shape[1] * shape[2], np.bool_)
    reach = _reach(cell, exclusion)
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


@njit(cache=True)
def _image_square(reduced, fractions, i, j):
    """Square of the least distance between two atoms of a reduced, wrapped crystal."""
    u = fractions[i, 0] - fractions[j, 0]
    v = fractions[i, 1] - fractions[j, 1]
    w = fractions[i, 2] - fractions[j, 2]
    u -= np.rint(u)
    v -= np.rint(v)
    w -= np.rint(w)
    best = _square(reduced, u, v, w)
    if 4.0 * best <= _dot(reduced, 0, 0):
        return best
    for p in range(-1, 2):
        for q in range(-1, 2):
            for r in range(-1, 2):
                best = min(best, _square(reduced, u + p, v + q, w + r))
    return best


@njit(cache=True)
def _square(cell, u, v, w):
    x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
    y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
    z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
    return x * x + y * y + z * z


@njit(cache=True)
def _reach(cell, cutoff):
    """Return cutoff / height of the cell above each face: how far to look along each axis."""
    reach = np.empty(3)
    cross = np.empty(3)
    for k in range(3):
        a = (k + 1) % 3
        b = (k + 2) % 3
        for m in range(3):
            m1 = (m + 1) % 3
            m2 = (m + 2) % 3
            cross[m] = cell[a, m1] * cell[b, m2] - cell[a, m2] * cell[b, m1]
        area = np.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
        volume = abs(cell[k, 0] * cross[0] + cell[k, 1] * cross[1] + cell[k, 2] * cross[2])
        reach[k] = cutoff * area / volume
    return reach


@njit(cache=True)
def _shorten_third(basis, change):
    """Subtract from the third vector the nearest point of the plane lattice of the others."""
    g00 = _dot(basis, 0, 0)
    g01 = _dot(basis, 0, 1)
    g11 = _dot(basis, 1, 1)
    determinant = g00 * g11 - g01 * g01
    if determinant <= 0.0:
        return False
    p0 = _dot(basis, 0, 2)
    p1 = _dot(basis, 1, 2)
    u = np.rint((p0 * g11 - p1 * g01) / determinant)
    v = np.rint((p1 * g00 - p0 * g01) / determinant)
    before = _dot(basis, 2, 2)
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


@njit(cache=True)
def _sort_rows(basis, change):
    for first, second in ((0, 1), (1, 2), (0, 1)):
        if _dot(basis, second, second) < _dot(basis, first, first):
            _swap_rows(basis, change, first, second)


@njit(cache=True)
def _swap_rows(basis, change, first, second):
    for k in range(3):
        basis[first, k], basis[second, k] = basis[second, k], basis[first, k]
        change[first, k], change[second, k] = change[second, k], change[first, k]


@njit(cache=True)
def _dot(basis, first, second):
    total = 0.0
    for k in range(3):
        total += basis[first, k] * basis[second, k]
    return total


@njit(cache=True)
def _product(left, right):
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                out[i, j] += left[i, k] * right[k, j]
    return out


@njit(cache=True)
def _inverse(matrix):
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
