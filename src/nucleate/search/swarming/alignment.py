"""One crystal in the frame of another: orientation, origin, and which atom is which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ORIGINS = 12
"""Origins that are tried."""


def upright(crystal: Crystal) -> Crystal:
    """Return a crystal turned so that its cell is lower triangular with a positive diagonal.

    Fractional coordinates stay, so that cells of crystals can be compared number by number.
    """
    return crystal.replace(cell=np.linalg.cholesky(crystal.cell @ crystal.cell.T))


def aligned(crystal: Crystal, other: Crystal) -> Crystal:
    """Return a crystal with origin and order of its atoms such that it is near to another one.

    The atoms of each element are assigned to those of the other with the least sum of squared
    distances, for origins that put an atom of the rarest element on one of the other's.

    Parameters
    ----------
    crystal, other
        Upright crystals of the same atoms.

    Returns
    -------
    Crystal
        ``crystal`` with the atoms in the order of ``other``, each coordinate nearest to its.
    """
    cell = 0.5 * (crystal.cell + other.cell)
    elements, counts = np.unique(other.numbers, return_counts=True)
    rarest = elements[np.argmin(counts)]
    anchor = other.scaled[other.numbers == rarest][0]
    best: tuple[float, NDArray[np.float64]] | None = None
    for start in crystal.scaled[crystal.numbers == rarest][:MOST_ORIGINS]:
        moved = crystal.replace(scaled=crystal.scaled + (anchor - start))
        cost, scaled = _assigned(moved, other, cell)
        if best is None or cost < best[0] - 1e-9:
            best = cost, scaled
    assert best is not None
    return Crystal(other.numbers, crystal.cell, best[1])


def _assigned(
    crystal: Crystal, other: Crystal, cell: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the sum of squared distances in Å² and the coordinates in the order of the other."""
    from scipy.optimize import linear_sum_assignment

    scaled = np.empty_like(other.scaled)
    total = 0.0
    for element in np.unique(other.numbers):
        theirs = np.flatnonzero(other.numbers == element)
        ours = np.flatnonzero(crystal.numbers == element)
        gap = crystal.scaled[ours][None, :, :] - other.scaled[theirs][:, None, :]
        gap -= np.rint(gap)
        square = ((gap @ cell) ** 2).sum(axis=2)
        rows, columns = linear_sum_assignment(square)
        scaled[theirs[rows]] = other.scaled[theirs[rows]] + gap[rows, columns]
        total += float(square[rows, columns].sum())
    return total, scaled
