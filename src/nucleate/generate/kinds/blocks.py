"""Random stacks of sub-modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.blocks import BlocksGenerator
    from nucleate.generate.context import GeneratorContext


class BlocksSettings(GeneratorSettings):
    """Random stacks of sub-modules (the FUSE papers' generator)."""

    works: ClassVar[tuple[str, ...]] = ("collins2017",)

    def build(self, context: GeneratorContext) -> BlocksGenerator:
        """Return the generator."""
        from nucleate.generate.blocks import BlocksGenerator

        return BlocksGenerator(context.space)
