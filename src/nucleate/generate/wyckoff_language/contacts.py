"""Orbits placed one after the other in many cells at a time; import where needed (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

from nucleate.crystal.images import adjacent_cells
from nucleate.generate.symmetric_placement import heights_of, is_clear


@njit(cache=True)
def first_clear(
    cells, scaled, species, filled, kind, origin, directions, rotations, translations, limits, tries
):
    """Return which try keeps all distances, -1 where none does, and place its orbit.

    Parameters
    ----------
    cells : ndarray of float64, shape (n, 3, 3)
        Reduced cells; rows are the lattice vectors in Å.
    scaled : ndarray of float64, shape (n, most_atoms, 3)
        Fractional coordinates of the atoms placed so far; those of the new orbits are written.
    species : ndarray of int64, shape (n, most_atoms)
        Row of ``limits`` of each atom; written as well.
    filled : ndarray of int64, shape (n,)
        Atoms placed so far; increased where a try succeeds.
    kind : ndarray of int64, shape (n,)
        Element of the new orbits.
    origin : ndarray of float64, shape (n, 3)
    directions : ndarray of float64, shape (n, 3, 3)
    rotations : ndarray of float64, shape (n, most_points, 3, 3)
    translations : ndarray of float64, shape (n, most_points, 3)
        Of the new orbits, in the reduced cells; unused points have a rotation of zeros.
    limits : ndarray of float64, shape (n_kinds, n_kinds)
        Minimum distances in Å.
    tries : ndarray of float64, shape (n, n_tries, 3)
        Free coordinates.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    n = cells.shape[0]
    taken = np.full(n, -1, np.int64)
    for row in range(n):
        cell = cells[row]
        heights, near = heights_of(cell), adjacent_cells(cell)
        shortest = np.sqrt(np.sum(cell[0] ** 2))
        points = 0
        while points < rotations.shape[1] and np.any(rotations[row, points] != 0.0):
            points += 1
        first, end = filled[row], filled[row] + points
        species[row, first:end] = kind[row]
        if shortest < limits[kind[row], kind[row]]:
            continue
        for attempt in range(tries.shape[1]):
            point = origin[row].copy()
            for f in range(3):
                point += tries[row, attempt, f] * directions[row, f]
            for k in range(points):
                for i in range(3):
                    value = translations[row, k, i]
                    for j in range(3):
                        value += point[j] * rotations[row, k, j, i]
                    scaled[row, first + k, i] = value
            if is_clear(cell, near, heights, scaled[row], species[row], first, end, limits):
                taken[row] = attempt
                filled[row] = end
                break
    return taken
