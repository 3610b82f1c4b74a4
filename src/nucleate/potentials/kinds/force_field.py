"""Published force fields (Buckingham and charges) from TOML or a GULP library."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nucleate.crystal.elements import element
from nucleate.energy.engine import Engine, EngineContext
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.potentials.source import ClassicalModel
from nucleate.potentials.toml_format import read_force_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ForceFieldSettings(Engine):
    """A published force field: Buckingham terms and charges."""

    relaxer: ClassVar[str] = "nucleate.relax.classical:ClassicalRelaxer"
    ranks_single_points: ClassVar[bool] = False
    file_suffixes: ClassVar[tuple[str, ...]] = (".toml", ".lib")
    supports: ClassVar[frozenset[str]] = frozenset()
    tier_defaults: ClassVar[dict[str, Any]] = {
        "max_steps": 3000,
        "fmax_ev_per_ang": 1e-4,
        "max_stress_gpa": 3e-4,
    }

    file: str = Field(description="TOML file, or a GULP library.")

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return the pair of elements that the force field lacks, in a sentence."""
        try:
            read_force_field(self.file).check_pairs(elements)
        except InputError as error:
            return [str(error)]
        return []

    def refusal(self, counts: Mapping[str, int]) -> str | None:
        """Return why the force field cannot treat a composition, or None.

        Its charges may not add up to 0, as in an element.
        """
        numbers = [element(symbol).number for symbol, count in counts.items() for _ in range(count)]
        try:
            read_force_field(self.file).check(numbers)
        except InputError as error:
            return str(error)
        return None

    def build(self, context: EngineContext) -> ClassicalModel:
        """Return the force field; raises InputError if the file is missing or malformed."""
        from nucleate import __version__

        del context
        field = read_force_field(self.file)
        level = LevelOfTheory(
            code="nucleate",
            version=__version__,
            model=f"force-field:{field.name}",
            checkpoint=hashlib.sha256(Path(self.file).read_bytes()).hexdigest()[:12],
        )
        return ClassicalModel(field, level)
