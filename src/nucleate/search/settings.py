"""The ``[search]`` section of the input file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nucleate.generate.settings import GeneratorSettings
from nucleate.moves.table import move_weights

MoveChoice = str | dict[str, float]


class SearchSettings(BaseModel):
    """How the search goes about: generators, moves, acceptance, and when it is over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, description="Seed of all random numbers of the run.")
    generators: tuple[GeneratorSettings, ...] = Field(
        default=(),
        description="Sources of new structures with their weights; the default suits the size "
        "of the cells.",
    )
    population: int = Field(
        25, ge=1, description="New structures that are relaxed before the first move."
    )
    fresh: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Fraction of new structures from the generators after that; the rest are "
        "moves. The default falls from 0.7 for small cells to 0.3 for large ones.",
    )
    parents: Literal["lowest", "walk"] = Field(
        "lowest",
        description="What moves start from. lowest: the distinct minima found so far, low ones "
        "more often, in cells whose sizes get about the same work each; walk: one structure "
        "after the other by the Metropolis rule, as in the FUSE method.",
    )
    temperature: float = Field(
        0.02, gt=0.0, description="Metropolis temperature in eV/atom in the normal phase."
    )
    moves: MoveChoice = Field(
        "fuse2", description="Weights of the moves by name, or the name of a preset."
    )
    melt_after: int = Field(
        150, ge=1, description="Structures without one downhill after which the walk melts."
    )
    melt_step: float = Field(
        0.01, ge=0.0, description="Largest rise of the temperature in eV/atom by one rejection."
    )
    melt_ceiling: float = Field(
        0.2, gt=0.0, description="Highest temperature of the melted walk in eV/atom."
    )
    melted_moves: MoveChoice = Field(
        "fuse2", description="Weights of the moves in the melted phase."
    )
    structures: int | None = Field(
        None, ge=1, description="Stop after so many relaxed structures, failures included."
    )
    rmax: int = Field(
        1000, ge=1, description="Stop after so many structures since the last new minimum."
    )
    target: str | None = Field(
        None, description="Stop when the structure in this file (CIF, extxyz, POSCAR) is found."
    )

    @field_validator("moves", "melted_moves")
    @classmethod
    def _known_moves(cls, choice: MoveChoice) -> MoveChoice:
        move_weights(choice)
        return choice
