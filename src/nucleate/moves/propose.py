"""From a parent to a candidate by one move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import MOVE, Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.errors import ContractError
from nucleate.faults import blaming, described
from nucleate.moves.move import Child, is_half
from nucleate.names import short_name

if TYPE_CHECKING:
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
    limit; a supercell that is its parent still is not. The parent is not changed.

    Parameters
    ----------
    move : Move
        The move.
    parent : Crystal
        The relaxed crystal that the walk stands on.
    context : MoveContext
        The search space and the source of new structures.
    rng : numpy.random.Generator
        The only source of randomness.
    parents : tuple of int
        Record numbers of the parent, for the origin.

    Raises
    ------
    ContractError
        If the move returned what it must not; the message names it.
    """
    with blaming("move", move.apply, "apply", name=move.name):
        made = move.apply(parent, context, rng=rng)
    child = checked(made, move, context)
    if child is None or context.rejection(child.crystal) is not None:
        return None
    crystal = child.crystal
    stays = move.renews or move.keeps_symmetry or is_half(move, crystal, parent)
    if context.rattle > 0 and not stays:
        displaced = crystal.positions + rng.normal(0.0, context.rattle, crystal.scaled.shape)
        rattled = type(crystal).from_positions(crystal.numbers, crystal.cell, displaced)
        if context.rejection(rattled) is None:
            crystal = rattled
    return Candidate(crystal, Origin(f"{MOVE}{short_name(move.name)}", parents, dict(child.detail)))


def checked(child: object, move: Move, context: MoveContext) -> Child | None:
    """Return what a move returned as a child, after the only check of what moves may return.

    A child of another size, or with atoms too close, is allowed: it is refused later like those
    of the shipped moves.

    Raises
    ------
    ContractError
        If it is neither a child, a crystal nor None, if its numbers are not finite, or if it has
        another composition than the space.
    """
    if isinstance(child, Crystal):
        child = Child(child, {})
    if child is None:
        return None
    problem = _problem(child, context)
    if problem:
        raise ContractError(
            f"the {described('move', move.apply, name=move.name)} returned {problem}. Correct the "
            "move."
        )
    return child  # type: ignore[return-value]


def _problem(child: object, context: MoveContext) -> str:
    if not isinstance(child, Child) or not isinstance(child.crystal, Crystal):
        return f"{child!r:.200}, which is no Child, Crystal or None"
    crystal = child.crystal
    if not (np.isfinite(crystal.cell).all() and np.isfinite(crystal.scaled).all()):
        return "a crystal whose cell or coordinates are not finite"
    composition = context.space.composition
    if composition.formula_units_of(crystal.numbers) is None:
        found = Composition.from_numbers(crystal.numbers).formula
        return f"{found}, which is not {composition.formula}"
    return ""
