"""Random crystals of a rigid motif and the rest of the atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.errors import InputError
from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.rigid import RigidGenerator


class RigidSettings(GeneratorSettings):
    """Random crystals of the motif that ``problem.motif`` keeps rigid, and the other atoms."""

    keeps_motif: ClassVar[bool] = True

    def build(self, context: GeneratorContext) -> RigidGenerator:
        """Return the generator."""
        from nucleate.generate.rigid import RigidGenerator

        if context.space.motif is None:
            raise InputError(
                "the generator 'rigid' needs problem.motif, the file of what is kept rigid. Give "
                "it, or leave the generator out."
            )
        return RigidGenerator(context.space, context.space.motif)
