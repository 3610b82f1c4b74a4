"""Crystals that a flow carries random atoms into."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.errors import InputError
from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.flow.generator import FlowGenerator


class FlowSettings(GeneratorSettings):
    """Crystals of at most 12 atoms that a trained flow makes of random starts."""

    keeps_space_groups: ClassVar[bool] = True
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "random"
    works: ClassVar[tuple[str, ...]] = ("jain2013",)

    checkpoint: str = Field(
        "mp12", description="The shipped flow, or a file of nucleate train flow."
    )
    number: int = Field(64, ge=1, le=5000, description="Starts.")
    leading: int = Field(
        20, ge=0, description="Candidates that are relaxed before anything else is drawn."
    )
    steps: int = Field(30, ge=1, le=1000, description="Euler steps from a start to a crystal.")
    haste: float = Field(
        3.0, ge=0.0, le=50.0, description="Atoms move 1 + haste · t times as fast at the time t."
    )
    symmetric: float = Field(
        0.75,
        ge=0.0,
        le=1.0,
        description="Share of starts that have the symmetry of a space group, and keep it.",
    )

    def build(self, context: GeneratorContext) -> FlowGenerator:
        """Return the generator; raises InputError where the checkpoint cannot be read."""
        from nucleate.generate.flow.checkpoint import FLOW
        from nucleate.generate.flow.generator import FlowGenerator

        usual = type(self).model_fields["symmetric"].default
        if context.space.space_groups is not None and self.symmetric not in (1.0, usual):
            raise InputError(
                f"flow: symmetric = {self.symmetric:g} has no effect with problem.space_groups, as "
                "every start has the symmetry of one of them; leave it out."
            )
        checkpoint = FLOW.load(self.checkpoint)
        from nucleate.generate.flow.sampling import Manner

        return FlowGenerator(
            context.space,
            checkpoint,
            Manner(steps=self.steps, haste_atoms=self.haste),
            number=self.number,
            leading=self.leading,
            symmetric=self.symmetric,
            seed=context.seed,
            warn=context.warn,
        )
