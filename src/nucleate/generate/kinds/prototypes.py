"""Known structure types with the elements of the composition."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.errors import InputError
from nucleate.generate.context import OTHERS_SERVE, GeneratorSettings
from nucleate.library.hold_out import KnownUse  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.prototypes import PrototypesGenerator


class PrototypesSettings(GeneratorSettings):
    """Substitution into known structures and what is derived from them, the likely first."""

    keeps_space_groups: ClassVar[bool] = True
    keeps_motif: ClassVar[bool] = True
    works: ClassVar[tuple[str, ...]] = ("jain2013",)
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "random"

    library: tuple[str, ...] | None = Field(
        None,
        description="Libraries of known structures: shipped, or files (.nlib); default: those of "
        "the run.",
    )
    known: KnownUse | None = Field(
        None,
        description="Which known structures may be used: all; none of the formula itself; none "
        "that differs from it in one element; none of its structure type; none; default: as the "
        "run says.",
    )
    most: int = Field(100, ge=1, description="Candidates that are made.")
    leading: int = Field(
        20, ge=0, description="Candidates that are relaxed before anything else is drawn."
    )

    def build(self, context: GeneratorContext) -> PrototypesGenerator | None:
        """Return the generator; None where no known structure may be used or be read."""
        from nucleate.generate.prototypes import PrototypesGenerator
        from nucleate.library.library import SHIPPED, Library

        known = self.known or context.known
        if known == "off":
            return None
        try:
            library = Library.load(self.library or context.library)
            prototypes = library.labels_of(context.target) if context.target else frozenset()
        except InputError as error:
            if any(name != SHIPPED for name in self.library or context.library):
                raise
            context.warn(f"{error} {OTHERS_SERVE}")
            return None
        if library.remark:
            context.warn(library.remark)
        return PrototypesGenerator(
            context.space,
            library,
            known=known,
            prototypes=prototypes,
            most=self.most,
            leading=self.leading,
            warn=context.warn,
        )
