"""Any ASE calculator as a batched model, one crystal after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.model import Batch, Evaluation
from nucleate.errors import InputError

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory

NEEDED = ("energy", "forces", "stress")
"""What a calculator must compute, by ASE's names."""


class AseModel:
    """A :class:`~nucleate.energy.model.BatchedModel` on top of an ASE calculator.

    Parameters
    ----------
    calculator
        Any ASE calculator with energy (eV), forces (eV/Å) and stress (eV/Å³).
    level
        Written beside every energy.
    cutoff
        Å; an atom without a neighbour within it is refused beforehand.

    Raises
    ------
    InputError
        If the calculator says that it does not compute one of them.
    """

    composition_energies: NDArray[np.float64] | None = None
    batch_atoms = 1

    def __init__(self, calculator: Calculator, level: LevelOfTheory, cutoff: float) -> None:
        says = getattr(calculator, "implemented_properties", None)
        missing = [] if not says else [name for name in NEEDED if name not in says]
        if missing:
            raise InputError(
                f"the calculator {type(calculator).__name__} ({level.model}) does not compute "
                f"{' and '.join(missing)}. Use one that computes energy, forces and stress."
            )
        self.calculator = self.wrapped = calculator
        self.level = level
        self.cutoff = cutoff
        self.elements = frozenset(range(1, MAX_NUMBER + 1))

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies, forces and stresses of a batch."""
        from ase import Atoms

        energies, forces, stresses = [], [], []
        for index in range(batch.n_crystals):
            first, last = batch.start[index], batch.start[index + 1]
            atoms = Atoms(
                numbers=batch.numbers[first:last],
                positions=batch.positions[first:last],
                cell=batch.cells[index],
                pbc=True,
            )
            atoms.calc = self.calculator
            energies.append(float(atoms.get_potential_energy()))
            forces.append(atoms.get_forces())
            stresses.append(atoms.get_stress(voigt=False))
        return Evaluation(
            energies=np.array(energies),
            forces=np.concatenate(forces),
            stresses=np.stack(stresses),
        )
