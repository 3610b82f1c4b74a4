"""Proxy potentials derived from known structures; energies in arbitrary units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate import __version__
from nucleate.energy.level import LevelOfTheory
from nucleate.potentials.spp import SppLibrary, shipped_library
from nucleate.relax.classical import ClassicalRelaxer

if TYPE_CHECKING:
    from nucleate.relax.settings import TierSettings


def build_relaxer(tier: TierSettings, pressure_gpa: float) -> ClassicalRelaxer:
    """Return the relaxer of a tier whose engine is spp.

    The external pressure is not used: the potentials have no unit of energy.
    """
    del pressure_gpa
    engine = tier.engine
    assert engine.kind == "spp"
    library = SppLibrary.load(engine.file) if engine.file else shipped_library()
    return ClassicalRelaxer(library, level_of(library), tier)


def level_of(library: SppLibrary) -> LevelOfTheory:
    """Return the level of theory of a library: no unit, never compared with an energy in eV."""
    return LevelOfTheory(
        code="nucleate",
        version=__version__,
        model="SPP",
        checkpoint=library.digest,
        unit="arbitrary",
    )
