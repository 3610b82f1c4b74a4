"""Moves of any kind that the face takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nucleate.api.generators import as_list
from nucleate.errors import InputError
from nucleate.moves.settings import GivenMoves, as_move
from nucleate.moves.table import move_named

if TYPE_CHECKING:
    from nucleate.moves.move import Move
    from nucleate.moves.table import Choice


def as_choice(moves: Any) -> Choice | None:
    """Return moves as an input has them: None, a preset, weights by name, or the moves given."""
    if moves is None or isinstance(moves, str | dict):
        return cast("Choice | None", moves)
    return GivenMoves.of(as_moves(moves))


def as_moves(moves: Any) -> list[Move]:
    """Return moves from moves, names, and functions of the user's own.

    Parameters
    ----------
    moves
        A list of: moves such as those of :data:`nucleate.FUSE_MOVES`, their names, components,
        and functions ``move(parent, context, *, rng)`` that return a crystal, a ``Child`` or
        None; a function can have an attribute ``applies(parent, context)``.

    Raises
    ------
    InputError
        If something is not a move, or two have the same name.
    """
    found = [
        move_named(item) if isinstance(item, str) else as_move(item) for item in as_list(moves)
    ]
    names = [move.name for move in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"moves: {name!r} is given twice. Give every move a name of its own.")
    if not found:
        raise InputError("moves = [] leaves no move. Give at least one, or leave moves out.")
    return found
