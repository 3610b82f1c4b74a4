"""Known structure types with the elements of the composition."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.prototypes import PrototypesGenerator


class PrototypesSettings(GeneratorSettings):
    """Substitution into known structures and what is derived from them, the likely first."""

    completed_by: ClassVar[Literal["", "random", "blocks"]] = "random"

    library: tuple[str, ...] = Field(
        ("shipped",), description="Libraries of known structures: shipped, or files (.nlib)."
    )
    known: Literal["all", "no-formula", "no-relatives", "no-prototype", "off"] = Field(
        "all",
        description="Which known structures may be used: all; none of the formula itself; none "
        "that differs from it in one element; none of its structure type; none.",
    )
    most: int = Field(200, ge=1, description="Candidates that are made.")
    leading: int = Field(
        20, ge=0, description="Candidates that are relaxed before anything else is drawn."
    )

    def build(self, context: GeneratorContext) -> PrototypesGenerator | None:
        """Return the generator; None where no known structure may be used."""
        from nucleate.generate.prototypes import PrototypesGenerator
        from nucleate.library.library import Library

        if self.known == "off":
            return None
        return PrototypesGenerator(
            context.space,
            Library.load(self.library),
            known=self.known,
            most=self.most,
            leading=self.leading,
        )
