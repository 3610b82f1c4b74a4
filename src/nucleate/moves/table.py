"""The table of the fourteen moves and their weights."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.moves import atoms, blocks, cell, renewal, size
from nucleate.moves.move import Move

if TYPE_CHECKING:
    from collections.abc import Mapping

MOVES: tuple[Move, ...] = (
    Move(1, "swap-two-atoms", atoms.swap_two_atoms, atoms.has_two_elements),
    Move(2, "move-atom-to-vacancy", atoms.move_atom_to_vacancy, atoms.has_two_atoms),
    Move(3, "shuffle-some-atoms", atoms.shuffle_some_atoms, atoms.has_atoms_to_shuffle),
    Move(
        4,
        "shuffle-some-with-vacancies",
        atoms.shuffle_some_with_vacancies,
        atoms.has_atoms_to_shuffle,
    ),
    Move(5, "shuffle-all-atoms", atoms.shuffle_all_atoms, atoms.has_two_elements),
    Move(6, "shuffle-all-with-vacancies", atoms.shuffle_all_with_vacancies, atoms.has_two_atoms),
    Move(7, "swap-two-blocks", blocks.swap_two_sub_modules, blocks.has_three_sub_modules),
    Move(8, "swap-two-layers", blocks.swap_two_layers, blocks.has_three_layers),
    Move(9, "reshape", cell.reshape, cell.always),
    Move(10, "refill-block", blocks.refill_sub_module, blocks.can_have_sparse_sub_module),
    Move(11, "double", size.double, size.can_double),
    Move(12, "triple", size.triple, size.can_triple),
    Move(13, "renew", renewal.renew, cell.always, renews=True),
    Move(14, "renew-at-any-size", renewal.renew_at_any_size, cell.always, renews=True),
)
"""The moves of doi 10.1039/d4fd00094c in their order."""

PRESETS: dict[str, dict[str, float]] = {"fuse2": {move.name: 1.0 for move in MOVES}}
"""Sets of weights by name; ``fuse2`` is the paper's, with equal weights."""


def move_weights(choice: str | Mapping[str, float] = "fuse2") -> dict[str, float]:
    """Return the weight of every move by its name.

    Parameters
    ----------
    choice : str or mapping
        The name of a preset, or weights by the name of a move; those not named keep the weight
        of the ``fuse2`` preset, 0 switches a move off.

    Raises
    ------
    InputError
        If a name is not known, a weight is negative or not finite, or all are 0.
    """
    if isinstance(choice, str):
        if choice not in PRESETS:
            raise InputError(
                f"moves = {choice!r} is not a preset. Use one of {', '.join(PRESETS)}, or weights "
                "by the name of the move."
            )
        return dict(PRESETS[choice])
    weights = dict(PRESETS["fuse2"])
    for name, weight in choice.items():
        if name not in weights:
            raise InputError(f"moves: {name!r} is not a move. Use one of {', '.join(weights)}.")
        if not 0.0 <= weight < inf:
            raise InputError(f"moves: {name} = {weight} is not a weight. Give a number from 0 on.")
        weights[name] = float(weight)
    if not any(weights.values()):
        raise InputError("moves: all weights are 0. Give at least one move a positive weight.")
    return weights


def move_named(name: str) -> Move:
    """Return the move of this name.

    Raises
    ------
    InputError
        If there is none.
    """
    for move in MOVES:
        if move.name == name:
            return move
    raise InputError(
        f"moves: {name!r} is not a move. Use one of {', '.join(move.name for move in MOVES)}."
    )
