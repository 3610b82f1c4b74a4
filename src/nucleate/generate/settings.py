"""Settings of the generators, and the generators made from them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from nucleate.crystal.elements import symbols_of
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.generator import Generator
    from nucleate.generate.given import GivenCrystal
    from nucleate.generate.mix import GeneratorMix
    from nucleate.generate.pool import Score

POOL_FILE = "pool.extxyz"
"""Name of a pool in a run folder."""

SMALL_CELL = 20
"""Atoms up to which random crystals find what there is without a pool."""

_MANY_SEEDS = 1e6
"""Weight of seeds without one: they are all taken before anything random is drawn."""


_OTHERS_SERVE = "The other generators serve alone."


def _warn(text: str) -> None:
    """Warn with the message alone: the line of code that warns means nothing to a user."""
    plain = warnings.formatwarning
    warnings.formatwarning = lambda message, *_args, **_options: f"Warning: {message}\n"
    try:
        warnings.warn(text, stacklevel=3)
    finally:
        warnings.formatwarning = plain


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


class GraphSearchSettings(_Settings):
    """Low-energy crystals by a graph network and an optimiser (the FUSE2 paper's mlgen)."""

    kind: Literal["graph-search"] = "graph-search"
    weight: float = Field(
        1.0, ge=0.0, description="How often it is drawn from, once the best began the search."
    )
    optimiser: Literal["random", "swarm", "tpe"] = Field(
        "tpe", description="Proposes crystals: at random, by a particle swarm, by Parzen windows."
    )
    symmetry: Literal["all", "triclinic"] = Field(
        "all", description="Space groups 1 to 230, or P1 alone as in the FUSE2 paper."
    )
    number: int = Field(
        5000, ge=1, description="Valid crystals to evaluate for each number of formula units."
    )
    most_formula_units: int = Field(
        8, ge=1, description="Largest number of formula units to search."
    )
    refined: int = Field(
        200, ge=1, description="Best of each number of formula units that are refined and ranked."
    )
    descent_steps: int = Field(
        30,
        ge=0,
        description="Steps of gradient descent on the network for those; 0 for none, which "
        "also keeps their symmetry.",
    )
    ranking: Literal["auto", "network", "spp", "single-point"] = Field(
        "auto",
        description="What the pool is ranked by: the network, the proxy potentials (relaxed), or "
        "single points of the first tier; auto: single points where that tier is an MLIP.",
    )
    network: str = Field(
        "mp2018-harmonic", description="Shipped graph network, or a file of nucleate train."
    )


class PoolSettings(_Settings):
    """A ready pool of another program; what cannot be used is counted and left out."""

    kind: Literal["pool"] = "pool"
    weight: float = Field(
        1.0, ge=0.0, description="How often it is drawn from, once the best began the search."
    )
    files: str | tuple[str, ...] = Field(
        description="CIF, extxyz or POSCAR files, folders of them, or patterns."
    )
    ranking: Literal["given", "network", "spp", "single-point"] = Field(
        "given", description="The order of the files, or as for graph-search."
    )


GeneratorSettings = Annotated[
    BlocksSettings | SymmetricSettings | SeedsSettings | GraphSearchSettings | PoolSettings,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, slots=True)
class GeneratorContext:
    """What generators get from the run that they serve.

    Attributes
    ----------
    seed : int
        Of the run.
    population : int
        Structures before the first move, which begin with the best of a pool.
    processes : int
        How many may make a pool.
    folder : Path or None
        Where a pool is kept.
    score : callable or None
        Single-point energies in eV/atom by the energy model of the run.
    report : callable
        Called with what is being done, how much of it is done, and how much there is.
    warn : callable
        Called with a warning.
    """

    seed: int = 0
    population: int = 0
    processes: int = 1
    folder: Path | None = None
    score: Score | None = None
    report: Callable[[str, int, int], None] = lambda *_: None
    warn: Callable[[str], None] = _warn


def random_generators(space: SearchSpace) -> tuple[GeneratorSettings, ...]:
    """Return generators that need no pool: symmetric ones prevail in small cells."""
    share = 0.85 if space.max_atoms <= SMALL_CELL else 0.6
    return (SymmetricSettings(weight=share), BlocksSettings(weight=1.0 - share))


def default_generators(space: SearchSpace) -> tuple[GeneratorSettings, ...]:
    """Return the generators of a run that names none.

    Cells of more than 20 atoms begin with a small pool of the graph search: it takes less than a
    minute of one core, and searches end lower by it (the explanation of the benchmark has the
    figures).
    """
    if space.max_atoms <= SMALL_CELL:
        return random_generators(space)
    pool = GraphSearchSettings(weight=0.35, number=1000, refined=40)
    return (SymmetricSettings(weight=0.4), BlocksSettings(weight=0.25), pool)


def build_generator(
    settings: GeneratorSettings, space: SearchSpace, context: GeneratorContext | None = None
) -> Generator | None:
    """Return the generator that its settings describe; None with a warning if it cannot serve.

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
            return _seeds(settings, space, context or GeneratorContext())
        case GraphSearchSettings():
            return _graph_search(settings, space, context or GeneratorContext())
        case PoolSettings():
            return _pool(settings, space, context or GeneratorContext())


def build_generators(
    settings: Sequence[GeneratorSettings],
    space: SearchSpace,
    context: GeneratorContext | None = None,
) -> GeneratorMix:
    """Return all generators as one; the default ones where ``settings`` is empty.

    Seeds and pools alone are completed: seeds by random generators, pools by ``blocks``. The
    defaults have a pool only where there is a folder to keep it in, and torch to make it.

    Raises
    ------
    InputError
        As :func:`build_generator`.
    """
    from nucleate.generate.mix import GeneratorMix

    if not settings and context is not None and context.folder is not None and _has_torch():
        settings = default_generators(space)
    chosen = [
        (generator, item.weight)
        for item in settings
        if (generator := build_generator(item, space, context)) is not None
    ]
    kinds = {type(item) for item in settings}
    if not chosen or kinds == {SeedsSettings}:
        completing: tuple[GeneratorSettings, ...] = random_generators(space)
    elif kinds <= {SeedsSettings, GraphSearchSettings, PoolSettings}:
        completing = (BlocksSettings(weight=1.0),)
    else:
        completing = ()
    for item in completing:
        generator = build_generator(item, space, context)
        assert generator is not None
        chosen.append((generator, item.weight))
    return GeneratorMix(chosen)


def _has_torch() -> bool:
    """Return whether the packages are there that a graph network needs."""
    return all(find_spec(name) is not None for name in ("torch", "safetensors"))


def _graph_search(
    settings: GraphSearchSettings, space: SearchSpace, context: GeneratorContext
) -> Generator | None:
    from nucleate.generate.graph_search.generator import GraphSearchGenerator
    from nucleate.generate.graph_search.pool import Plan
    from nucleate.networks.graph_network.network import GraphNetwork

    network = GraphNetwork.load(settings.network)
    unknown = network.unknown_elements(np.array(space.composition.elements))
    if unknown:
        context.warn(
            f"graph-search: the network {settings.network} has never seen "
            f"{', '.join(symbols_of(unknown))}; the other generators serve alone."
        )
        return None
    ranking = settings.ranking
    if ranking == "auto":
        ranking = "network" if context.score is None else "single-point"
    _check_score(ranking, context)
    return GraphSearchGenerator(
        space,
        network,
        Plan(
            optimiser=settings.optimiser,
            symmetry=settings.symmetry,
            number=settings.number,
            most_formula_units=settings.most_formula_units,
            refined=settings.refined,
            descent_steps=settings.descent_steps,
            seed=context.seed,
        ),
        ranking=ranking,
        score=context.score,
        leading=context.population,
        processes=context.processes,
        file=None if context.folder is None else context.folder / POOL_FILE,
        report=context.report,
    )


def _seeds(
    settings: SeedsSettings, space: SearchSpace, context: GeneratorContext
) -> Generator | None:
    from nucleate.generate.pool_files import unusable
    from nucleate.generate.seeds import SeedsGenerator, usable_seeds

    given = usable_seeds(space, settings.files)
    if not given.usable:
        context.warn(f"{unusable(given, 'seeds', settings.files)} {_OTHERS_SERVE}")
        return None
    for message in given.messages("seeds"):
        context.warn(message)
    return SeedsGenerator(space, [(_label(item), item.crystal) for item in given.usable])


def _label(item: GivenCrystal) -> str:
    return item.file if Path(item.file).stem == item.name else f"{item.file}:{item.name}"


def _pool(
    settings: PoolSettings, space: SearchSpace, context: GeneratorContext
) -> Generator | None:
    from nucleate.generate.pool import RankedPool, ranked
    from nucleate.generate.pool_files import given_pool, unusable

    _check_score(settings.ranking, context)
    members, given = given_pool(space, settings.files)
    if not members:
        context.warn(f"{unusable(given, 'pool', settings.files)} {_OTHERS_SERVE}")
        return None
    for message in given.messages("pool"):
        context.warn(message)
    network = None
    if settings.ranking == "network":
        from nucleate.networks.graph_network.network import GraphNetwork

        network = GraphNetwork.load()
    members = ranked(members, settings.ranking, network=network, score=context.score)
    return RankedPool(space, members, name=settings.kind, leading=context.population)


def _check_score(ranking: str, context: GeneratorContext) -> None:
    if ranking == "single-point" and context.score is None:
        raise InputError(
            "ranking = 'single-point' needs an energy model. Rank by network or spp, or give the "
            "run a first tier that is an MLIP."
        )
