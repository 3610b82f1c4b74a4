"""The shipped moves in their order, and the weights of moves by name."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.moves.settings import GivenMoves, as_move, move_of_kind
from nucleate.plugins import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nucleate.crystal.space import SearchSpace
    from nucleate.moves.move import Move

Choice = str | dict[str, float] | GivenMoves
"""The name of a preset, weights by the name of a move, or moves themselves."""

MOVES: tuple[Move, ...] = tuple(
    sorted(
        (move for kind in shipped("moves") if (move := as_move(kind.load())).number),
        key=lambda move: move.number,
    )
)
"""The moves of doi 10.1039/d4fd00094c in their order."""

PRESETS: dict[str, dict[str, float]] = {
    "fuse2": {move.name: 1.0 for move in MOVES},
    "symmetric": {
        "act-in-subgroup": 1.0,
        "move-along-freedom": 1.0,
        "climb-to-supergroup": 1.0,
        "descend-in-symmetry": 1.0,
        "double": 1.0,
        "renew-at-any-size": 1.0,
    },
    "rigid": {
        "move-rigid-unit": 3.0,
        "swap-two-atoms": 1.0,
        "move-atom-to-vacancy": 1.0,
        "double": 1.0,
        "triple": 1.0,
        "renew-at-any-size": 1.0,
    },
}
"""Sets of weights by name: ``fuse2`` is the paper's, with equal weights; the others are for spaces
that are restricted to space groups, or to crystals with a motif."""

AUTO = "auto"
"""The preset that suits the search space."""


def chosen(choice: Choice, space: SearchSpace) -> Choice:
    """Return a choice of moves, in place of ``auto`` the preset that suits the space."""
    if choice != AUTO:
        return choice
    if space.space_groups is not None:
        return "symmetric"
    return "fuse2" if space.motif is None else "rigid"


def move_weights(choice: str | Mapping[str, float] = AUTO) -> dict[str, float]:
    """Return the weight of every move by its name.

    Parameters
    ----------
    choice : str or mapping
        The name of a preset, or weights by the name of a move, which may be that of an entry
        point or ``module:Class``; moves of the ``fuse2`` preset that are not named keep its
        weight, 0 switches a move off.

    Raises
    ------
    InputError
        If a name is not known, a weight is negative or not finite, or all are 0.
    """
    if isinstance(choice, str):
        if choice == AUTO:
            choice = "fuse2"
        if choice not in PRESETS:
            raise InputError(
                f"moves = {choice!r} is not a preset. Use one of {', '.join((AUTO, *PRESETS))}, or "
                "weights by the name of the move."
            )
        return dict(PRESETS[choice])
    weights = dict(PRESETS["fuse2"])
    for name, weight in choice.items():
        if name not in weights:
            move_named(name)
        if not 0.0 <= weight < inf:
            raise InputError(f"moves: {name} = {weight} is not a weight. Give a number from 0 on.")
        weights[name] = float(weight)
    if not any(weights.values()):
        raise InputError("moves: all weights are 0. Give at least one move a positive weight.")
    return weights


def move_named(name: str) -> Move:
    """Return the move of this name: a shipped one, that of an entry point, or ``module:Class``.

    Raises
    ------
    InputError
        If there is none.
    """
    for move in MOVES:
        if move.name == name:
            return move
    try:
        return move_of_kind(name)
    except InputError as error:
        raise InputError(f"moves: {error}") from error


def moves_for(
    given: Iterable[object] | None, *choices: Choice
) -> tuple[tuple[Move, ...], frozenset[str]]:
    """Return the moves that a search draws from, and the names of those that are on by default.

    Parameters
    ----------
    given
        Moves that replace the shipped ones, each in any form that
        :func:`~nucleate.moves.settings.as_move` takes; None for the shipped ones.
    choices
        Weights by name, or moves that replace the shipped ones. Moves that weights name besides
        those come last, in the order of naming; they are off where another choice counts.
    """
    if given is None:
        objects = [choice for choice in choices if isinstance(choice, GivenMoves)]
        given = objects[0].moves if objects else MOVES
    moves = [as_move(source) for source in given]
    by_default = frozenset(move.name for move in moves)
    for choice in choices:
        for name in choice if isinstance(choice, dict) else PRESETS.get(str(choice), ()):
            if all(move.name != name for move in moves):
                moves.append(move_named(name))
    return tuple(moves), by_default
