"""The operations of a crystal's space group, and averages over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.symmetry import symmetry_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal


@dataclass(frozen=True, slots=True, eq=False)
class Operations:
    """Operations of a space group in the frame of a cell; they hold as long as it is kept.

    Attributes
    ----------
    rotations : ndarray of float64, shape (n_operations, 3, 3)
        On fractional column vectors.
    sources : ndarray of int64, shape (n_operations, n_atoms)
        Which atom goes to the place of each atom.
    """

    rotations: NDArray[np.float64]
    sources: NDArray[np.int64]

    @property
    def orbits(self) -> NDArray[np.int64]:
        """First atom of the orbit of each atom, shape (n_atoms,)."""
        return self.sources.min(axis=0)

    def averaged(
        self,
        cell: NDArray[np.float64],
        forces: NDArray[np.float64],
        stress: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return forces and stress averaged over the operations.

        Parameters
        ----------
        cell : ndarray of float64, shape (3, 3)
            Rows are the lattice vectors in Å, as strained by now.
        forces : ndarray of float64, shape (n_atoms, 3)
            Any vectors that belong to atoms.
        stress : ndarray of float64, shape (3, 3)
            Any tensor that belongs to the cell.
        """
        turns = cell.T @ self.rotations @ np.linalg.inv(cell.T)
        turned = np.einsum("kan,knj->kaj", forces[self.sources], turns.transpose(0, 2, 1))
        stress = np.einsum("kij,jl,kml->im", turns, stress, turns, optimize=True) / len(turns)
        return turned.mean(axis=0), stress


def operations_of(crystal: Crystal, symprec: float = 0.01) -> Operations | None:
    """Return the operations of a crystal's space group; None where there is but the identity.

    Parameters
    ----------
    crystal
        Any crystal.
    symprec
        Tolerance in Å.
    """
    dataset = symmetry_dataset(crystal, symprec)
    if dataset is None or len(dataset.operations) < 2:
        return None
    rotations, sources = [], []
    for rotation, shift in zip(
        dataset.operations.rotations, dataset.operations.translations, strict=True
    ):
        moved = crystal.scaled @ np.asarray(rotation, dtype=float).T + np.asarray(shift)
        gap = moved[None, :, :] - crystal.scaled[:, None, :]
        gap -= np.rint(gap)
        distance = np.linalg.norm(gap @ crystal.cell, axis=2)
        distance[crystal.numbers[:, None] != crystal.numbers[None, :]] = np.inf
        rotations.append(rotation)
        sources.append(distance.argmin(axis=1))
    return Operations(np.array(rotations, dtype=np.float64), np.array(sources))
