"""Operations of a space group that a crystal keeps while it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.symmetry import symmetry_dataset
from nucleate.generate.flow.cells import matrix_of, six_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

SYMPREC = 1e-3
"""Å within which a start has its symmetry."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Projections of velocities onto those that keep the operations.

    A point x (a row) goes to x R + w; atom k goes to atom ``image[k]``. The mean over all
    operations of what they make of a velocity is the nearest velocity that they leave alone:
    related atoms move together, and the metric G = L Lᵀ stays R G Rᵀ.

    Attributes
    ----------
    atoms : ndarray of float64, shape (3 n, 3 n)
        Acts on fractional velocities of all atoms in one row.
    metric : ndarray of float64, shape (6, 6)
        Acts on the six numbers of the metric.
    """

    atoms: NDArray[np.float64]
    metric: NDArray[np.float64]


def kept_by(crystal: Crystal) -> Kept:
    """Return the projections for the operations that a crystal has.

    Raises
    ------
    ValueError
        If its symmetry cannot be found.
    """
    data = symmetry_dataset(crystal, SYMPREC)
    if data is None:
        raise ValueError("the start has no symmetry that can be found")
    rotations = np.swapaxes(np.array(data.operations.rotations, np.float64), 1, 2)
    shifts = np.array(data.operations.translations, np.float64)
    images = [_image(crystal, r, w) for r, w in zip(rotations, shifts, strict=True)]
    return projections(rotations, np.array(images))


def projections(rotations: NDArray[np.float64], images: NDArray[np.int64]) -> Kept:
    """Return the projections for operations of a group.

    Parameters
    ----------
    rotations
        Acting on rows of fractional coordinates, shape (n_operations, 3, 3).
    images
        Where each atom goes, shape (n_operations, n_atoms).
    """
    n = images.shape[1]
    atoms = np.zeros((n, 3, n, 3))
    for rotation, image in zip(rotations, images, strict=True):
        atoms[np.arange(n), :, image, :] += rotation
    units = matrix_of(np.eye(6))
    metric = np.mean([six_of(r @ units @ r.T) for r in rotations], axis=0)
    return Kept(atoms.reshape(3 * n, 3 * n) / len(rotations), metric)


def _image(
    crystal: Crystal, rotation: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return which atom each atom goes to."""
    moved = crystal.scaled @ rotation + shift
    off = moved[:, None] - crystal.scaled
    off = np.linalg.norm((off - np.rint(off)) @ crystal.cell, axis=-1)
    image = np.where(crystal.numbers[:, None] == crystal.numbers, off, np.inf).argmin(1)
    far = off[np.arange(image.size), image].max()
    if far > 10.0 * SYMPREC or np.unique(image).size < image.size:
        raise ValueError("an operation does not map the start onto itself")
    return image
