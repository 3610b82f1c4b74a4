"""Settings of the generators, and the generators made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.generator import Generator
    from nucleate.generate.mix import GeneratorMix

_MANY_SEEDS = 1e6
"""Weight of seeds without one: they are all taken before anything random is drawn."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BlocksSettings(_Settings):
    """Random stacks of sub-modules (the FUSE papers' generator)."""

    kind: Literal["blocks"] = "blocks"
    weight: float = Field(1.0, ge=0.0, description="How often it is drawn from.")


class SymmetricSettings(_Settings):
    """Random crystals in space groups 2 to 230, by Wyckoff positions."""

    kind: Literal["symmetric"] = "symmetric"
    weight: float = Field(1.0, ge=0.0, description="How often it is drawn from.")


class SeedsSettings(_Settings):
    """The user's own structures, or a ranked pool of another program, each once and in order."""

    kind: Literal["seeds"] = "seeds"
    weight: float = Field(
        _MANY_SEEDS, ge=0.0, description="How often it is drawn from; default: before all others."
    )
    files: str | tuple[str, ...] = Field(
        description="CIF, extxyz or POSCAR files, folders of them, or patterns such as known/*.cif."
    )


GeneratorSettings = Annotated[
    BlocksSettings | SymmetricSettings | SeedsSettings, Field(discriminator="kind")
]


def default_generators(space: SearchSpace) -> tuple[GeneratorSettings, ...]:
    """Return the generators of a run that names none: symmetric ones prevail in small cells."""
    share = 0.85 if space.max_atoms <= 20 else 0.6
    return (SymmetricSettings(weight=share), BlocksSettings(weight=1.0 - share))


def build_generator(settings: GeneratorSettings, space: SearchSpace) -> Generator:
    """Return the generator that its settings describe.

    Raises
    ------
    InputError
        If a seed file cannot be read or does not fit the space.
    """
    match settings:
        case BlocksSettings():
            from nucleate.generate.blocks import BlocksGenerator

            return BlocksGenerator(space)
        case SymmetricSettings():
            from nucleate.generate.symmetric import SymmetricGenerator

            return SymmetricGenerator(space)
        case SeedsSettings():
            from nucleate.generate.seeds import SeedsGenerator, load_seeds

            files = settings.files
            return SeedsGenerator(
                space, load_seeds(files if isinstance(files, str) else list(files))
            )


def build_generators(settings: Sequence[GeneratorSettings], space: SearchSpace) -> GeneratorMix:
    """Return all generators as one; the default ones where ``settings`` is empty.

    Seeds alone are completed by the default generators.

    Raises
    ------
    InputError
        As :func:`build_generator`.
    """
    from nucleate.generate.mix import GeneratorMix

    chosen = tuple(settings)
    if all(isinstance(item, SeedsSettings) for item in chosen):
        chosen += default_generators(space)
    return GeneratorMix([(build_generator(item, space), item.weight) for item in chosen])
