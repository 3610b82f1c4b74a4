"""A classical model of any set of elements, as its relaxer takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.energy.level import LevelOfTheory
    from nucleate.potentials.model import EnergyModel


class ModelSource(Protocol):
    """A force field or a library: makes the model of a set of elements."""

    @property
    def reach(self) -> float:
        """Distance in Å beyond which an atom counts as isolated."""
        ...

    def model(self, numbers: Iterable[int]) -> EnergyModel:
        """Return the model; raises `InputError` where the elements are not covered."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ClassicalModel:
    """A source of models with the level of theory of their energies.

    Attributes
    ----------
    source : ModelSource
    level : LevelOfTheory
    composition_energies : ndarray, optional
        eV/atom by atomic number: the part of the energy that the composition alone decides.
    max_depth : float, optional
        eV/atom below it, beyond which an energy is an unphysical minimum of the model.
    """

    source: ModelSource
    level: LevelOfTheory
    composition_energies: NDArray[np.float64] | None = None
    max_depth: float | None = None
