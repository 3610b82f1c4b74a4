"""Rigid units of a parent: layers, chains, molecules and polyhedra that strong bonds hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

FACTORS = (1.25, 1.15, 1.05, 0.95, 0.88)
"""Bonds are at most this times the sum of the covalent radii; the first that divides counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Atoms that strong bonds hold together.

    Attributes
    ----------
    atoms : ndarray of int64, shape (n,)
    positions : ndarray of float64, shape (n, 3)
        Å, of images that are bonded to each other.
    periods : ndarray of float64, shape (dimension, 3)
        Å; translations by which the unit repeats: none for a molecule, two for a layer.
    """

    atoms: NDArray[np.int64]
    positions: NDArray[np.float64]
    periods: NDArray[np.float64]

    @property
    def dimension(self) -> int:
        """0 for a molecule or polyhedron, 1 for a chain, 2 for a layer, 3 for a framework."""
        return len(self.periods)


def rigid_units(crystal: Crystal) -> list[Unit]:
    """Return the units of a crystal, for the weakest bonds that divide it.

    A crystal may have one unit per cell, such as a layer or a molecule, which the cell repeats.
    Empty where no choice of bonds gives a unit of several atoms that is not a framework.
    """
    pairs = _pairs(crystal)
    for factor in FACTORS:
        units = _components(crystal, *(array[pairs[3] <= factor] for array in pairs[:3]))
        if any(unit.dimension < 3 and len(unit.atoms) > 1 for unit in units):
            return units
    return []


def _pairs(
    crystal: Crystal,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return i, j, shifts and distances over sums of covalent radii of all near pairs."""
    from nucleate.crystal.distances import neighbour_pairs

    radii = np.array([element(int(number)).covalent_radius for number in crystal.numbers])
    i, j, shifts, distances = neighbour_pairs(crystal, 2.0 * float(radii.max()) * FACTORS[0])
    return i, j, shifts, distances / (radii[i] + radii[j])


def _components(
    crystal: Crystal,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    shifts: NDArray[np.int64],
) -> list[Unit]:
    """Return the connected components of the bonds."""
    bonds: list[list[tuple[int, NDArray[np.int64]]]] = [[] for _ in range(crystal.n_atoms)]
    for i, j, shift in zip(first.tolist(), second.tolist(), shifts, strict=True):
        bonds[i].append((j, shift))
    seen: dict[int, NDArray[np.int64]] = {}
    units = []
    for start in range(crystal.n_atoms):
        if start in seen:
            continue
        seen[start] = np.zeros(3, dtype=np.int64)
        atoms, waiting, loops = [start], [start], []
        while waiting:
            atom = waiting.pop()
            for other, shift in bonds[atom]:
                image = seen[atom] + shift
                if other not in seen:
                    seen[other] = image
                    atoms.append(other)
                    waiting.append(other)
                elif (image != seen[other]).any():
                    loops.append(image - seen[other])
        places = np.array(atoms)
        images = np.array([seen[atom] for atom in atoms])
        positions = (crystal.scaled[places] + images) @ crystal.cell
        units.append(Unit(places, positions, _independent(loops) @ crystal.cell))
    return units


def _independent(loops: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return independent ones of some translations, shape (rank, 3)."""
    kept: list[NDArray[np.int64]] = []
    for loop in sorted(loops, key=lambda item: int(item @ item)):
        if np.linalg.matrix_rank(np.array([*kept, loop])) > len(kept):
            kept.append(loop)
        if len(kept) == 3:
            break
    return np.array(kept, dtype=np.float64).reshape(-1, 3)
