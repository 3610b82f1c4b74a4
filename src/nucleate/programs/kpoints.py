"""Grids of k-points from one spacing, the same for every program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def kpoint_grid(cell: NDArray[np.float64], spacing: float) -> tuple[int, int, int]:
    """Return the numbers of k-points along the reciprocal vectors.

    They are those of VASP's KSPACING: the length of a reciprocal vector, with its factor 2π,
    over the spacing, rounded up.

    Parameters
    ----------
    cell
        Lattice vectors as rows in Å, shape (3, 3).
    spacing
        Largest distance between k-points in 1/Å.

    Examples
    --------
    >>> kpoint_grid(np.diag([4.0, 4.0, 20.0]), 0.3)
    (6, 6, 2)
    """
    reciprocal = 2.0 * np.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
    first, second, third = np.maximum(1, np.ceil(reciprocal / spacing - 1e-8)).astype(int).tolist()
    return first, second, third
