"""Exact weighted counting and sampling of Wyckoff assignments; import where needed (numba).

An assignment of a composition to a space group gives every element a multiset of Wyckoff positions
whose multiplicities add up to its atoms in the primitive cell. Positions without free coordinates
hold one orbit at most, whatever its element; the others any number. The weight of an assignment is
the product of the weights of its orbits. The elements are coupled only by the set of fixed
positions in use, at most eight of them, so sums over all assignments are subset convolutions of
small tables, and an assignment is drawn by walking back through the tables: no draw is wasted.
In cells of hundreds of atoms weights are rescaled, or the sums would leave the range of floats.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LARGEST_LOG = 300.0
"""Logarithm of the weight of an assignment above which, or below minus which, all are rescaled."""


@njit(cache=True)
def log_total(counts, multiplicity, fixed, weights):
    """Return the logarithm of the summed weight of all assignments, -inf if there is none.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_elements,)
        Atoms of each element in the primitive cell.
    multiplicity : ndarray of int64, shape (n_positions,)
        Atoms of one orbit in the primitive cell.
    fixed : ndarray of bool, shape (n_positions,)
        Whether a position has no free coordinate.
    weights : ndarray of float64, shape (n_elements, n_positions)
        Weight of one orbit of the element on the position.
    """
    masks = fixed_masks(multiplicity, fixed)
    scaled, log_factor = _in_range(counts, multiplicity, fixed, weights)
    total = _totals(counts, multiplicity, fixed, scaled, masks)[1]
    whole = total[0, masks.size - 1]
    return np.log(whole) - log_factor if whole > 0.0 else -np.inf


@njit(cache=True)
def log_totals(counts, multiplicity, freedom, start, weights):
    """Return logarithms of summed weights of all assignments in every space group.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_elements,)
        Atoms of each element in the primitive cell.
    multiplicity, freedom : ndarray of int64, shape (n_positions,)
        Of the positions of all groups, one group after the other.
    start : ndarray of int64, shape (n_groups + 2,)
        Positions of group g are ``start[g]:start[g + 1]``.
    weights : ndarray of float64, shape (n_elements, n_positions)
        Weight of one orbit of the element on the position.

    Returns
    -------
    ndarray of float64, shape (3, n_groups + 1)
        The total, -inf where nothing fits and for group 1; how much it grows (a negative number)
        when every orbit costs exp(-1/2); and when every free coordinate does.
    """
    result = np.full((3, start.size - 1), -np.inf)
    for group in range(2, start.size - 1):
        part = slice(start[group], start[group + 1])
        fixed = freedom[part] == 0
        own = weights[:, part].copy()
        plain = log_total(counts, multiplicity[part], fixed, own)
        result[0, group] = plain
        if plain > -np.inf:
            by_orbit = log_total(counts, multiplicity[part], fixed, own * np.exp(-0.5))
            cost = np.exp(-0.5 * freedom[part])
            by_freedom = log_total(counts, multiplicity[part], fixed, own * cost)
            result[1, group] = by_orbit - plain
            result[2, group] = by_freedom - plain
    return result


@njit(cache=True)
def draw(counts, multiplicity, fixed, weights, uniform):
    """Return a random assignment, drawn with a probability proportional to its weight.

    Parameters
    ----------
    counts, multiplicity, fixed, weights
        As in :func:`log_total`, whose value must be finite.
    uniform : ndarray of float64
        Random numbers in [0, 1): one for each element, each atom and each position of each
        element are always enough.

    Returns
    -------
    ndarray of int64, shape (n_elements, n_positions)
        Number of orbits of each element on each position.
    """
    masks = fixed_masks(multiplicity, fixed)
    weights = _in_range(counts, multiplicity, fixed, weights)[0]
    tables, totals = _totals(counts, multiplicity, fixed, weights, masks)
    places = np.flatnonzero(fixed)
    free = np.flatnonzero(~fixed)
    result = np.zeros((counts.size, multiplicity.size), np.int64)
    left = masks.size - 1
    used = 0
    for e in range(counts.size):
        goal = uniform[used] * totals[e, left]
        used += 1
        chosen = -1
        subset = left
        while True:
            share = tables[e, subset] * totals[e + 1, left ^ subset]
            if share > 0.0:
                chosen = subset
                goal -= share
                if goal < 0.0:
                    break
            if subset == 0:
                break
            subset = (subset - 1) & left
        for bit in range(places.size):
            if (chosen >> bit) & 1:
                result[e, places[bit]] = 1
        left ^= chosen
        rest = counts[e] - masks[chosen]
        ladder = _free_ladder(rest, multiplicity, free, weights[e])
        level = free.size
        while rest > 0:
            place = free[level - 1]
            step = multiplicity[place]
            share = weights[e, place] * ladder[level, rest - step] if step <= rest else 0.0
            if uniform[used] * ladder[level, rest] < share:
                result[e, place] += 1
                rest -= step
            else:
                level -= 1
            used += 1
    return result


@njit(cache=True)
def _in_range(counts, multiplicity, fixed, weights):
    """Return weights whose sums are finite, and the logarithm of the factor on all of these.

    A factor to the power of the multiplicity on the weights of an element is the same factor for
    all assignments: its power of the element's count. Positions that can be repeated decide how
    fast the weights grow with the count.
    """
    free = np.flatnonzero(~fixed)
    rates = np.zeros(counts.size)
    for e in range(counts.size):
        if free.size:
            rates[e] = np.max(np.log(weights[e][free]) / multiplicity[free])
    log_weight = np.sum(rates * counts)
    if abs(log_weight) <= LARGEST_LOG:
        return weights, 0.0
    scaled = np.empty_like(weights)
    for e in range(counts.size):
        scaled[e] = np.exp(np.log(weights[e]) - rates[e] * multiplicity)
    return scaled, -log_weight


@njit(cache=True)
def fixed_masks(multiplicity, fixed):
    """Return the summed multiplicity of every subset of the fixed positions."""
    places = np.flatnonzero(fixed)
    masks = np.zeros(1 << places.size, np.int64)
    for subset in range(1, masks.size):
        for bit in range(places.size):
            if (subset >> bit) & 1:
                masks[subset] = masks[subset ^ (1 << bit)] + multiplicity[places[bit]]
                break
    return masks


@njit(cache=True)
def _free_ladder(atoms, multiplicity, free, weights):
    """Return the weight of all multisets of the first l free positions with r atoms, at [l, r]."""
    ladder = np.zeros((free.size + 1, atoms + 1))
    ladder[0, 0] = 1.0
    for level in range(free.size):
        step = multiplicity[free[level]]
        for r in range(atoms + 1):
            ladder[level + 1, r] = ladder[level, r]
            if step <= r:
                ladder[level + 1, r] += weights[free[level]] * ladder[level + 1, r - step]
    return ladder


@njit(cache=True)
def _totals(counts, multiplicity, fixed, weights, masks):
    """Return the tables of elements and of suffixes of elements over sets of fixed positions.

    ``tables[e, s]``: element e on exactly the fixed positions s, the rest on free positions.
    ``totals[e, s]``: elements e and later, on fixed positions that lie within s.
    """
    places = np.flatnonzero(fixed)
    free = np.flatnonzero(~fixed)
    n_elements = counts.size
    tables = np.zeros((n_elements, masks.size))
    totals = np.zeros((n_elements + 1, masks.size))
    totals[n_elements] = 1.0
    for e in range(n_elements - 1, -1, -1):
        ladder = _free_ladder(counts[e], multiplicity, free, weights[e])[free.size]
        product = np.ones(masks.size)
        for subset in range(masks.size):
            for bit in range(places.size):
                if (subset >> bit) & 1:
                    product[subset] = product[subset ^ (1 << bit)] * weights[e, places[bit]]
                    break
            if masks[subset] <= counts[e]:
                tables[e, subset] = product[subset] * ladder[counts[e] - masks[subset]]
        for left in range(masks.size):
            subset = left
            while True:
                if tables[e, subset] > 0.0:
                    totals[e, left] += tables[e, subset] * totals[e + 1, left ^ subset]
                if subset == 0:
                    break
                subset = (subset - 1) & left
    return tables, totals
