"""Keep the space group of the start: forces and stresses averaged over its operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal


@dataclass(frozen=True, slots=True, eq=False)
class SymmetryConstraint:
    """Operations of a space group in the frame of the starting cell.

    Attributes
    ----------
    rotations : ndarray of float64, shape (n_operations, 3, 3)
        On fractional column vectors.
    images : ndarray of int64, shape (n_operations, n_atoms)
        Which atom each atom goes to.
    """

    rotations: NDArray[np.float64]
    images: NDArray[np.int64]

    def symmetrised(
        self, flight: Any, forces: NDArray[np.float64], stress: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return forces and stress averaged over the operations at the flight's geometry."""
        cell = flight.crystal.cell
        cartesian = np.einsum(
            "ij,kjl,lm->kim", cell.T, self.rotations, np.linalg.inv(cell.T), optimize=True
        )
        mean = np.zeros_like(forces)
        for rotation, image in zip(cartesian, self.images, strict=True):
            mean[image] += forces @ rotation.T
        stress = np.einsum("kij,jl,kml->im", cartesian, stress, cartesian) / len(cartesian)
        return mean / len(cartesian), stress


def symmetry_constraint(crystal: Crystal, symprec: float = 0.01) -> SymmetryConstraint | None:
    """Return the constraint that keeps a crystal's space group, or None where there is none."""
    from nucleate.crystal.symmetry import symmetry_dataset

    dataset = symmetry_dataset(crystal, symprec)
    if dataset is None or len(dataset.operations) < 2:
        return None
    rotations, images = [], []
    inverse_metric = crystal.cell
    for rotation, shift in zip(
        dataset.operations.rotations, dataset.operations.translations, strict=True
    ):
        moved = crystal.scaled @ np.asarray(rotation, dtype=float).T + np.asarray(shift)
        gap = crystal.scaled[None, :, :] - moved[:, None, :]
        gap -= np.rint(gap)
        distance = np.linalg.norm(gap @ inverse_metric, axis=2)
        distance[crystal.numbers[:, None] != crystal.numbers[None, :]] = np.inf
        rotations.append(rotation)
        images.append(distance.argmin(axis=1))
    return SymmetryConstraint(np.array(rotations, dtype=np.float64), np.array(images))
