"""A Python object that was given in place of a name: an ASE calculator or a batched model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PrivateAttr

from nucleate.energy.engine import Engine
from nucleate.errors import InputError
from nucleate.networks.keys import Cutoff

if TYPE_CHECKING:
    from nucleate.energy.engine import EngineContext
    from nucleate.energy.model import BatchedModel


class GivenSettings(Engine):
    """A Python object in this process; made by the functions of the face, not in an input file."""

    name: str = Field(description="Where the class of the object is.")
    cutoff: Cutoff = 6.0

    _object: Any = PrivateAttr(None)

    @classmethod
    def of(cls, given: Any) -> Self:
        """Return the settings that hold an object.

        Raises
        ------
        InputError
            If it is neither an ASE calculator nor a batched model.
        """
        kind = type(given)
        is_model = hasattr(given, "evaluate") and hasattr(given, "level")
        if not (is_model or hasattr(given, "get_potential_energy")):
            raise InputError(
                f"model is a {kind.__name__}. Give the name of a model, the path of a force field, "
                "an ASE calculator, a batched model (with level and evaluate), or settings."
            )
        made = cls(name=f"{kind.__module__}:{kind.__qualname__}")
        made._object = given
        return made

    def build(self, context: EngineContext) -> BatchedModel:
        """Return the object as a batched model; raises InputError where it is gone."""
        import ase

        from nucleate.energy.level import LevelOfTheory
        from nucleate.networks.ase_model import AseModel

        del context
        if self._object is None:
            raise InputError(
                f"engine: the Python object {self.name} lives in the process that "
                "was given it. Give it again with model=..."
            )
        if hasattr(self._object, "evaluate"):
            return self._object
        level = LevelOfTheory("ase", ase.__version__, self.name)
        return AseModel(self._object, level, self.cutoff)
