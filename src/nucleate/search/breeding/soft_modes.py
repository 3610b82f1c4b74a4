"""Soft modes estimated from bond lengths alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.elements import element

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

DECAY_ANG = 0.37
"""Å; length over which a bond becomes softer by e, as in bond valences."""

REACH = 1.8
"""Longest bond relative to the sum of the covalent radii."""

TRANSLATIONS = 3


def soft_modes(crystal: Crystal) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return estimated modes at the zone centre, the softest first.

    Each pair of atoms at the distance *d* is a spring along its connection with the constant
    exp((R - d) / 0.37 Å), where R is the sum of the covalent radii: the bond valences of
    I. D. Brown up to a factor. All masses are one. Modes of this kind guide the soft mutation of
    A. O. Lyakhov, A. R. Oganov and M. Valle, Comput. Phys. Commun. 181, 1623 (2010).

    Parameters
    ----------
    crystal
        Any cell.

    Returns
    -------
    values : ndarray of float64, shape (n_modes,)
        Squared frequencies in arbitrary units, ascending.
    modes : ndarray of float64, shape (n_modes, n_atoms, 3)
        Unit vectors in Cartesian coordinates; the three translations are left out.
    """
    size = crystal.n_atoms
    radii = np.array([_radius(z) for z in crystal.numbers.tolist()])
    i, j, shifts, distances = neighbour_pairs(crystal, REACH * 2.0 * float(radii.max()))
    near = (distances < REACH * (radii[i] + radii[j])) & (i != j)
    i, j, shifts, distances = i[near], j[near], shifts[near], distances[near]
    along = (crystal.scaled[j] + shifts - crystal.scaled[i]) @ crystal.cell
    along /= np.maximum(distances, 1e-9)[:, None]
    strength = np.exp((radii[i] + radii[j] - distances) / DECAY_ANG)
    blocks = strength[:, None, None] * along[:, :, None] * along[:, None, :]
    matrix = np.zeros((size, size, 3, 3))
    np.add.at(matrix, (i, i), blocks)
    np.add.at(matrix, (i, j), -blocks)
    flat = matrix.transpose(0, 2, 1, 3).reshape(3 * size, 3 * size)
    flat = 0.5 * (flat + flat.T) + _stiff_translations(size, float(np.trace(flat)) + 1.0)
    values, vectors = np.linalg.eigh(flat)
    count = 3 * size - TRANSLATIONS
    return values[:count], vectors.T[:count].reshape(count, size, 3)


def _stiff_translations(size: int, stiffness: float) -> NDArray[np.float64]:
    """Return what makes translations the stiffest modes of all, so that they come last."""
    return np.asarray(stiffness * np.kron(np.full((size, size), 1.0 / size), np.eye(3)), np.float64)


@cache
def _radius(number: int) -> float:
    return element(number).covalent_radius
