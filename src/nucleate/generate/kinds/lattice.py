"""Lowest arrangements of ions on grids, relaxed with a force field or with formal charges."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.lattice import LatticeGenerator


class LatticeSettings(GeneratorSettings):
    """Ions on grids under likely space groups: the lowest arrangements, relaxed."""

    keeps_space_groups: ClassVar[bool] = True
    works: ClassVar[tuple[str, ...]] = ("gusev2023",)
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "random"

    force_field: str | None = Field(
        None,
        description="TOML file or GULP library; default: formal charges and radii.",
    )
    grids: int = Field(
        1000, ge=1, description="Grids that are looked at, likely and cheap ones first."
    )
    relaxed: int = Field(
        100, ge=1, description="Lowest grids whose arrangements are relaxed, over all batches."
    )
    keep: int = Field(3, ge=1, description="Arrangements of each of these grids.")
    max_atoms: int = Field(
        40, ge=1, description="Maximum number of atoms in a primitive cell on a grid."
    )
    leading: int = Field(
        10, ge=0, description="Candidates of the first batch before anything else is drawn."
    )

    def build(self, context: GeneratorContext) -> LatticeGenerator | None:
        """Return the generator; None with a warning for compositions without charges."""
        from nucleate.exact.pair_models import ionic_field
        from nucleate.generate.lattice import LatticeGenerator
        from nucleate.potentials.toml_format import read_force_field

        composition = context.space.composition
        if self.force_field is not None:
            source = read_force_field(self.force_field)
        elif composition.oxidation_states is None:
            context.warn(
                f"lattice: {composition.formula} has no oxidation states that add up to 0; give "
                "force_field, or oxidation_states. The other generators serve alone."
            )
            return None
        elif any(state % 1 for state in composition.oxidation_states.values()):
            context.warn(
                f"lattice: {composition.formula} has mixed valence, whose charges it cannot place; "
                "give force_field. The other generators serve alone."
            )
            return None
        else:
            source = ionic_field(composition)
        return LatticeGenerator(
            context.space,
            source,
            grids=self.grids,
            relaxed=self.relaxed,
            keep=self.keep,
            max_atoms=self.max_atoms,
            leading=self.leading,
            seed=context.seed,
            report=context.report,
        )
