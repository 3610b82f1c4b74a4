"""Random cells with the shapes of real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import cell_from_parameters
from nucleate.generate.wyckoff import CrystalSystem, crystal_system

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SHAPE_SIZE: dict[CrystalSystem, int] = {
    "triclinic": 5,
    "monoclinic": 3,
    "orthorhombic": 2,
    "tetragonal": 1,
    "hexagonal": 1,
    "cubic": 0,
}
"""Free shape parameters of the conventional cell of each crystal system."""

BROAD_SHARE = 0.15
"""Share of cells drawn with ``BROAD_FACTOR`` times the spread, for shapes not seen before."""

BROAD_FACTOR = 2.5
_TRIES = 20


def shape_of(number: int, parameters: Sequence[float]) -> NDArray[np.float64]:
    """Return the shape of a conventional cell: logarithms of edge ratios, then angles in radians.

    Parameters
    ----------
    number
        Space group.
    parameters
        a, b, c in Å and alpha, beta, gamma in degrees.
    """
    a, b, c, *angles = parameters
    match crystal_system(number):
        case "triclinic":
            shape = [np.log(b / a), np.log(c / a), *np.radians(angles)]
        case "monoclinic":
            shape = [np.log(b / a), np.log(c / a), np.radians(angles[1])]
        case "orthorhombic":
            shape = [np.log(b / a), np.log(c / a)]
        case "tetragonal" | "hexagonal":
            shape = [np.log(c / a)]
        case _:
            shape = []
    return np.array(shape, dtype=np.float64)


def cell_of(number: int, shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the conventional cell with ``a`` = 1 Å and a shape as :func:`shape_of` gives.

    Raises
    ------
    ValueError
        If no cell has these angles.
    """
    match crystal_system(number):
        case "triclinic":
            b, c = np.exp(shape[:2])
            return cell_from_parameters((1.0, b, c), np.degrees(shape[2:]))
        case "monoclinic":
            b, c = np.exp(shape[:2])
            return cell_from_parameters((1.0, b, c), (90.0, np.degrees(shape[2]), 90.0))
        case "orthorhombic":
            b, c = np.exp(shape)
            return np.diag([1.0, b, c])
        case "tetragonal":
            return np.diag([1.0, 1.0, np.exp(shape[0])])
        case "hexagonal":
            return cell_from_parameters((1.0, 1.0, np.exp(shape[0])), (90.0, 90.0, 120.0))
        case _:
            return np.eye(3)


class CellShapes:
    """Gaussian mixtures of cell shapes, conditional on the atoms in the primitive cell.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        ``shape_model`` (mixture of each space group), ``shape_start`` (its first component),
        ``shape_share``, ``shape_mean`` and ``shape_covariance`` of the components; the last
        coordinate of a component is the logarithm of the number of atoms.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        self._model = np.asarray(arrays["shape_model"], dtype=np.int64)
        self._start = np.asarray(arrays["shape_start"], dtype=np.int64)
        self._share = np.asarray(arrays["shape_share"], dtype=np.float64)
        self._mean = np.asarray(arrays["shape_mean"], dtype=np.float64)
        self._covariance = np.asarray(arrays["shape_covariance"], dtype=np.float64)

    def draw_shape(
        self, number: int, n_atoms: int, *, rng: np.random.Generator
    ) -> NDArray[np.float64] | None:
        """Return the shape of a random cell, or None in the rare case of bad luck.

        Parameters
        ----------
        number
            Space group; 1 has the cells of 2.
        n_atoms
            Atoms in the primitive cell.
        rng
            The only source of randomness.

        Returns
        -------
        ndarray of float64 or None
            As :func:`shape_of` returns.
        """
        size = SHAPE_SIZE[crystal_system(number)]
        if size == 0:
            return np.zeros(0)
        model = self._model[max(number, 2)]
        part = slice(self._start[model], self._start[model + 1])
        mean = self._mean[part, : size + 1]
        covariance = self._covariance[part, : size + 1, : size + 1]
        gap = np.log(n_atoms) - mean[:, size]
        spread = covariance[:, size, size]
        log_chance = np.log(self._share[part]) - 0.5 * (gap**2 / spread + np.log(spread))
        chance = np.exp(log_chance - log_chance.max())
        for _ in range(_TRIES):
            k = rng.choice(chance.size, p=chance / chance.sum())
            slope = covariance[k, :size, size] / spread[k]
            inner = covariance[k, :size, :size] - np.outer(slope, covariance[k, :size, size])
            width = BROAD_FACTOR if rng.random() < BROAD_SHARE else 1.0
            noise = np.linalg.cholesky(inner) @ rng.standard_normal(size)
            shape = mean[k, :size] + slope * gap[k] + width * noise
            try:
                cell_of(number, shape)
            except ValueError:
                continue
            return shape
        return None
