"""The interface of every energy model: a batch in; energies, forces and stresses out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory


BATCH_ATOMS = 1000
"""Atoms in a batch for models that do not say how many they want."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Several crystals as flat arrays.

    Attributes
    ----------
    numbers : ndarray of int64, shape (n_atoms,)
        Atomic numbers of all atoms.
    positions : ndarray of float64, shape (n_atoms, 3)
        Cartesian positions in Å.
    cells : ndarray of float64, shape (n_crystals, 3, 3)
        Lattice vectors as rows, in Å.
    start : ndarray of int64, shape (n_crystals + 1,)
        First atom of every crystal, and the number of atoms at the end.
    """

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    cells: NDArray[np.float64]
    start: NDArray[np.int64]

    @property
    def n_crystals(self) -> int:
        """Number of crystals."""
        return len(self.cells)

    @property
    def volumes(self) -> NDArray[np.float64]:
        """Cell volumes in Å³, shape (n_crystals,)."""
        return np.abs(np.linalg.det(self.cells))

    @classmethod
    def of(cls, crystals: Sequence[Crystal]) -> Batch:
        """Return the batch of some crystals, in their order."""
        sizes = [crystal.n_atoms for crystal in crystals]
        return cls(
            numbers=np.concatenate([crystal.numbers for crystal in crystals]),
            positions=np.concatenate([crystal.positions for crystal in crystals]),
            cells=np.stack([crystal.cell for crystal in crystals]),
            start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a model says of a batch.

    Attributes
    ----------
    energies : ndarray of float64, shape (n_crystals,)
        eV per cell.
    forces : ndarray of float64, shape (n_atoms, 3)
        eV/Å.
    stresses : ndarray of float64, shape (n_crystals, 3, 3)
        eV/Å³, tension positive (ASE's sign).
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]


class BatchedModel(Protocol):
    """An energy model that takes many crystals in one call.

    A crystal's result must not depend on the others of its batch beyond 1e-6 eV/atom. A model
    that runs out of memory raises ``MemoryError``; the caller halves the batch.

    Attributes
    ----------
    level : LevelOfTheory
        Written beside every energy.
    elements : frozenset of int
        Atomic numbers that the model knows.
    cutoff : float
        Å; an atom without a neighbour within it is refused beforehand.
    composition_energies : ndarray, shape (n_elements + 1,), optional
        eV/atom by atomic number: the part of the energy that the composition alone decides. None
        where the model does not have one.
    batch_atoms : int, optional
        Number of atoms in a batch from which more no longer helps; :data:`BATCH_ATOMS` where the
        model does not have it.
    """

    level: LevelOfTheory
    elements: frozenset[int]
    cutoff: float
    composition_energies: NDArray[np.float64] | None
    batch_atoms: int

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies, forces and stresses of a batch."""
        ...
