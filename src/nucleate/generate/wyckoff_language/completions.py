"""Which next orbit leaves a way to place all atoms exactly; import where needed (numba).

Orbits come element by element, and within an element in ascending order of the Wyckoff positions.
A position without free coordinates holds one orbit at most, whatever its element. What remains of
a composition can be placed if the remaining elements share out the fixed positions that are left,
at most eight of them, so the answer is a table over their subsets, as in
:mod:`nucleate.generate.wyckoff_counting`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.generate.symmetric_prior import positions as all_positions
from nucleate.generate.wyckoff import N_SPACE_GROUPS
from nucleate.generate.wyckoff_counting import fixed_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@njit(cache=True)
def suffix_tables(counts, multiplicity, fixed):
    """Return whether elements e and later fit, at [e, s], with the fixed positions s left to them.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_elements,)
        Atoms of each element in the primitive cell.
    multiplicity : ndarray of int64, shape (n_positions,)
        Atoms of one orbit in the primitive cell.
    fixed : ndarray of bool, shape (n_positions,)
        Whether a position has no free coordinate.

    Returns
    -------
    ndarray of bool, shape (n_elements + 1, 2 ** n_fixed)
    """
    masks = fixed_masks(multiplicity, fixed)
    result = np.zeros((counts.size + 1, masks.size), np.bool_)
    result[counts.size] = True
    for e in range(counts.size - 1, -1, -1):
        ladder = _ladder(counts[e], multiplicity, fixed, 0)
        for left in range(masks.size):
            subset = left
            while True:
                rest = counts[e] - masks[subset]
                if rest >= 0 and ladder[rest] and result[e + 1, left ^ subset]:
                    result[e, left] = True
                    break
                if subset == 0:
                    break
                subset = (subset - 1) & left
    return result


@njit(cache=True)
def next_positions(multiplicity, fixed, later, rest, left, least):
    """Return on which positions the next orbit of an element may be.

    Parameters
    ----------
    multiplicity, fixed
        As in :func:`suffix_tables`.
    later : ndarray of bool, shape (2 ** n_fixed,)
        Its row for the elements after this one.
    rest : int
        Atoms of this element that are not placed yet, at least 1.
    left : int
        The fixed positions not yet taken, as bits.
    least : int
        First position that keeps the ascending order.

    Returns
    -------
    ndarray of bool, shape (n_positions,)
    """
    masks = fixed_masks(multiplicity, fixed)
    result = np.zeros(multiplicity.size, np.bool_)
    bit = 0
    for p in range(multiplicity.size):
        own = 0
        if fixed[p]:
            own = 1 << bit
            bit += 1
            if not left & own:
                continue
        if p < least or multiplicity[p] > rest:
            continue
        remaining = rest - multiplicity[p]
        ladder = _ladder(remaining, multiplicity, fixed, p)
        after = left & ~own
        usable = after & ~((1 << bit) - 1)  # fixed positions after this one
        subset = usable
        while True:
            over = remaining - masks[subset]
            if over >= 0 and ladder[over] and later[after & ~subset]:
                result[p] = True
                break
            if subset == 0:
                break
            subset = (subset - 1) & usable
    return result


@njit(cache=True)
def sentence_masks(multiplicity, fixed, counts, kinds, chosen):
    """Return the allowed positions before each orbit of a sentence, shape (n_orbits, n_positions).

    Parameters
    ----------
    multiplicity, fixed, counts
        As in :func:`suffix_tables`.
    kinds, chosen : ndarray of int64, shape (n_orbits,)
        Element and position of each orbit.
    """
    tables = suffix_tables(counts, multiplicity, fixed)
    bits = np.cumsum(fixed) - 1
    left = tables.shape[1] - 1
    result = np.zeros((kinds.size, multiplicity.size), np.bool_)
    rest = 0
    for o in range(kinds.size):
        if o == 0 or kinds[o] != kinds[o - 1]:
            rest, least = counts[kinds[o]], 0
        result[o] = next_positions(multiplicity, fixed, tables[kinds[o] + 1], rest, left, least)
        rest -= multiplicity[chosen[o]]
        least = chosen[o]
        if fixed[chosen[o]]:
            left &= ~(1 << bits[chosen[o]])
    return result


@cache
def of_group(number: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return multiplicity and fixedness of the positions of a space group."""
    places = all_positions()
    part = places.of(number)
    return places.multiplicity[part].copy(), places.fixed[part].copy()


@lru_cache(maxsize=4096)
def possible_groups(counts: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which space groups can hold these atoms in a primitive cell, shape (231,).

    The order of the counts does not matter.
    """
    found = np.zeros(N_SPACE_GROUPS + 1, np.bool_)
    for number in range(1, N_SPACE_GROUPS + 1):
        found[number] = group_tables(number, counts)[0, -1]
    return found


@lru_cache(maxsize=8192)
def group_tables(number: int, counts: Sequence[int]) -> NDArray[np.bool_]:
    """Return :func:`suffix_tables` of a space group."""
    return suffix_tables(np.array(counts, dtype=np.int64), *of_group(number))


@njit(cache=True)
def _ladder(atoms, multiplicity, fixed, least):
    """Return which numbers of atoms repeated free positions from ``least`` on can hold."""
    ladder = np.zeros(atoms + 1, np.bool_)
    ladder[0] = True
    for p in range(least, multiplicity.size):
        if not fixed[p]:
            step = multiplicity[p]
            for r in range(step, atoms + 1):
                if ladder[r - step]:
                    ladder[r] = True
    return ladder
