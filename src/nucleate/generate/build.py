"""The generators of a run as one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.faults import blaming
from nucleate.generate.mix import GeneratorMix
from nucleate.generate.pool import PooledGenerator
from nucleate.plugins import find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.context import GeneratorContext
    from nucleate.plugins import Component

PROTOTYPES_WEIGHT = 0.15
"""Of known structures beside the others, once the most likely are taken."""

SMALL_CELL = 20
"""Number of atoms up to which random crystals are sufficient without a pool of the graph search."""

LANGUAGE_AFTER = 10
"""Structures before the language, besides known ones that lead: with these half of all small
compounds are found before it could begin."""


def named(kind: str, **settings: Any) -> Component:
    """Return the settings of a generator by its name."""
    return find(kind, "generators").model_validate(settings)


def random_generators() -> tuple[Component, ...]:
    """Return generators that need no pool."""
    return (named("symmetric", weight=0.85), named("blocks", weight=0.15))


def default_generators(
    space: SearchSpace, *, may_keep_a_pool: bool = True, leading: int = 0
) -> tuple[Component, ...]:
    """Return the generators of a run that names none, where this many known structures lead.

    The language of Wyckoff positions joins the others after a while: searches without known
    structures then find more. Cells of more than 20 atoms begin with a small pool of the graph
    search: it takes less than a minute of one core, and searches end lower by it. (The measurements
    of the benchmark and of the language have the figures.)
    """

    def language(weight: float) -> Component:
        after = leading + LANGUAGE_AFTER
        return named("wyckoff-language", weight=weight, ranking="likelihood", after=after)

    if space.max_atoms <= SMALL_CELL:
        return (named("symmetric", weight=0.57), named("blocks", weight=0.1), language(0.33))
    if not may_keep_a_pool:
        return random_generators()
    pool = named("graph-search", weight=0.25, number=1000, refined=40)
    return (named("symmetric", weight=0.4), named("blocks", weight=0.1), pool, language(0.25))


def build_generators(settings: Sequence[Component], context: GeneratorContext) -> GeneratorMix:
    """Return all generators as one; the default ones where ``settings`` is empty.

    Sources that come to an end are completed if they stand alone: seeds by random generators,
    pools by ``blocks``. What has to hold a given part of every structure (``is_bound``) is not
    completed, since no other generator knows that part. The defaults begin with known structures,
    where the run may use them, and have a pool of the graph search only where there is a folder to
    keep it in, and torch to make it. They work at 0 GPa, and what they give is scaled by the
    compression of the space.

    Raises
    ------
    InputError
        If a file of a generator cannot be read or does not fit the space, or a generator cannot
        keep to the space groups or the motif that are asked for.
    """
    settings = _restricted(settings, context)
    if not settings:
        kept = context.folder is not None and _has_torch()
        known = named("prototypes", weight=PROTOTYPES_WEIGHT)
        leading = 0 if context.known == "off" else int(getattr(known, "leading", 0))
        others = default_generators(context.space, may_keep_a_pool=kept, leading=leading)
        settings = (known, *others)
    if not any(getattr(item, "weight", 1.0) > 0.0 for item in settings):
        raise InputError(
            "search.generators: every weight is 0, so that nothing can be drawn. Give at least one "
            "generator a positive weight."
        )
    inner = context.at_rest()
    chosen = _built(settings, inner)
    return GeneratorMix(
        [*chosen, *_built(_completing(settings if chosen else (), inner), inner)],
        context.space,
    )


def _restricted(settings: Sequence[Component], context: GeneratorContext) -> Sequence[Component]:
    """Return the generators that a restricted space has by default; refuse those that cannot."""
    space = context.space
    if space.space_groups is not None and space.motif is not None:
        raise InputError(
            "problem.motif and problem.space_groups exclude each other: motifs are placed without "
            "symmetry. Leave one out."
        )
    if space.space_groups is not None:
        _check(settings, "keeps_space_groups", "problem.space_groups", "'symmetric'")
        return settings or (named("symmetric"),)
    if space.motif is not None:
        _check(settings, "keeps_motif", "problem.motif", "'rigid'")
        return settings or (named("rigid"),)
    return settings


def _check(settings: Sequence[Component], able: str, key: str, other: str) -> None:
    for item in settings:
        if not getattr(item, able, False):
            what = "space groups" if key.endswith("groups") else "a motif"
            raise InputError(
                f"{key}: the generator {item.kind!r} cannot keep to {what}. Leave it or the key "
                f"out; {other} can."
            )


def _built(settings: Sequence[Component], context: GeneratorContext) -> list[tuple[object, float]]:
    built = []
    for place, item in enumerate(settings):
        with blaming("generator", item, "build"):
            generator = item.build(context)
        if isinstance(generator, PooledGenerator) and context.pools is not None:
            generator.remember(context.pools, place)
        if generator is not None:
            built.append((generator, float(getattr(item, "weight", 1.0))))
    return built


def _completing(settings: Sequence[Component], context: GeneratorContext) -> Sequence[Component]:
    if any(getattr(item, "is_bound", False) for item in settings):
        return ()
    if context.space.space_groups is not None:
        return (named("symmetric"),) if _alone(settings) else ()
    if context.space.motif is not None:
        return (named("rigid"),) if _alone(settings) else ()
    needs = {str(getattr(item, "completed_by", "")) for item in settings}
    if not needs or needs == {"random"}:
        return random_generators()
    return () if "" in needs else (named("blocks"),)


def _alone(settings: Sequence[Component]) -> bool:
    """Return whether all of some generators come to an end."""
    return all(getattr(item, "completed_by", "") for item in settings)


def _has_torch() -> bool:
    """Return whether the packages are installed that a graph network needs."""
    return all(find_spec(name) is not None for name in ("torch", "safetensors"))
