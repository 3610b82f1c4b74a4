"""From a parent to a candidate by one move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.candidate import Candidate, Origin

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import Move, MoveContext


def propose(
    move: Move,
    parent: Crystal,
    *,
    context: MoveContext,
    rng: np.random.Generator,
    parents: tuple[int, ...] = (),
) -> Candidate | None:
    """Apply a move and return a candidate that is allowed, or None.

    The child has the composition of the space, keeps its limit of atoms and the relaxed minimum
    distances under full periodicity, and is rattled by ``context.rattle`` where that breaks no
    limit. The parent is not changed.

    Parameters
    ----------
    move : Move
        One of :data:`nucleate.moves.table.MOVES`.
    parent : Crystal
        The relaxed crystal that the walk stands on.
    context : MoveContext
        The search space and the source of new structures.
    rng : numpy.random.Generator
        The only source of randomness.
    parents : tuple of int
        Record numbers of the parent, for the origin.
    """
    child = move.apply(parent, context, rng=rng)
    if child is None or context.rejection(child.crystal) is not None:
        return None
    crystal = child.crystal
    if context.rattle > 0 and not move.renews:
        displaced = crystal.positions + rng.normal(0.0, context.rattle, crystal.scaled.shape)
        rattled = type(crystal).from_positions(crystal.numbers, crystal.cell, displaced)
        if context.rejection(rattled) is None:
            crystal = rattled
    return Candidate(crystal, Origin(f"move:{move.name}", parents, dict(child.detail)))
