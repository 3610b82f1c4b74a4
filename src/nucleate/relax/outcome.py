"""What a relaxation ends in: `Relaxed`, or `Failed` with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from nucleate.text import clean

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory


class FailReason(StrEnum):
    """Why a relaxation gave no usable energy."""

    INVALID = "invalid"  # NaN, empty or flat cell, element outside the model
    ISOLATED_ATOM = "isolated-atom"
    TOO_CLOSE = "too-close"
    COLLAPSED = "collapsed"
    EXPLODED = "exploded"
    NOT_FINITE = "not-finite"  # the model returned NaN or infinity
    TOO_LARGE = "too-large"  # does not fit in memory
    TIMEOUT = "timeout"
    CRASHED = "crashed"  # the worker process died
    CALCULATOR = "calculator"  # the engine raised an error
    MISSING_PROGRAM = "missing-program"  # an external program that cannot be started
    NOT_CONVERGED = "not-converged"  # the electrons of a DFT program did not converge
    SCREENED = "screened"  # no failure: a surrogate found it unpromising, no tier relaxed it
    UNREADABLE = "unreadable"  # an external program whose output holds no result


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Relaxed:
    """A crystal at the end of its relaxation.

    Attributes
    ----------
    crystal : Crystal
        Final geometry.
    energy : float
        eV per cell, of this level of theory only.
    enthalpy : float
        eV per cell: energy + pressure x volume.
    forces : ndarray of float64, shape (n_atoms, 3)
        eV/Å.
    stress_gpa : ndarray of float64, shape (3, 3)
        GPa, tension positive (ASE's sign); external pressure not subtracted.
    max_force : float
        Largest force on an atom in eV/Å.
    max_stress_gpa : float
        Largest component of the stress left after the external pressure, in GPa.
    converged : bool
        Force and stress criteria met, recomputed at the final geometry.
    steps, evaluations : int
        Optimiser steps and energy evaluations.
    wall_s : float
        Seconds of wall time charged to this crystal.
    note : str
        Why it is not converged, empty where it is.
    fixed : ndarray of bool, shape (n_atoms, 3), or None
        Fractional coordinates that were held; known to the results of ``nucleate.relax`` only.
    """

    crystal: Crystal
    energy: float
    enthalpy: float
    forces: NDArray[np.float64]
    stress_gpa: NDArray[np.float64]
    max_force: float
    max_stress_gpa: float
    converged: bool
    steps: int
    evaluations: int
    wall_s: float
    level: LevelOfTheory
    note: str = ""
    fixed: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Clean the note, which may come from an engine."""
        object.__setattr__(self, "note", clean(self.note))

    @property
    def energy_per_atom(self) -> float:
        """Energy in eV/atom."""
        return self.energy / self.crystal.n_atoms

    @property
    def enthalpy_per_atom(self) -> float:
        """Enthalpy in eV/atom."""
        return self.enthalpy / self.crystal.n_atoms

    @property
    def pressure_gpa(self) -> float:
        """External pressure in GPa, from enthalpy = energy + pressure x volume."""
        from nucleate.units import GPA_PER_EV_A3

        per_volume = (self.enthalpy - self.energy) / self.crystal.volume
        return round(per_volume * GPA_PER_EV_A3, 6) + 0.0  # never -0.0

    def to_ase(self) -> Atoms:
        """Return ASE atoms whose calculator gives energy (eV), forces (eV/Å) and stress (eV/Å³).

        What was held fixed is a constraint of the atoms. A model in arbitrary units leaves the
        calculator out: ASE's energies are in eV.
        """
        from ase.calculators.singlepoint import SinglePointCalculator

        from nucleate.crystal.constraints import constraints_of

        atoms = self.crystal.to_ase()
        atoms.set_constraint(constraints_of(self.fixed))
        if self.level.unit == "eV":
            atoms.calc = SinglePointCalculator(
                atoms, energy=self.energy, forces=self.forces, stress=self._voigt_stress
            )
        atoms.info |= {"model": self.level.model, "converged": self.converged}
        return atoms

    def to_pymatgen(self) -> Structure:
        """Return a pymatgen structure with ``properties`` and the site property ``forces``.

        ``properties`` has ``energy`` (eV), ``stress`` (eV/Å³, ASE's sign and order), ``model``
        and ``converged``. A model in arbitrary units gives ``energy_arbitrary`` and no more.
        """
        structure = self.crystal.to_pymatgen()
        structure.properties |= {"model": self.level.model, "converged": self.converged}
        if self.level.unit == "eV":
            structure.add_site_property("forces", self.forces.tolist())
            structure.properties |= {"energy": self.energy, "stress": self._voigt_stress.tolist()}
        else:
            structure.properties["energy_arbitrary"] = self.energy
        return structure

    @property
    def _voigt_stress(self) -> NDArray[np.float64]:
        """Stress in eV/Å³ as xx, yy, zz, yz, xz, xy."""
        from nucleate.units import GPA_PER_EV_A3

        stress = self.stress_gpa / GPA_PER_EV_A3
        return stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]

    def __repr__(self) -> str:
        unit = "eV/atom" if self.level.unit == "eV" else "(arbitrary)/atom"
        state = "converged" if self.converged else self.note or "not converged"
        return (
            f"Relaxed({self.crystal.formula}, {self.enthalpy_per_atom:.4f} {unit}, "
            f"{self.level.model}, {state})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """A relaxation that gave no usable energy: data, not an exception."""

    reason: FailReason
    message: str
    last: Crystal | None = None
    wall_s: float = 0.0

    def __post_init__(self) -> None:
        """Clean the message, which may come from an engine."""
        object.__setattr__(self, "message", clean(self.message))


Outcome: TypeAlias = Relaxed | Failed
