"""Isometries of a grid that map the orbits of a space group onto each other."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.exact.grid import generators, grid_operations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.exact.grid import Grid, Orbits

_TOLERANCE = 1e-6
_LARGEST = 4_000_000
"""Entries of the table of permutations; beyond it only translations are used."""


@cache
def _unimodular() -> NDArray[np.float64]:
    """Return the 3 x 3 matrices of -1, 0 and 1 with determinant 1 or -1."""
    every = np.array(list(product((-1, 0, 1), repeat=9)), dtype=np.int64).reshape(-1, 3, 3)
    return every[np.abs(np.rint(np.linalg.det(every))) == 1].astype(np.float64)


def lattice_rotations(cell: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return matrices that keep the metric of a cell, shape (n, 3, 3), identity included.

    Only those with entries -1, 0 and 1 are found: all of them in a compact cell, some in a very
    skewed one, which costs speed and nothing else.
    """
    metric = cell @ cell.T
    candidates = _unimodular()
    turned = candidates.transpose(0, 2, 1) @ metric @ candidates
    keep = np.abs(turned - metric).max(axis=(1, 2)) < _TOLERANCE * np.abs(metric).max()
    return candidates[keep].astype(np.int64)


def permutations(number: int, grid: Grid, orbits: Orbits) -> NDArray[np.int64]:
    """Return how isometries of the lattice permute the orbits, shape (n, n_orbits), all different.

    Row k says to which orbit each orbit goes. Energies of arrangements are the same before and
    after. The identity is the first row.
    """
    shape = np.array(grid.shape, dtype=np.int64)
    matrices, shifts = grid_operations(number, grid)
    allowed: dict[bytes, NDArray[np.bool_]] = {}
    for matrix, shift in zip(matrices, shifts, strict=True):
        table = allowed.setdefault(matrix.tobytes(), np.zeros(grid.size, dtype=bool))
        table[grid.index(shift)] = True
    few = list(generators(number))
    heads = grid.points[orbits.first]
    rows = [np.arange(orbits.first.size)[None, :]]
    rotations = lattice_rotations(grid.cell)
    if len(rotations) * grid.size * heads.shape[0] > _LARGEST * len(np.unique(matrices, axis=0)):
        rotations = np.eye(3, dtype=np.int64)[None]
    for rotation in rotations:
        turned, rest = np.divmod(rotation * shape[:, None], shape[None, :])
        if rest.any():
            continue
        moves = _normalising_shifts(turned, matrices[few], shifts[few], allowed, grid)
        images = grid.index((heads @ turned.T)[None, :, :] + moves[:, None, :])
        rows.append(np.unique(orbits.label[images], axis=0))
    return _different(np.concatenate(rows))


def _normalising_shifts(
    turn: NDArray[np.int64],
    matrices: NDArray[np.int64],
    shifts: NDArray[np.int64],
    allowed: dict[bytes, NDArray[np.bool_]],
    grid: Grid,
) -> NDArray[np.int64]:
    """Return the shifts with which a rotation takes the generators to operations of the group."""
    moves = grid.points
    inverse = np.rint(np.linalg.inv(turn)).astype(np.int64)
    for matrix, shift in zip(matrices, shifts, strict=True):
        other = turn @ matrix @ inverse
        table = allowed.get(other.tobytes())
        if table is None:
            return moves[:0]
        moves = moves[table[grid.index(turn @ shift + moves - moves @ other.T)]]
    return moves


def _different(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    unique = np.unique(rows, axis=0)
    identity = np.arange(rows.shape[1])
    same = (unique == identity).all(axis=1)
    return np.concatenate([identity[None, :], unique[~same]])
