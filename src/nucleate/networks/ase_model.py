"""Any ASE calculator as a batched model, one crystal after another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER, element
from nucleate.energy.model import Batch, Evaluation
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory

ROOM = 3.1
"""Edge of a face-centred crystal in covalent radii, for atoms somewhat farther than a bond."""

NEEDED = ("energy", "forces", "stress")
"""What a calculator must compute, by ASE's names."""


UNKNOWN = (NotImplementedError, KeyError, IndexError)
"""What calculators raise for elements that they have no parameters for."""

TRIAL_S = 5.0
"""Seconds after which no further element is tried."""


def refused_elements(calculator: Calculator, symbols: Sequence[str]) -> dict[str, str]:
    """Return the elements that a calculator does not know, with its words.

    Each is evaluated once, as a face-centred crystal. Other errors than those of missing parameters
    say nothing of the element, and calculators that start a program are not tried.

    Parameters
    ----------
    calculator
        Any.
    symbols
        Elements.

    Examples
    --------
    >>> from ase.calculators.emt import EMT
    >>> refused_elements(EMT(), ["Cu", "Fe"])
    {'Fe': 'No EMT-potential for Fe'}
    """
    from ase.calculators.calculator import FileIOCalculator

    found: dict[str, str] = {}
    if isinstance(calculator, FileIOCalculator):
        return found
    started_s = time.monotonic()
    for symbol in symbols:
        if words := _refusal(calculator, symbol):
            found[symbol] = words
        if time.monotonic() - started_s > TRIAL_S:
            break
    return found


def _refusal(calculator: Calculator, symbol: str) -> str:
    """Return what a calculator says of an element without parameters; empty for any other."""
    from ase.build import bulk

    atoms = bulk(symbol, "fcc", a=ROOM * element(symbol).covalent_radius)
    atoms.calc = calculator
    try:
        atoms.get_potential_energy()
    except UNKNOWN as error:
        return str(error.args[0] if error.args else type(error).__name__)
    except Exception:  # noqa: BLE001 (of whatever the calculator is made of)
        return ""
    return ""


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
            energies.append(_scalar(atoms.get_potential_energy()))
            forces.append(atoms.get_forces())
            stresses.append(atoms.get_stress(voigt=False))
        return Evaluation(
            energies=np.array(energies),
            forces=np.concatenate(forces),
            stresses=np.stack(stresses),
        )


def _scalar(energy: Any) -> Any:
    """Return an energy, also out of an array of one number; its type is checked with the rest."""
    return energy.item() if isinstance(energy, np.ndarray) and energy.size == 1 else energy
