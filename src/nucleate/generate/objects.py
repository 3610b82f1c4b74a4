"""A generator that was given as a Python object in place of a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PrivateAttr

from nucleate.errors import InputError
from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext


class ObjectSettings(GeneratorSettings):
    """A Python object in this process; made by the functions of the face, not in an input file."""

    name: str = Field(description="Where the class of the object is.")

    _object: Any = PrivateAttr(None)

    @classmethod
    def of(cls, given: object) -> Self:
        """Return the settings that hold an object with ``generate``."""
        kind = type(given)
        made = cls(name=f"{kind.__module__}:{kind.__qualname__}")
        made._object = given
        return made

    def build(self, context: GeneratorContext) -> Any:
        """Return the object; raises InputError where it is gone."""
        del context
        if self._object is None:
            raise InputError(
                f"search.generators: the Python object {self.name} lives in the process that was "
                "given it. Give it again with generators=..."
            )
        return self._object
