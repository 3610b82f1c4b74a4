"""A surrogate fitted to the evaluations of another model: a linear potential of some elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from nucleate.crystal.elements import element
from nucleate.energy.engine import Engine, EngineContext
from nucleate.errors import InputError
from nucleate.surrogate.surrogate import Surrogate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.potentials.source import ClassicalModel


class SurrogateSettings(Engine):
    """A surrogate fitted to the evaluations of another model: a linear potential."""

    relaxer: ClassVar[str] = "nucleate.relax.classical:ClassicalRelaxer"
    ranks_single_points: ClassVar[bool] = False
    supports: ClassVar[frozenset[str]] = frozenset({"guards.energy_window_ev_per_atom"})
    tier_defaults: ClassVar[dict[str, Any]] = {
        "max_steps": 150,
        "fmax_ev_per_ang": 0.1,
        "max_stress_gpa": 1.0,
    }

    file: str = Field(
        description="Fitted surrogate, from nucleate surrogate show RUN --weights FILE."
    )

    @model_validator(mode="before")
    @classmethod
    def _names_a_file(cls, data: Any) -> Any:
        if isinstance(data, dict) and "file" not in data:
            raise ValueError(
                "engine.file is missing: name a fit that nucleate surrogate show RUN --weights "
                "FILE has written. For a surrogate that learns in the run, give --learn, or put a "
                'tier with name = "surrogate" and no engine before the others.'
            )
        return data

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return the elements that the fit lacks, or that it cannot be read, in a sentence."""
        try:
            Surrogate.load(self.file).model([element(symbol).number for symbol in elements])
        except InputError as error:
            return [str(error)]
        return []

    def build(self, context: EngineContext) -> ClassicalModel:
        """Return the surrogate; raises InputError if the file is missing or of another version."""
        del context
        return Surrogate.load(self.file).classical()
