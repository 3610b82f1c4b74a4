"""Vacant sites: points of a grid that are far from every atom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal


def vacant_sites(
    crystal: Crystal, *, spacing: float = 0.75, exclusion: float = 1.0
) -> NDArray[np.float64]:
    """Return the grid points farther than ``exclusion`` from every atom.

    The grid follows the lattice vectors, with points at most ``spacing`` apart along each
    (doi:10.1039/d4fd00094c: 0.75 Å and 1 Å).

    Parameters
    ----------
    crystal
        Any cell.
    spacing, exclusion
        Å.

    Returns
    -------
    ndarray of float64, shape (n_sites, 3)
        Fractional coordinates in [0, 1).
    """
    from nucleate.crystal.periodic import mark_occupied

    shape = np.maximum(np.ceil(crystal.lengths / spacing - 1e-9).astype(np.int64), 1)
    scaled = crystal.scaled - np.floor(crystal.scaled)
    free = ~mark_occupied(crystal.cell.copy(), scaled, shape, float(exclusion))
    indices = np.stack(np.unravel_index(np.flatnonzero(free), tuple(shape)), axis=1)
    return indices / shape
