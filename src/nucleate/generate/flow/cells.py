"""A crystal as the flow sees it: log-strain of its Niggli cell, and fractional coordinates.

The cell is L = exp(S) with the symmetric matrix S = ½ ln(L Lᵀ), so that nothing depends on its
orientation. A symmetric matrix is kept as six numbers (xx, yy, zz, √2 yz, √2 xz, √2 xy), whose
squares add up to those of the matrix (Mandel's notation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, COLUMNS = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
WEIGHTS = np.array([1.0, 1.0, 1.0, 2.0**0.5, 2.0**0.5, 2.0**0.5])


def six_of(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return symmetric matrices (..., 3, 3) as six numbers each, shape (..., 6)."""
    return matrices[..., ROWS, COLUMNS] * WEIGHTS


def matrix_of(six: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return six numbers each (..., 6) as symmetric matrices, shape (..., 3, 3)."""
    matrices = np.empty((*six.shape[:-1], 3, 3))
    matrices[..., ROWS, COLUMNS] = six / WEIGHTS
    matrices[..., COLUMNS, ROWS] = six / WEIGHTS
    return matrices


def function_of(matrices: NDArray[np.float64], function: np.ufunc) -> NDArray[np.float64]:
    """Return a function of symmetric matrices (..., 3, 3) by their eigenvalues."""
    values, vectors = np.linalg.eigh(matrices)
    return (vectors * function(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def log_strain(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ½ ln(L Lᵀ) of cells (..., 3, 3) whose rows are the vectors, as six numbers each."""
    return 0.5 * six_of(function_of(cells @ np.swapaxes(cells, -1, -2), np.log))


def cell_of_strain(six: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric cells exp(S), shape (..., 3, 3)."""
    return function_of(matrix_of(six), np.exp)


def expected_length(numbers: NDArray[np.int64]) -> float:
    """Return the edge in Å of a cube of the expected volume of these atoms."""
    volume = Composition.from_numbers(numbers).volume_per_atom * numbers.size
    return float(volume ** (1.0 / 3.0))


def niggli(crystal: Crystal) -> Crystal:
    """Return the crystal in its Niggli cell, atoms sorted by element, wrapped.

    Raises
    ------
    ValueError
        If the cell has no volume, or no Niggli cell is found.
    """
    from moyopy import niggli_reduce

    cell, change = niggli_reduce(crystal.cell.tolist())
    order = np.argsort(crystal.numbers, kind="stable")
    inverse = np.rint(np.linalg.inv(np.array(change, np.float64).T))
    return Crystal(
        crystal.numbers[order], np.array(cell), crystal.scaled[order] @ inverse
    ).wrapped()
