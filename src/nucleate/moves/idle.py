"""Moves that can change no crystal of a search space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.moves.table import AUTO, MOVES, PRESETS, chosen, move_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nucleate.crystal.space import SearchSpace

COPIES = {"double": 2, "triple": 3}
"""Moves that multiply the cell, and by what."""

UNLIKE_ATOMS = frozenset(
    {
        "swap-two-atoms",
        "shuffle-some-atoms",
        "shuffle-some-with-vacancies",
        "shuffle-all-atoms",
    }
)
"""Moves that cannot act on an element."""


def why_idle(names: Iterable[str], space: SearchSpace) -> dict[str, str]:
    """Return why moves can change no crystal of a space, by the names of those that cannot.

    Parameters
    ----------
    names
        Of the moves.
    space
        Composition and sizes of the cell.
    """
    reasons = {}
    for name in names:
        copies = COPIES.get(name, 1)
        if all(units % copies for units in space.formula_units):
            reasons[name] = f"{name} needs a cell of {copies} formula units"
        elif name in UNLIKE_ATOMS and len(space.composition.elements) == 1:
            reasons[name] = f"{name} needs two elements"
    return reasons


def idle_notes(key: str, choice: object, space: SearchSpace) -> list[str]:
    """Return sentences on moves with a weight that change nothing or give hardly any child.

    Parameters
    ----------
    key
        Of the input that gives the weights.
    choice
        Its value: a preset, or weights by the name of the move.
    space
        Composition and sizes of the cell.
    """
    lines = []
    own = choice if isinstance(choice, dict) else {}
    reasons = why_idle([name for name, weight in own.items() if weight > 0.0], space)
    if reasons:
        formula = space.composition.formula
        lines.append(
            f"{key}: with {formula} in cells of at most {space.formula_units[-1]} formula units, "
            f"{' and '.join(reasons.values())}, so that the weight has no effect. Give it weight 0."
        )
    restriction = restriction_of(space)
    if restriction and choice != AUTO and isinstance(choice, (dict, str)):
        suited = chosen(AUTO, space)
        kept = {*PRESETS[str(suited)], "triple", "renew"}
        weights = move_weights(choice)
        lost = [m.name for m in MOVES if weights.get(m.name, 0.0) > 0.0 and m.name not in kept]
        if lost:
            lines.append(
                f"{key}: with {restriction}, hardly a child of {', '.join(lost)} is allowed, and "
                f"others take their place. Give them weight 0, or use {key} = {suited!r}."
            )
    return lines


def restriction_of(space: SearchSpace) -> str:
    """Return the key that restricts a space to crystals that atoms moved singly leave."""
    if space.motif is not None:
        return "problem.motif"
    groups = space.space_groups
    return "problem.space_groups" if groups is not None and 1 not in groups else ""
