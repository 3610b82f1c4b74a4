"""What the checks have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import ContractError, InputError
from nucleate.generate.build import random_generators
from nucleate.generate.context import GeneratorContext
from nucleate.generate.mix import GeneratorMix
from nucleate.plugins import Component, find

if TYPE_CHECKING:
    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.crystal import Crystal
    from nucleate.generate.context import GeneratorSettings


def require(holds: bool, name: str, problem: str) -> None:
    """Raise a ContractError that names a component if something does not hold."""
    if not holds:
        raise ContractError(f"{name} {problem}.")


def component_from(given: Any, *groups: str) -> Any:
    """Return the component that a kind or a class stands for, and anything else as it is."""
    if isinstance(given, str):
        given = find(given, *groups)
    if isinstance(given, type) and issubclass(given, Component):
        try:
            return given.model_validate({})
        except ValueError as error:
            raise InputError(
                f"{given.__name__} needs settings. Give a component that has them."
            ) from error
    return given


def name_of(given: Any) -> str:
    """Return the name of a component or an object for messages."""
    if isinstance(given, Component):
        return given.kind
    named = getattr(given, "name", None) or getattr(given, "__name__", None)
    return str(named or type(given).__name__)


def space_of(formula: str, max_atoms: int) -> SearchSpace:
    """Return the search space of a check."""
    return SearchSpace.create(Composition.from_formula(formula), max_atoms=max_atoms)


def random_mix(space: SearchSpace) -> GeneratorMix:
    """Return the generators that need nothing but a space."""
    context = GeneratorContext(space)
    settings = cast("tuple[GeneratorSettings, ...]", random_generators())
    built = [(item.build(context), item.weight) for item in settings]
    return GeneratorMix(built, space)


def random_crystals(
    space: SearchSpace, number: int, *, seed: int, rattled: bool = True
) -> list[Crystal]:
    """Return random crystals of a space, by default in triclinic cells, so that nothing vanishes.

    Where they are not rattled, many are symmetric.
    """
    source = random_mix(space)
    crystals: list[Crystal] = []
    for draw in range(50 * number):
        rng = np.random.default_rng([seed, draw])
        candidate = source.generate(rng=rng)
        if candidate is not None and len(crystals) < number:
            crystals.append(_rattled(candidate, rng) if rattled else candidate.crystal)
    return crystals


def _rattled(candidate: Candidate, rng: np.random.Generator) -> Crystal:
    crystal = candidate.crystal
    cell = crystal.cell @ (np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3)))
    moved = crystal.scaled + rng.normal(0.0, 0.05, crystal.scaled.shape) @ np.linalg.inv(cell)
    return crystal.replace(cell=cell, scaled=moved)


def same(one: Crystal | None, other: Crystal | None) -> bool:
    """Return whether two crystals, or Nones, are exactly the same."""
    return one is other if one is None or other is None else one == other
