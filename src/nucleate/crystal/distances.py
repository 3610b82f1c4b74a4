"""Distances in a periodic crystal, right for any cell."""

from __future__ import annotations

from math import hypot, isfinite
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal


_SMALLEST_VOLUME = 0.01  # Å³


def shortest_distance(crystal: Crystal) -> float:
    """Return the minimum distance between two atoms in Å, periodic images included.

    Coincident atoms give 0; the images of an atom count, so a crystal of one atom gives the
    shortest lattice vector. A flat cell gives 0.
    """
    return float(np.min(nearest_neighbour_distances(crystal)))


def nearest_neighbour_distances(crystal: Crystal) -> NDArray[np.float64]:
    """Return the distance of each atom to its nearest neighbour in Å, shape (n_atoms,)."""
    from nucleate.crystal.periodic import nearest_distances

    if not is_solid_cell(crystal.cell):
        return np.zeros(crystal.n_atoms)
    return nearest_distances(crystal.cell.copy(), crystal.scaled.copy())


def neighbour_pairs(
    crystal: Crystal, cutoff: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return every pair of atoms within a distance, from both ends and with own images.

    Parameters
    ----------
    crystal
        Any cell; coordinates need not be wrapped.
    cutoff
        Å, inclusive.

    Returns
    -------
    i, j : ndarray of int64, shape (n_pairs,)
        Atom indices, sorted by ``i``.
    shifts : ndarray of int64, shape (n_pairs, 3)
        Lattice translation of ``j``: the pair vector is
        ``(scaled[j] + shift - scaled[i]) @ cell``.
    distances : ndarray of float64, shape (n_pairs,)
        Å.

    Raises
    ------
    ValueError
        If the cell has no volume.
    """
    from nucleate.crystal.periodic import neighbour_list

    if not is_solid_cell(crystal.cell):
        raise ValueError(f"cell {crystal.cell.tolist()} has no volume")
    pairs, distances = neighbour_list(crystal.cell.copy(), crystal.scaled.copy(), float(cutoff))
    return pairs[:, 0], pairs[:, 1], pairs[:, 2:], distances


def pairs_too_close(crystal: Crystal, min_distances: NDArray[np.float64]) -> bool:
    """Return whether any two atoms are closer than the minimum distance of their elements.

    Parameters
    ----------
    crystal
        Any cell.
    min_distances
        Å, indexed by two atomic numbers, as :attr:`SearchSpace.min_distances`.
    """
    from nucleate.crystal.periodic import CLASH, inspect

    limits = np.array(min_distances)
    limits.setflags(write=False)
    numbers, cell, scaled = crystal.numbers.copy(), crystal.cell.copy(), crystal.scaled.copy()
    return inspect(numbers, cell, scaled, limits, 0.0) == CLASH


def has_isolated_atom(crystal: Crystal, cutoff: float = 6.0) -> bool:
    """Return whether an atom has no neighbour within ``cutoff`` Å, own images included."""
    return bool(np.any(nearest_neighbour_distances(crystal) > cutoff))


def is_solid_cell(cell: NDArray[np.float64]) -> bool:
    """Return whether a cell is finite and its vectors span a volume.

    A cell counts as flat below 0.01 Å³, or where rounding could be all of its volume; one that is
    merely very skewed does not.
    """
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = cell.tolist()
    volume = abs(ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx))
    lengths = hypot(ax, ay, az) * hypot(bx, by, bz) * hypot(cx, cy, cz)
    return isfinite(volume) and volume > max(_SMALLEST_VOLUME, 1e-10 * lengths)
