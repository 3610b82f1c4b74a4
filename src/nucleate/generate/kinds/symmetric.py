"""Random crystals in space groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.errors import InputError
from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.symmetric import SymmetricGenerator


class SymmetricSettings(GeneratorSettings):
    """Random crystals in space groups 2 to 230, by Wyckoff positions."""

    keeps_space_groups: ClassVar[bool] = True

    def build(self, context: GeneratorContext) -> SymmetricGenerator:
        """Return the generator; raises InputError if no space group asked for can be drawn."""
        from nucleate.generate.symmetric import SymmetricGenerator

        generator = SymmetricGenerator(context.space)
        units = context.space.formula_units
        if context.space.space_groups is not None and not any(
            generator.content(number).shares.any() for number in units
        ):
            if set(context.space.space_groups) == {1}:
                raise InputError(
                    "problem.space_groups = [1]: P1 alone asks for no symmetry, and random "
                    "crystals have space groups 2 to 230. Leave it out."
                )
            raise InputError(
                "problem.space_groups: none of these groups can hold "
                f"{context.space.composition.formula} in primitive cells of {units[0]} to "
                f"{units[-1]} formula units. Allow other groups or larger cells."
            )
        return generator
