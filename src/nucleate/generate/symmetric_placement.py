"""Compiled placement of orbits without short contacts; import where needed (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

from nucleate.crystal.images import adjacent_cells


@njit(cache=True)
def place(cell, kinds, start, freedom, origins, directions, rotations, translations, limits, rolls):
    """Place orbits one after the other, each where no two atoms come too close.

    As what is already placed is symmetric, it is enough to look at the first point of a new orbit.

    Parameters
    ----------
    cell : ndarray of float64, shape (3, 3)
        Minkowski-reduced; rows are the lattice vectors in Å.
    kinds : ndarray of int64, shape (n_orbits,)
        Row of ``limits`` of each orbit.
    start : ndarray of int64, shape (n_orbits + 1,)
        Atoms of orbit o are ``start[o]:start[o + 1]``.
    freedom : ndarray of int64, shape (n_orbits,)
        Free coordinates of each orbit.
    origins : ndarray of float64, shape (n_orbits, 3)
    directions : ndarray of float64, shape (n_orbits, 3, 3)
        Orbit o has its first point at ``origins[o] + free @ directions[o, :freedom[o]]``.
    rotations : ndarray of float64, shape (n_atoms, 3, 3)
    translations : ndarray of float64, shape (n_atoms, 3)
        Atom k of an orbit is at ``first @ rotations[k] + translations[k]``.
    limits : ndarray of float64, shape (n_kinds, n_kinds)
        Minimum distances in Å.
    rolls : ndarray of float64, shape (n_orbits, n_tries, 3)
        Random numbers in [0, 1).

    Returns
    -------
    n_placed : int
        How many orbits found a place, in order; ``n_orbits`` on success.
    scaled : ndarray of float64, shape (n_atoms, 3)
        Fractional coordinates, not wrapped.
    taken : ndarray of int64, shape (n_orbits,)
        Which of its tries each orbit took.
    n_pairs : int
        Pairs of atoms that were compared, at most: every try counts all atoms up to its orbit's
        last.
    """
    n_orbits = kinds.size
    n_pairs = 0
    taken = np.zeros(n_orbits, np.int64)
    scaled = np.empty((start[n_orbits], 3))
    species = np.empty(start[n_orbits], np.int64)
    heights, near = heights_of(cell), adjacent_cells(cell)
    shortest = cell[0, 0] ** 2 + cell[0, 1] ** 2 + cell[0, 2] ** 2
    for o in range(n_orbits):
        kind = kinds[o]
        if shortest < limits[kind, kind] ** 2:
            return o, scaled, taken, n_pairs
        species[start[o] : start[o + 1]] = kind
        found = False
        for attempt in range(rolls.shape[1] if freedom[o] else 1):
            for i in range(3):
                scaled[start[o], i] = origins[o, i]
                for f in range(freedom[o]):
                    scaled[start[o], i] += rolls[o, attempt, f] * directions[o, f, i]
            first = scaled[start[o]].copy()
            for k in range(start[o], start[o + 1]):
                for i in range(3):
                    scaled[k, i] = translations[k, i]
                    for j in range(3):
                        scaled[k, i] += first[j] * rotations[k, j, i]
            n_pairs += start[o + 1]
            if is_clear(cell, near, heights, scaled, species, start[o], start[o + 1], limits):
                found = True
                taken[o] = attempt
                break
        if not found:
            return o, scaled, taken, n_pairs
    return n_orbits, scaled, taken, n_pairs


@njit(cache=True)
def has_translation(numbers, scaled, tolerance):
    """Return whether a translation shorter than the lattice's maps the crystal onto itself.

    Parameters
    ----------
    numbers : ndarray of int64, shape (n_atoms,)
        Atomic numbers.
    scaled : ndarray of float64, shape (n_atoms, 3)
        Fractional coordinates.
    tolerance : float
        Largest mismatch of a fractional coordinate.
    """
    n_atoms = numbers.size
    rarest = 0
    fewest = n_atoms + 1
    for i in range(n_atoms):
        count = np.sum(numbers == numbers[i])
        if count < fewest:
            fewest = count
            rarest = i
    for target in range(n_atoms):
        if target == rarest or numbers[target] != numbers[rarest]:
            continue
        shift = scaled[target] - scaled[rarest]
        matches = True
        for i in range(n_atoms):
            hit = False
            for j in range(n_atoms):
                if numbers[i] != numbers[j]:
                    continue
                close = True
                for k in range(3):
                    gap = scaled[i, k] + shift[k] - scaled[j, k]
                    if abs(gap - np.rint(gap)) > tolerance:
                        close = False
                        break
                if close:
                    hit = True
                    break
            if not hit:
                matches = False
                break
        if matches:
            return True
    return False


@njit(cache=True)
def is_clear(cell, near, heights, scaled, species, first, end, limits):
    """Return whether atom ``first`` keeps its distance from all atoms before ``end``."""
    gap = np.empty(3)
    for j in range(end):
        if j == first:
            continue
        limit = limits[species[first], species[j]]
        apart = False
        for k in range(3):
            gap[k] = scaled[j, k] - scaled[first, k]
            gap[k] -= np.rint(gap[k])
            if abs(gap[k]) * heights[k] >= limit:
                apart = True
                break
        if apart:
            continue
        x = gap[0] * cell[0, 0] + gap[1] * cell[1, 0] + gap[2] * cell[2, 0]
        y = gap[0] * cell[0, 1] + gap[1] * cell[1, 1] + gap[2] * cell[2, 1]
        z = gap[0] * cell[0, 2] + gap[1] * cell[1, 2] + gap[2] * cell[2, 2]
        for m in range(27):
            square = (x + near[m, 0]) ** 2 + (y + near[m, 1]) ** 2 + (z + near[m, 2]) ** 2
            if square < limit * limit:
                return False
    return True


@njit(cache=True)
def heights_of(cell):
    """Return the height of the cell above each of its faces in Å."""
    heights = np.empty(3)
    for k in range(3):
        normal = np.cross(cell[(k + 1) % 3], cell[(k + 2) % 3])
        heights[k] = abs(np.sum(normal * cell[k])) / np.sqrt(np.sum(normal**2))
    return heights
