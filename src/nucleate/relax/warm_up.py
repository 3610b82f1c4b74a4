"""What a relaxer computes before the clock of a search starts, so that everything is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import BATCH_ATOMS, Batch, Evaluation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory

SPACING_ANG = 2.2
"""Å between neighbours of the warm-up crystal: some pairs are closer than they may be, so that the
code is compiled that pushes atoms apart."""

STEPS = 3
ALL_ELEMENTS = frozenset(range(1, 119))


def loose_crystal(numbers: Sequence[int]) -> Crystal:
    """Return atoms on a simple cubic grid.

    Parameters
    ----------
    numbers
        Atomic numbers.
    """
    side = int(np.ceil(len(numbers) ** (1.0 / 3.0)))
    grid = np.indices((side, side, side)).reshape(3, -1).T[: len(numbers)]
    return Crystal(np.array(numbers), np.eye(3) * SPACING_ANG * side, grid / side)


class Springs:
    """A model that costs nothing, in place of one whose energies are expensive.

    Attributes
    ----------
    level : LevelOfTheory
        That of the model it stands for.
    """

    cutoff = 6.0
    batch_atoms = BATCH_ATOMS
    composition_energies: NDArray[np.float64] | None = None

    def __init__(self, level: LevelOfTheory) -> None:
        self.level = level
        self.elements = ALL_ELEMENTS

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return energies that fall with the displacement of every second atom."""
        forces = np.zeros_like(batch.positions)
        forces[::2, 0] = 0.2
        energies = np.add.reduceat(-(forces * batch.positions).sum(axis=1), batch.start[:-1])
        return Evaluation(energies, forces, np.zeros((batch.n_crystals, 3, 3)))
