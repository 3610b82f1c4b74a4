"""A classical model of any set of elements, as its relaxer takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    """A source of models with the level of theory of their energies."""

    source: ModelSource
    level: LevelOfTheory
