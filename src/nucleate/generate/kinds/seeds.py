"""The user's own structures, or a ranked pool of another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.generate.context import OTHERS_SERVE, Files, GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.given import GivenCrystal
    from nucleate.generate.seeds import SeedsGenerator

_MANY_SEEDS = 1e6
"""Weight of seeds without one: they are all taken before anything random is drawn."""


class SeedsSettings(GeneratorSettings):
    """The user's own structures, or a ranked pool of another program, each once and in order."""

    keeps_space_groups: ClassVar[bool] = True
    keeps_motif: ClassVar[bool] = True
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "random"

    weight: float = Field(
        _MANY_SEEDS,
        ge=0.0,
        allow_inf_nan=False,
        description="Relative frequency of draws; default: before all others.",
    )
    files: Files = Field(
        description="CIF, extxyz or POSCAR files, folders of them, or patterns such as known/*.cif."
    )

    def build(self, context: GeneratorContext) -> SeedsGenerator | None:
        """Return the generator; None with a warning where no structure can be used."""
        from nucleate.generate.pool_files import unusable
        from nucleate.generate.seeds import SeedsGenerator, usable_seeds

        given = usable_seeds(context.space, self.files, context.start_ratio)
        if not given.usable:
            context.warn(f"{unusable(given, 'seeds', self.files)} {OTHERS_SERVE}")
            return None
        for message in given.messages("seeds"):
            context.warn(message)
        return SeedsGenerator(
            context.space, [(_label(item), item.crystal) for item in given.usable]
        )


def _label(item: GivenCrystal) -> str:
    return item.file if Path(item.file).stem == item.name else f"{item.file}:{item.name}"
