"""Moves that can change no crystal of a search space."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    """Return a sentence on the moves that were given a weight and can change nothing.

    Parameters
    ----------
    key
        Of the input that gives the weights.
    choice
        Its value: a preset, or weights by the name of the move.
    space
        Composition and sizes of the cell.
    """
    if not isinstance(choice, dict):
        return []
    reasons = why_idle([name for name, weight in choice.items() if weight > 0.0], space)
    if not reasons:
        return []
    formula = space.composition.formula
    line = (
        f"{key}: with {formula} in cells of at most {space.formula_units[-1]} formula units, "
        f"{' and '.join(reasons.values())}, so that the weight has no effect. Give it weight 0."
    )
    return [line]
