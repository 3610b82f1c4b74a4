"""Compact supercells."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEPT = 4


def supercell(crystal: Crystal, copies: int, *, rng: np.random.Generator) -> Crystal:
    """Return a supercell, one of the most compact at random.

    Parameters
    ----------
    crystal
        Any cell.
    copies
        Cells in the supercell.
    rng
        Chooses among the most compact ones.
    """
    if copies == 1:
        return crystal
    base = reduced_cell(crystal)
    matrices = hermite_forms(copies)
    extents = [_extent(matrix @ base.cell) for matrix in matrices]
    best = np.argsort(extents, kind="stable")[:_KEPT]
    return repeated(base, matrices[int(rng.choice(best))])


def repeated(crystal: Crystal, matrix: NDArray[np.int64]) -> Crystal:
    """Return the supercell of a matrix in Hermite normal form, in its reduced cell."""
    a, b, c = np.diag(matrix)
    shifts = np.array([(i, j, k) for i in range(a) for j in range(b) for k in range(c)])
    scaled = (crystal.scaled[None] + shifts[:, None]).reshape(-1, 3) @ np.linalg.inv(matrix)
    numbers = np.tile(crystal.numbers, len(shifts))
    return reduced_cell(Crystal(numbers, matrix @ crystal.cell, scaled))


@cache
def hermite_forms(determinant: int) -> tuple[NDArray[np.int64], ...]:
    """Return all lower triangular matrices of a determinant in Hermite normal form.

    One for every sublattice of that index; rows are the new vectors in terms of the old ones.
    """
    found = []
    for a in range(1, determinant + 1):
        for b in range(1, determinant // a + 1):
            c, rest = divmod(determinant, a * b)
            if rest or a * b * c != determinant:
                continue
            found += [
                np.array([[a, 0, 0], [i, b, 0], [j, k, c]])
                for i in range(a)
                for j in range(a)
                for k in range(b)
            ]
    return tuple(found)


def _extent(cell: NDArray[np.float64]) -> float:
    """Return the sum of squared lengths of the reduced vectors."""
    from nucleate.crystal.lattice import reduce_lattice

    reduced, _ = reduce_lattice(np.ascontiguousarray(cell, dtype=np.float64))
    return float((reduced**2).sum())
