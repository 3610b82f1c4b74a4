"""Any ASE calculator that gives energy, forces and stress, one crystal after another."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch, Evaluation
from nucleate.networks.engines.factory import made_by_path
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.settings import AseSettings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from nucleate.relax.settings import TierSettings


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
    """

    composition_energies = None
    batch_atoms = 1

    def __init__(self, calculator: Calculator, level: LevelOfTheory, cutoff: float) -> None:
        self.calculator = calculator
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


def build_relaxer(tier: TierSettings, pressure_gpa: float) -> BatchedRelaxer:
    """Return the relaxer of a tier whose engine is an ASE calculator.

    Raises
    ------
    InputError
        If the import path names nothing, or the calculator does not take its options.
    MissingDependencyError
        If the module of the calculator is not installed.
    """
    import ase

    engine = tier.engine
    assert isinstance(engine, AseSettings)
    calculator = made_by_path(
        "calculator", engine.calculator, engine.options, "ase.calculators.emt:EMT"
    )
    settings = sha256(repr(sorted(engine.options.items())).encode()).hexdigest()[:12]
    level = LevelOfTheory("ase", ase.__version__, engine.calculator, settings=settings)
    return BatchedRelaxer(AseModel(calculator, level, engine.cutoff), tier, pressure_gpa)
