"""The check of a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.generate.context import GeneratorContext
from nucleate.generate.generator import as_generator
from nucleate.generate.mix import check_candidate
from nucleate.plugins import Component
from nucleate.testing.common import component_from, name_of, require, same, space_of

if TYPE_CHECKING:
    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.generator import Generator


def check_generator(
    generator: Any,
    formula: str = "CaTiO3",
    *,
    max_atoms: int = 10,
    draws: int = 8,
    seed: int = 0,
    context: GeneratorContext | None = None,
) -> None:
    """Check that a generator keeps its contract.

    Its candidates must be crystals of the composition and within the limits of the space, must
    keep ``max_formula_units``, and must follow from the random numbers that it is given and from
    nothing else, global random numbers included. ``generate`` alone must not count as taking a
    candidate: that is what ``note`` is for.

    Parameters
    ----------
    generator
        Kind, component or its class, or a function from a :class:`GeneratorContext` to an object
        with ``generate``.
    formula, max_atoms
        The search space.
    draws
        How many candidates to draw.
    seed
        Of the random numbers.
    context
        What the generator is built from, where it needs more than the space.

    Raises
    ------
    ContractError
        With what is broken.
    InputError
        If it is not a generator, or nothing can be drawn in this space.
    """
    given = component_from(generator, "generators")
    name = name_of(given)
    context = context or GeneratorContext(space_of(formula, max_atoms), seed=seed)
    first, again = _built(given, context, name), _built(given, context, name)
    np.random.seed(1)  # noqa: NPY002 - must not matter
    drawn = _draws(first, draws, seed, context.space)
    np.random.seed(2)  # noqa: NPY002
    repeated = _draws(again, draws, seed, context.space)
    if all(candidate is None for candidate in drawn):
        raise InputError(f"{name} gave nothing for {formula} in {draws} draws. Give another space.")
    for one, other in zip(drawn, repeated, strict=True):
        require(_alike(one, other), name, "gives other candidates for the same random numbers")
    _keeps_the_units(first, name, seed, context.space)


def _built(given: Any, context: GeneratorContext, name: str) -> Generator:
    built = given.build(context) if isinstance(given, Component) else given
    if not hasattr(built, "generate") and callable(built):
        built = built(context)
    if not hasattr(built, "generate"):
        raise InputError(f"{name} builds {built!r:.100}, which has no generate.")
    source = as_generator(built)
    source.prepare()
    return source


def _draws(source: Generator, number: int, seed: int, space: SearchSpace) -> list[Candidate | None]:
    drawn: list[Candidate | None] = []
    for draw in range(number):
        candidate = source.generate(rng=np.random.default_rng([seed, draw]))
        if candidate is not None:
            check_candidate(candidate, source, space)
            reason = space.rejection(candidate.crystal, check_volume=False)
            require(reason is None, source.name, f"gave a crystal that is not allowed: {reason}")
            source.note(candidate.origin)
        drawn.append(candidate)
    return drawn


def _alike(one: Candidate | None, other: Candidate | None) -> bool:
    if one is None or other is None:
        return one is other
    return same(one.crystal, other.crystal) and one.origin == other.origin


def _keeps_the_units(source: Generator, name: str, seed: int, space: SearchSpace) -> None:
    least = min(space.formula_units)
    for draw in range(3):
        rng = np.random.default_rng([seed, 1000 + draw])
        candidate = source.generate(rng=rng, max_formula_units=least)
        if candidate is not None:
            units = space.composition.formula_units_of(candidate.crystal.numbers)
            require(
                units is not None and units <= least,
                name,
                f"gave {units} formula units where max_formula_units = {least}",
            )
