"""What an external program must be able to do: write its input, read its output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory


class UnreadableError(Exception):
    """An output has no usable result; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What one stage is to reach.

    Attributes
    ----------
    relax : str
        ``none``, ``positions`` or ``cell``.
    max_steps : int
        Largest number of steps.
    fmax : float
        eV/Å, largest force at the end.
    max_stress_gpa : float
        GPa, largest stress at the end.
    pressure_gpa : float
        External pressure.
    fixed : ndarray of bool, shape (n_atoms, 3), or None
        Fractional coordinates that must stay; only for programs with ``holds_atoms``.
    """

    relax: str
    max_steps: int
    fmax: float
    max_stress_gpa: float
    pressure_gpa: float
    fixed: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """How a program is started once its input is written.

    Attributes
    ----------
    command : tuple of str
        Program and arguments.
    output : str
        File for standard output.
    stdin : str or None
        File for standard input.
    environment : dict
        Variables in addition to the existing ones.
    """

    command: tuple[str, ...]
    output: str = "output"
    stdin: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class StageResult:
    """What one stage left behind.

    Attributes
    ----------
    crystal : Crystal
        Last geometry that was evaluated, atoms in the order of the input.
    energy : float
        eV per cell at that geometry, without the term of the external pressure.
    forces : ndarray of float64, shape (n_atoms, 3)
        eV/Å.
    stress_gpa : ndarray of float64, shape (3, 3)
        GPa, tension positive.
    scf_converged : bool
        Whether the electrons converged at that geometry.
    complete : bool
        Whether the program came to its regular end.
    steps : int
        Number of geometries evaluated.
    """

    crystal: Crystal
    energy: float
    forces: NDArray[np.float64]
    stress_gpa: NDArray[np.float64]
    scf_converged: bool
    complete: bool
    steps: int


class Program(Protocol):
    """One external program with its settings.

    Attributes
    ----------
    level : LevelOfTheory
        Of the energies of the last stage.
    elements : frozenset of int
        Atomic numbers that it can treat.
    total_energies : bool
        Whether its energies count from free ions, or from nuclei and electrons, so that their size
        says nothing.
    holds_atoms : bool
        Whether ``write`` holds ``goal.fixed``; crystals with fixed atoms are refused otherwise.
        May be missing, which means False.
    outputs : tuple of str
        Files whose ends are shown when it fails, the most telling last.
    """

    level: LevelOfTheory
    elements: frozenset[int]
    total_energies: bool
    outputs: tuple[str, ...]

    def write(self, folder: Path, crystal: Crystal, stage: Any, goal: Goal) -> Launch:
        """Write the input of a stage into its folder and return how to start it."""
        ...

    def read(self, folder: Path, crystal: Crystal) -> StageResult:
        """Return what a stage left behind, whole or not; raises UnreadableError if nothing.

        Parameters
        ----------
        folder
            Where it ran.
        crystal
            Geometry that it started from.
        """
        ...
