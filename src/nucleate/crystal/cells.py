"""Cells: from lengths and angles, and reduced to the shortest vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nucleate.crystal.crystal import Crystal


def cell_from_parameters(lengths: ArrayLike, angles_deg: ArrayLike) -> NDArray[np.float64]:
    """Return the cell with the given lengths and angles.

    Parameters
    ----------
    lengths
        a, b, c in Å.
    angles_deg
        alpha, beta, gamma in degrees.

    Returns
    -------
    ndarray of float64, shape (3, 3)
        Rows are the lattice vectors: a along x, b in the xy plane, c with positive z.

    Raises
    ------
    ValueError
        If a length is not positive or no cell has these angles.

    Examples
    --------
    >>> cell_from_parameters([2, 3, 4], [90, 90, 90]).round(9).tolist()
    [[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 4.0]]
    """
    size = np.asarray(lengths, dtype=np.float64)
    angles = np.asarray(angles_deg, dtype=np.float64)
    if size.shape != (3,) or angles.shape != (3,):
        raise ValueError("a cell needs three lengths and three angles")
    if not (np.all(np.isfinite(size)) and np.all(size > 0)):
        raise ValueError(f"cell lengths {size.tolist()} must be positive")
    if not (np.all(angles > 0) and np.all(angles < 180)):
        raise ValueError(f"cell angles {angles.tolist()} must lie between 0 and 180 degrees")
    cosines = np.where(angles == 90.0, 0.0, np.cos(np.radians(angles)))
    sine = np.sqrt(1.0 - cosines[2] ** 2)
    along_y = (cosines[0] - cosines[1] * cosines[2]) / sine
    square = 1.0 - cosines[1] ** 2 - along_y**2
    if square <= 1e-12:
        raise ValueError(f"no cell has the angles {angles.tolist()} degrees")
    unit = np.array(
        [
            [1.0, 0.0, 0.0],
            [cosines[2], sine, 0.0],
            [cosines[1], along_y, np.sqrt(square)],
        ]
    )
    return unit * size[:, None]


def reduced_cell(crystal: Crystal) -> Crystal:
    """Return the same crystal in its Minkowski-reduced, right-handed cell.

    The vectors become the shortest that span the lattice (in order of length), so very flat or
    skewed cells become compact. Atoms keep their order and their places in space (up to lattice
    translations); their fractional coordinates are wrapped into [0, 1).

    Raises
    ------
    ValueError
        If the cell has no volume.
    """
    from nucleate.crystal.distances import is_solid_cell
    from nucleate.crystal.lattice import reduce_lattice

    if not is_solid_cell(crystal.cell):
        raise ValueError(f"cell {crystal.cell.tolist()} has no volume")
    reduced, change = reduce_lattice(crystal.cell.copy())
    if np.linalg.det(reduced) < 0.0:
        reduced, change = -reduced, -change
    inverse = np.rint(np.linalg.inv(change))
    return crystal.replace(cell=reduced, scaled=crystal.scaled @ inverse).wrapped()
