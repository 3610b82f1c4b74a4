"""Moves 13 and 14: the search continues from a new structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.moves.move import TRIES, Child, MoveContext

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.crystal import Crystal


def renew(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
    """Take a new structure of at most the parent's size from the pool or a generator (move 13)."""
    units = context.space.composition.formula_units_of(parent.numbers)
    return _fresh(context, units, rng)


def renew_at_any_size(
    parent: Crystal,  # noqa: ARG001
    context: MoveContext,
    *,
    rng: np.random.Generator,
) -> Child | None:
    """Take a new structure of any allowed size from the pool or a generator (move 14)."""
    return _fresh(context, None, rng)


def _fresh(context: MoveContext, max_units: int | None, rng: np.random.Generator) -> Child | None:
    for _ in range(TRIES):
        candidate = context.fresh(max_units, rng)
        if candidate is None:
            return None
        if context.rejection(candidate.crystal) is None:
            return Child(
                candidate.crystal, {"source": candidate.origin.source, **candidate.origin.detail}
            )
    return None
