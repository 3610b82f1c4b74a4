"""Settings that the shipped searches have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from nucleate.errors import InputError
from nucleate.library.hold_out import KnownUse  # noqa: TC001  (pydantic reads it)
from nucleate.moves.settings import GivenMoves
from nucleate.moves.table import AUTO, move_weights
from nucleate.plugins import Component, component_of, find, shipped
from nucleate.renamed import renamed_keys

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorSettings as GeneratorChoice
else:
    GeneratorChoice = component_of("generators")

if TYPE_CHECKING:
    PolicyChoice = Component
else:
    PolicyChoice = component_of("policies")

VACANCY_MOVES = (
    "move-atom-to-vacancy",
    "shuffle-some-with-vacancies",
    "shuffle-all-with-vacancies",
)

MoveChoice = str | dict[str, float] | SkipJsonSchema[GivenMoves]


def known_moves(choice: MoveChoice) -> MoveChoice:
    """Return a choice of moves; raises InputError if it names one that is not known."""
    if not isinstance(choice, GivenMoves):
        try:
            move_weights(choice)
        except InputError as error:
            raise ValueError(str(error)) from error  # pydantic adds the place in the input
    return choice


def uses_vacancies(choice: MoveChoice) -> bool:
    """Return whether a move that puts atoms on vacant sites may be made; others' moves may."""
    if isinstance(choice, GivenMoves):
        return True
    others_do_not = {kind.name for kind in shipped("moves")}.difference(VACANCY_MOVES)
    weights = move_weights(choice)
    return any(weight > 0.0 and name not in others_do_not for name, weight in weights.items())


class SearchSettings(Component):
    """Seed and generators; base class of the settings of every search.

    ``keeps_motif`` and ``keeps_space_groups`` are False for a search none of whose own candidates
    keeps to ``problem.motif`` or ``problem.space_groups``: it is refused with them.
    """

    serves: ClassVar[frozenset[str]] = frozenset({"searches"})
    keeps_motif: ClassVar[bool] = True
    keeps_space_groups: ClassVar[bool] = True

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
        "moves. Default 0.6.",
    )
    moves: MoveChoice = Field(
        AUTO,
        description="Weights of the moves by name, entry point or module:Class; or a preset: "
        "fuse2, symmetric, rigid; auto is fuse2, but symmetric where problem.space_groups is given "
        "and rigid where problem.motif is.",
    )

    policy: PolicyChoice = Field(
        default_factory=lambda: find("fixed", "policies").model_validate({}),
        description="How sources and moves are chosen: fixed, by their weights; reinforce or "
        "bandit, which begin with the weights and learn.",
    )
    policy_from: str | None = Field(
        None,
        min_length=1,
        description="Run folder or file whose policy this one begins with; it must have the same "
        "moves. bandit can begin with a run of any policy, reinforce with one of reinforce only, "
        "and a file serves the policy that has written it.",
    )
    rattle_ang: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Standard deviation in Å of a random displacement of all atoms of a child; "
        "default 0.05.",
    )
    min_vacancy_ang: float | None = Field(
        None,
        gt=0.0,
        le=10.0,
        description="Minimum distance in Å of a vacant site from every atom, for the moves that "
        "put atoms on vacant sites; default 1.",
    )

    _old_names = renamed_keys({"fresh": "new_fraction"})

    @model_validator(mode="after")
    def _no_key_without_effect(self) -> Self:
        for key in ("rattle_ang", "min_vacancy_ang"):
            if getattr(self, key) is not None and self.new_fraction == 1.0:
                raise ValueError(
                    f"{key} has no effect where new_fraction = 1, as there are no moves; leave it "
                    "out"
                )
        choices = (self.moves, getattr(self, "when_melted", self.moves))
        if self.min_vacancy_ang is not None and not any(map(uses_vacancies, choices)):
            raise ValueError(
                "min_vacancy_ang has no effect where every move to vacant sites is off; leave "
                "it out"
            )
        return self

    @field_validator("moves")
    @classmethod
    def _known_moves(cls, choice: MoveChoice) -> MoveChoice:
        return known_moves(choice)
