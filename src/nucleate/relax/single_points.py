"""Energies of many crystals as they are, with one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.relax.guards import refusal
from nucleate.relax.model import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.model import BatchedModel


def single_point_energies(model: BatchedModel, crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    """Return energies in eV/atom, shape (n_crystals,); NaN where the model refuses a crystal."""
    energies = np.full(len(crystals), np.nan)
    for row, crystal in enumerate(crystals):
        refused = refusal(crystal, elements=model.elements, cutoff=model.cutoff, max_atoms=None)
        if refused is None:
            energies[row] = model.evaluate(Batch.of([crystal])).energies[0] / crystal.n_atoms
    return energies
