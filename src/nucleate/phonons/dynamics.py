"""Phonons of a relaxed crystal from forces on displaced supercells (phonopy).

Finite displacements after Parlinski, Li and Kawazoe, Phys. Rev. Lett. 78, 4063 (1997), with the
symmetry reduction and force constants of phonopy (Togo, Chaput, Tadano and Tanaka, J. Phys.
Condens. Matter 35, 353001, 2023). The non-analytical term of polar crystals is left out, so that
longitudinal optical modes are too soft close to the zone centre.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

SYMPREC = 1e-4
"""Tolerance in Å for crystals that were symmetrised before."""

BAND_POINTS = 120
MESH_LENGTH = 60.0
"""Å; the mesh of the density of states has a point for every such length, as in phonopy."""

LARGEST_SUPERCELL = 2000
"""Atoms."""


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Frequencies along a path through the Brillouin zone.

    Attributes
    ----------
    distance : ndarray, shape (n_points,)
        Length along the path in 1/Å.
    frequencies : ndarray, shape (n_points, n_modes)
        THz; imaginary ones as negative numbers.
    ticks, labels : list
        Where the named points are, and their names.
    """

    distance: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    ticks: list[float]
    labels: list[str]


class Displacements:
    """Supercells of a crystal with one atom displaced in each.

    Attributes
    ----------
    crystal : Crystal
        The relaxed crystal.
    supercells : list of Crystal
        Their forces are what :meth:`phonons` needs, in this order.
    """

    def __init__(self, crystal: Crystal, phonopy: Any) -> None:
        self.crystal = crystal
        self._phonopy = phonopy
        self.supercells = [_crystal(cell) for cell in phonopy.supercells_with_displacements]

    @property
    def multiples(self) -> tuple[int, int, int]:
        """How often the cell is repeated along each of its vectors."""
        first, second, third = np.diag(self._phonopy.supercell_matrix)
        return int(first), int(second), int(third)

    def phonons(self, forces: Sequence[ArrayLike]) -> Phonons:
        """Return the phonons.

        Parameters
        ----------
        forces
            Of each supercell, shape (n_atoms, 3), in eV/Å.
        """
        self._phonopy.forces = np.array([np.asarray(each, dtype=float) for each in forces])
        self._phonopy.produce_force_constants(show_drift=False)
        self._phonopy.symmetrize_force_constants(show_drift=False)
        return Phonons(self.crystal, self._phonopy)


class Phonons:
    """Harmonic lattice dynamics of a crystal.

    Attributes
    ----------
    crystal : Crystal
        The relaxed crystal.
    """

    def __init__(self, crystal: Crystal, phonopy: Any) -> None:
        self.crystal = crystal
        self.phonopy = phonopy
        self._bands: Bands | None = None
        self._states: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def exact_points(self) -> NDArray[np.float64]:
        """Wave vectors that fit the supercell, where frequencies are not interpolated.

        Shape (n_points, 3), in units of the reciprocal vectors of the primitive cell.
        """
        from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

        matrix = np.linalg.inv(self.phonopy.primitive_matrix) @ self.phonopy.supercell_matrix
        return np.array(get_commensurate_points(np.rint(matrix).astype(int)))

    def modes(self, point: ArrayLike) -> NDArray[np.float64]:
        """Return the frequencies in THz at a wave vector, imaginary ones negative, in order."""
        return np.array(self.phonopy.get_frequencies(np.asarray(point, dtype=float)))

    def softest(self) -> tuple[NDArray[np.float64], float]:
        """Return the exact wave vector with the lowest frequency, and that frequency in THz.

        The three modes nearest to zero at the zone centre are translations and do not count.
        """
        lowest: list[tuple[float, tuple[float, ...]]] = []
        for point in self.exact_points:
            frequencies = self.vibrations(point)
            lowest.append((float(frequencies.min(initial=np.inf)), tuple(point)))
        frequency, point = min(lowest)
        return np.array(point), frequency

    def vibrations(self, point: ArrayLike) -> NDArray[np.float64]:
        """Return the frequencies in THz at a wave vector, without the translations."""
        frequencies = self.modes(point)
        if not np.allclose(point, np.rint(point)):
            return frequencies
        return np.sort(frequencies[np.argsort(np.abs(frequencies))[3:]])

    def bands(self) -> Bands:
        """Return the frequencies along the standard path of the lattice (ASE's)."""
        if self._bands is None:
            self._bands = self._along_the_path()
        return self._bands

    def _along_the_path(self) -> Bands:
        cell = self._atoms().cell
        path = cell.bandpath(npoints=BAND_POINTS, eps=1e-3)
        frequencies = np.array([self.modes(point) for point in path.kpts])
        distance, ticks, labels = path.get_linear_kpoint_axis()
        return Bands(np.array(distance), frequencies, [float(t) for t in ticks], list(labels))

    def density_of_states(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return frequencies in THz and the density of states, in states per THz and cell."""
        if self._states is None:
            self.phonopy.run_mesh(MESH_LENGTH)
            self.phonopy.run_total_dos()
            dos = self.phonopy.total_dos
            self._states = np.array(dos.frequency_points), np.array(dos.dos)
        return self._states

    def save(self, path: Path) -> None:
        """Write cells, displacements and forces as a file that phonopy reads."""
        self.phonopy.save(path)

    def _atoms(self) -> Any:
        from ase import Atoms

        cell = self.phonopy.primitive
        return Atoms(numbers=cell.numbers, cell=cell.cell, pbc=True)


def displacements(
    crystal: Crystal, *, length: float = 12.0, distance: float = 0.03
) -> Displacements:
    """Return supercells with displaced atoms.

    Parameters
    ----------
    crystal
        Relaxed and symmetrised; the conventional cell is best.
    length
        The supercell is at least so long in Å along each vector of the cell.
    distance
        Displacement in Å; each is made in both directions.

    Raises
    ------
    MissingDependencyError
        If phonopy is not installed.
    InputError
        If the supercell is too large.
    """
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError as error:
        raise MissingDependencyError(
            "Phonons need phonopy: pip install 'nucleate[phonons]'."
        ) from error
    multiples = np.maximum(1, np.ceil(length / crystal.lengths - 1e-6)).astype(int)
    n_atoms = int(crystal.n_atoms * multiples.prod())
    if n_atoms > LARGEST_SUPERCELL:
        raise InputError(
            f"length = {length} Å makes a supercell of {n_atoms} atoms; at most "
            f"{LARGEST_SUPERCELL} are computed. Give a smaller length."
        )
    unit = PhonopyAtoms(
        numbers=crystal.numbers.tolist(), cell=crystal.cell, scaled_positions=crystal.scaled
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the primitive cell that "auto" finds
        phonopy = Phonopy(unit, np.diag(multiples), primitive_matrix="auto", symprec=SYMPREC)
    phonopy.generate_displacements(distance=distance, is_plusminus=True)
    return Displacements(crystal, phonopy)


def _crystal(cell: Any) -> Crystal:
    return Crystal(cell.numbers, cell.cell, cell.scaled_positions)
