"""Proxy potentials derived from known structures; energies in arbitrary units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nucleate.crystal.elements import element
from nucleate.energy.engine import Engine, EngineContext
from nucleate.errors import InputError
from nucleate.potentials.source import ClassicalModel
from nucleate.potentials.spp import SppLibrary, shipped_library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.energy.level import LevelOfTheory


class SppSettings(Engine):
    """Proxy potentials derived from known structures; energies in arbitrary units."""

    relaxer: ClassVar[str] = "nucleate.relax.classical:ClassicalRelaxer"
    ranks_single_points: ClassVar[bool] = False
    energy_unit: ClassVar[str] = "arbitrary"
    supports: ClassVar[frozenset[str]] = frozenset()
    tier_defaults: ClassVar[dict[str, Any]] = {"max_steps": 3000}

    file: str | None = Field(
        None, description="Library (npz) from nucleate potentials derive; default: the shipped one."
    )

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return the elements that the library lacks, or that it cannot be read, in a sentence."""
        try:
            self._library().check([element(symbol).number for symbol in elements])
        except InputError as error:
            return [str(error)]
        return []

    def _library(self) -> SppLibrary:
        return SppLibrary.load(self.file) if self.file else shipped_library()

    def build(self, context: EngineContext) -> ClassicalModel:
        """Return the library; the external pressure is not used, as the energies have no unit."""
        del context
        library = self._library()
        return ClassicalModel(library, level_of(library))


def level_of(library: SppLibrary) -> LevelOfTheory:
    """Return the level of theory of a library: no unit, never compared with an energy in eV."""
    from nucleate import __version__
    from nucleate.energy.level import LevelOfTheory

    return LevelOfTheory(
        code="nucleate",
        version=__version__,
        model="SPP",
        checkpoint=library.digest,
        unit="arbitrary",
    )
