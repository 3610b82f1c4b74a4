"""Moves of any kind that the face takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nucleate.api.generators import as_list
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.moves.move import Child, Move
from nucleate.moves.table import move_named

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from nucleate.moves.move import MoveContext, Precondition


def as_moves(moves: Any) -> list[Move]:
    """Return moves from moves, names, and functions of the user's own.

    Parameters
    ----------
    moves
        A list of: moves such as those of :data:`nucleate.FUSE_MOVES`, their names, and functions
        ``move(parent, context, *, rng)`` that return a crystal, a ``Child`` or None; a function
        can have an attribute ``applies(parent, context)``.

    Raises
    ------
    InputError
        If something is no move, or two have the same name.
    """
    found = [_move(item, place) for place, item in enumerate(as_list(moves), start=1)]
    names = [move.name for move in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"moves: {name!r} is given twice. Give every move a name of its own.")
    if not found:
        raise InputError("moves = [] leaves no move. Give at least one, or leave moves out.")
    return found


def _move(item: Any, number: int) -> Move:
    if isinstance(item, Move):
        return item
    if isinstance(item, str):
        return move_named(item)
    if not callable(item):
        raise InputError(
            f"moves: {item!r} is no move. Give the name of a move, or a function "
            "move(parent, context, *, rng)."
        )
    name = str(getattr(item, "name", None) or getattr(item, "__name__", type(item).__name__))
    applies = cast("Precondition", getattr(item, "applies", _always))
    return Move(number, name, _as_child(item), applies)


def _as_child(function: Callable[..., Any]) -> Callable[..., Child | None]:
    """Return a function whose crystals are children without details."""

    def apply(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
        made = function(parent, context, rng=rng)
        return Child(made, {}) if isinstance(made, Crystal) else made

    return apply


def _always(parent: Crystal, context: MoveContext) -> bool:
    del parent, context
    return True
