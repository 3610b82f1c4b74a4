"""What a relaxation ends in: `Relaxed`, or `Failed` with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    UNREADABLE = "unreadable"  # an external program whose output holds no result


@dataclass(frozen=True, slots=True, eq=False)
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

    @property
    def energy_per_atom(self) -> float:
        """Energy in eV/atom."""
        return self.energy / self.crystal.n_atoms

    @property
    def enthalpy_per_atom(self) -> float:
        """Enthalpy in eV/atom."""
        return self.enthalpy / self.crystal.n_atoms


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """A relaxation that gave no usable energy: data, not an exception."""

    reason: FailReason
    message: str
    last: Crystal | None = None
    wall_s: float = 0.0


Outcome: TypeAlias = Relaxed | Failed
