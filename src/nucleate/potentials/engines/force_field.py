"""Published force fields (Buckingham and charges) from TOML or a GULP library."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate import __version__
from nucleate.energy.level import LevelOfTheory
from nucleate.potentials.toml_format import read_force_field
from nucleate.relax.classical import ClassicalRelaxer, tightened

if TYPE_CHECKING:
    from nucleate.relax.settings import TierSettings


def build_relaxer(tier: TierSettings, pressure_gpa: float) -> ClassicalRelaxer:
    """Return the relaxer of a tier whose engine is force-field.

    Raises
    ------
    InputError
        If the file is missing or malformed.
    """
    engine = tier.engine
    assert engine.kind == "force-field"
    field = read_force_field(engine.file)
    level = LevelOfTheory(
        code="nucleate",
        version=__version__,
        model=f"force-field:{field.name}",
        checkpoint=hashlib.sha256(Path(engine.file).read_bytes()).hexdigest()[:12],
    )
    return ClassicalRelaxer(field, level, tightened(tier), pressure_gpa)
