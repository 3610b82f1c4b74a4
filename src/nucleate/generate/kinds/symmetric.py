"""Random crystals in space groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.symmetric import SymmetricGenerator


class SymmetricSettings(GeneratorSettings):
    """Random crystals in space groups 2 to 230, by Wyckoff positions."""

    def build(self, context: GeneratorContext) -> SymmetricGenerator:
        """Return the generator."""
        from nucleate.generate.symmetric import SymmetricGenerator

        return SymmetricGenerator(context.space)
