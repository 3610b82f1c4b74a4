"""The check of a move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.moves.move import MoveContext
from nucleate.moves.propose import checked
from nucleate.moves.settings import as_move
from nucleate.testing.common import component_from, random_crystals, random_mix, require, space_of

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import Child, Move


def check_move(
    move: Any,
    formula: str = "CaTiO3",
    *,
    max_atoms: int = 20,
    parents: int = 6,
    seed: int = 0,
) -> None:
    """Check that a move keeps its contract.

    It must leave its parent as it is; its children must have the composition of the space and
    finite numbers, and must follow from the parent and the random numbers that it is given and
    from nothing else, global random numbers included.

    Parameters
    ----------
    move
        Kind, component or its class, a move, or a function ``(parent, context, *, rng)``.
    formula, max_atoms
        The search space.
    parents
        How many random crystals to change; as many symmetric ones besides by a move that keeps
        symmetry.
    seed
        Of the random numbers.

    Raises
    ------
    ContractError
        With what is broken.
    InputError
        If it is not a move, or it makes no child of any of these parents.
    """
    tested = as_move(component_from(move, "moves"))
    space = space_of(formula, max_atoms)
    source = random_mix(space)
    context = MoveContext(
        space, lambda units, rng: source.generate(rng=rng, max_formula_units=units)
    )
    made = 0
    crystals = random_crystals(space, parents, seed=seed)
    if tested.keeps_symmetry:
        crystals += random_crystals(space, parents, seed=seed, rattled=False)
    for place, parent in enumerate(crystals):
        made += _check_parent(tested, parent, context, [seed, place])
    if not made:
        raise InputError(
            f"{tested.name} made no child of {parents} parents. Give a formula or max_atoms to "
            "which it applies."
        )


def _check_parent(move: Move, parent: Crystal, context: MoveContext, seed: list[int]) -> int:
    """Return the number of children after checking each."""
    before = parent.replace()
    if not move.applies(parent, context):
        return 0
    made = 0
    for draw in range(3):
        np.random.seed(1)  # noqa: NPY002 - must not matter
        child = _apply(move, parent, context, [*seed, draw])
        np.random.seed(2)  # noqa: NPY002
        again = _apply(move, parent, context, [*seed, draw])
        require(parent == before, move.name, "changes its parent")
        require(_alike(child, again), move.name, "makes other children of the same random numbers")
        made += child is not None
    return made


def _apply(move: Move, parent: Crystal, context: MoveContext, seed: list[int]) -> Child | None:
    return checked(move.apply(parent, context, rng=np.random.default_rng(seed)), move, context)


def _alike(one: Child | None, other: Child | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.crystal == other.crystal and dict(one.detail) == dict(other.detail)
