"""Energies, forces, stresses and relaxations of crystals with one classical model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.potentials.kernels import Tables
    from nucleate.potentials.optimiser import Descent, Limits, NeighbourList


class AnyTables(Protocol):
    """Arrays of a form of energy: what :func:`~nucleate.potentials.total.total_energy` takes."""

    @property
    def cutoff(self) -> float:
        """Largest cut-off in Å."""
        ...


OVERLAP = 0.5  # Å
SMALLEST_VOLUME = 1.0 / 3.0  # of the expected volume
LARGEST_VOLUME = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Energy and its derivatives at one geometry.

    Attributes
    ----------
    energy : float
        eV per cell (arbitrary units for proxy potentials, here and below).
    forces : ndarray of float64, shape (n_atoms, 3)
        eV/Å.
    stress : ndarray of float64, shape (3, 3)
        eV/Å^3, tension positive.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Criteria:
    """When a relaxation ends.

    Attributes
    ----------
    fmax : float
        Largest force in eV/Å.
    max_stress : float
        Largest stress component left, in eV/Å^3.
    rms_gradient : float
        Alternative: root mean square of the whole gradient (forces, and strain derivatives
        divided by sqrt(n)); 0 switches it off.
    max_steps : int
        Limit of steps.
    """

    fmax: float = 1e-4
    max_stress: float = 2e-6
    rms_gradient: float = 0.0
    max_steps: int = 3000


@dataclass(frozen=True, slots=True, eq=False)
class Minimum:
    """The end of one compiled relaxation.

    Attributes
    ----------
    crystal : Crystal
        Final geometry.
    evaluation : Evaluation
        At that geometry.
    converged : bool
        Whether the criteria were met.
    failure : str
        ``overlap``, ``shrunk``, ``exploded`` or ``not-finite``; empty for a usable end.
    steps, evaluations : int
        Accepted steps and energy evaluations.
    """

    crystal: Crystal
    evaluation: Evaluation
    converged: bool
    failure: str
    steps: int
    evaluations: int


@dataclass(frozen=True, slots=True, eq=False)
class EnergyModel:
    """A classical energy model for a set of elements.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers, in the order of the species indices of the tables.
    tables : Tables
        Arrays of the compiled sums, or those of another form of energy that has an overload of
        :func:`~nucleate.potentials.total.total_energy`.
    """

    elements: tuple[int, ...]
    tables: Tables | AnyTables

    @property
    def sums(self) -> Tables:
        """The arrays of the compiled sums; raises TypeError for another form of energy."""
        from nucleate.potentials.kernels import Tables

        if not isinstance(self.tables, Tables):
            raise TypeError(f"{type(self.tables).__name__} are not the tables of compiled sums")
        return self.tables

    def kinds(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the species index of each atom.

        Raises
        ------
        ValueError
            If an element is not in the model.
        """
        lookup = np.full(200, -1, dtype=np.int64)
        lookup[list(self.elements)] = np.arange(len(self.elements))
        kinds = lookup[numbers]
        if kinds.min(initial=0) < 0:
            raise ValueError(f"element {numbers[kinds.argmin()]} is not in this model")
        return kinds

    def evaluate(self, crystal: Crystal) -> Evaluation:
        """Return energy, forces and stress of a crystal."""
        from nucleate.potentials.total import evaluated

        cell, kinds = np.array(crystal.cell), self.kinds(crystal.numbers)
        order = np.argsort(kinds, kind="stable")
        kinds, pos = kinds[order], crystal.scaled[order] @ cell
        forces, virial = np.zeros_like(pos), np.zeros((3, 3))
        energy, _ = evaluated(pos, cell, kinds, self.tables, forces, virial)
        return Evaluation(energy, _restored(forces, order), virial / abs(np.linalg.det(cell)))

    def evaluate_all(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Return the evaluation of each crystal, on every core."""
        from nucleate.potentials.threads import map_threaded

        return map_threaded(self.evaluate, crystals)

    def relax(
        self,
        crystal: Crystal,
        criteria: Criteria | None = None,
        *,
        pressure: float = 0.0,
        move_cell: bool = True,
    ) -> Minimum:
        """Relax positions and cell to a minimum of the enthalpy.

        Parameters
        ----------
        crystal
            Start.
        criteria
            When to stop; the default is tight (1e-4 eV/Å).
        pressure
            External pressure in eV/Å^3.
        move_cell
            Relax the cell too.
        """
        from nucleate.potentials.optimiser import descend

        criteria = criteria or Criteria()
        descent, near, order = self.start_descent(crystal)
        limits = self.limits(crystal, criteria)
        status, _ = descend(
            descent, near, self.tables, pressure, move_cell, limits, 15 * criteria.max_steps + 15
        )
        return self.minimum(crystal, descent, order, status)

    def start_descent(
        self, crystal: Crystal, free: NDArray[np.bool_] | None = None
    ) -> tuple[Descent, NeighbourList, NDArray[np.int64]]:
        """Return a relaxation at its start, its neighbours, and the order of atoms in it."""
        from nucleate.potentials.optimiser import start_descent

        kinds = self.kinds(crystal.numbers)
        order = np.argsort(kinds, kind="stable")
        ordered = Crystal(crystal.numbers[order], crystal.cell, crystal.scaled[order])
        free = None if free is None else free[order]
        return *start_descent(ordered, kinds[order], free), order

    def limits(self, crystal: Crystal, criteria: Criteria, compression: float = 1.0) -> Limits:
        """Return where a relaxation of a crystal ends; ``compression`` lowers the least volume."""
        from nucleate.potentials.optimiser import Limits

        expected = expected_volume(crystal)
        return Limits(
            float(criteria.fmax),
            float(criteria.max_stress),
            float(criteria.rms_gradient),
            SMALLEST_VOLUME * expected * min(compression, 1.0),
            max(LARGEST_VOLUME * expected, 1.5 * crystal.volume),
            OVERLAP,
            criteria.max_steps,
        )

    def minimum(
        self, crystal: Crystal, descent: Descent, order: NDArray[np.int64], status: int
    ) -> Minimum:
        """Return where a relaxation of a crystal is, in the order of the crystal's atoms."""
        from nucleate.potentials.optimiser import accepted_geometry

        scaled, cell = accepted_geometry(descent.state)
        final = Crystal(crystal.numbers, cell, _restored(scaled, order))
        evaluation = Evaluation(
            descent.energy, _restored(descent.forces, order), descent.virial / final.volume
        )
        return Minimum(
            final, evaluation, status == 0, _FAILURES[status],
            descent.state.steps_accepted, descent.evaluations,
        )  # fmt: skip


_FAILURES = ("", "", "", "overlap", "shrunk", "exploded", "not-finite")


def _restored(rows: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.empty_like(rows)
    out[order] = rows
    return out


def expected_volume(crystal: Crystal) -> float:
    """Return the expected volume of a crystal's atoms in Å^3."""
    from nucleate.crystal.composition import Composition

    composition = Composition.from_numbers(crystal.numbers)
    return composition.volume_per_atom * crystal.numbers.size
