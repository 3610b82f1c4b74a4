"""Settings that the shipped searches have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from nucleate.errors import InputError
from nucleate.library.hold_out import KnownUse  # noqa: TC001  (pydantic reads it)
from nucleate.moves.settings import GivenMoves
from nucleate.moves.table import move_weights
from nucleate.plugins import Component, component_of
from nucleate.renamed import renamed_keys

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorSettings as GeneratorChoice
else:
    GeneratorChoice = component_of("generators")

MoveChoice = str | dict[str, float] | SkipJsonSchema[GivenMoves]


def known_moves(choice: MoveChoice) -> MoveChoice:
    """Return a choice of moves; raises InputError if it names one that is not known."""
    if not isinstance(choice, GivenMoves):
        try:
            move_weights(choice)
        except InputError as error:
            raise ValueError(str(error)) from error  # pydantic adds the place in the input
    return choice


class SearchSettings(Component):
    """Seed and generators; base class of the settings of every search."""

    serves: ClassVar[frozenset[str]] = frozenset({"searches"})

    seed: int = Field(0, ge=0, description="Seed of all random numbers of the run.")
    generators: tuple[GeneratorChoice, ...] = Field(
        default=(),
        description="Sources of new structures with their weights; the default suits the size "
        "of the cells.",
    )
    known: KnownUse = Field(
        "all",
        description="Which known structures may be used: all; no-formula: none of the formula "
        "itself; no-relatives: none that differs from it in one element either; no-prototype: "
        "none of its structure type; off: none.",
    )
    library: tuple[str, ...] = Field(
        ("shipped",),
        min_length=1,
        description="Libraries of known structures: shipped, or files (.nlib).",
    )
    population: int = Field(
        25, ge=1, description="New structures that are relaxed before the first move."
    )


class MovingSettings(SearchSettings):
    """Settings of searches that change what they have found by moves."""

    new_fraction: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Fraction of new structures from the generators after that; the rest are "
        "moves. The default falls from 0.7 for small cells to 0.3 for large ones.",
    )
    moves: MoveChoice = Field(
        "fuse2",
        description="Weights of the moves by name, entry point or module:Class; or the name of a "
        "preset.",
    )

    _old_names = renamed_keys({"fresh": "new_fraction"})

    @field_validator("moves")
    @classmethod
    def _known_moves(cls, choice: MoveChoice) -> MoveChoice:
        return known_moves(choice)
