"""Crystals that a language of Wyckoff positions writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.wyckoff_language.generator import WyckoffLanguageGenerator


class WyckoffLanguageSettings(GeneratorSettings):
    """Crystals that a transformer trained on known structures writes, the likely first."""

    keeps_space_groups: ClassVar[bool] = True
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "random"
    works: ClassVar[tuple[str, ...]] = ("jain2013",)

    checkpoint: str = Field(
        "mp", description="The shipped language, or a file of nucleate train wyckoff-language."
    )
    number: int = Field(200, ge=1, le=5000, description="Candidates that are made.")
    leading: int = Field(
        20, ge=0, description="Candidates that are relaxed before anything else is drawn."
    )
    after: int = Field(
        0,
        ge=0,
        description="Structures of the run, of any source, before its candidates are made and the "
        "first is given.",
    )
    temperature: float = Field(
        0.7,
        gt=0.0,
        le=3.0,
        description="Of cells and coordinates only; below 1 keeps to the likely.",
    )
    top_p: float = Field(
        0.95,
        gt=0.0,
        le=1.0,
        description="Cells and coordinates beyond this share of probability are not drawn.",
    )
    explore: bool = Field(
        False, description="Draw the assignments by chance in place of the likeliest."
    )
    assignment_temperature: float = Field(
        1.0, gt=0.0, le=3.0, description="Of the assignments that are drawn (explore = true)."
    )

    sites: dict[str, str] = Field(
        {}, description='Wyckoff letters of all orbits of some elements: {Sr = "a", O = "c"}.'
    )
    keep: str = Field(
        "", description="File of a part that is kept: cell and all atoms of some elements."
    )

    @property
    def is_bound(self) -> bool:
        """Whether every candidate has what ``sites`` or ``keep`` names."""
        return bool(self.sites or self.keep)

    @model_validator(mode="after")
    def _is_used(self) -> WyckoffLanguageSettings:
        if not self.explore and self.assignment_temperature != 1.0:
            raise ValueError(
                f"assignment_temperature = {self.assignment_temperature:g} has no effect where the "
                "likeliest assignments are taken. Set explore = true, or leave it out"
            )
        return self

    def build(self, context: GeneratorContext) -> WyckoffLanguageGenerator:
        """Return the generator; raises InputError where the checkpoint cannot be read."""
        from nucleate.generate.wyckoff_language.checkpoint import load_language
        from nucleate.generate.wyckoff_language.generator import WyckoffLanguageGenerator
        from nucleate.generate.wyckoff_language.held import held_of

        return WyckoffLanguageGenerator(
            context.space,
            load_language(self.checkpoint),
            number=self.number,
            leading=self.leading,
            after=self.after,
            temperature=self.temperature,
            top_p=self.top_p,
            explore=self.explore,
            assignment_temperature=self.assignment_temperature,
            held=held_of(context.space, self.sites, self.keep),
            seed=context.seed,
            warn=context.warn,
        )
