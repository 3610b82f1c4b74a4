"""Guess charge-neutral oxidation states from the common states of the elements."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod

from nucleate.crystal.elements import element

_MOST_COMBINATIONS = 100_000


def guess_oxidation_states(items: tuple[tuple[str, int], ...]) -> dict[str, int] | None:
    """Return the most usual charges that add up to zero, or None where there are none.

    Every element has one state (mixed valence gives None), and every anion is more
    electronegative than every cation.

    Parameters
    ----------
    items
        Symbols and counts of one formula unit.
    """
    best = _best_states(items)
    return dict(best) if best else None


@lru_cache(maxsize=256)
def _best_states(items: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...] | None:
    data = [element(symbol) for symbol, _ in items]
    choices = [list(enumerate(item.oxidation_states)) for item in data]
    while prod(map(len, choices)) > _MOST_COMBINATIONS:  # the least usual states are left out
        max(choices, key=len).pop()
    best: tuple[tuple[str, int], ...] | None = None
    best_penalty = float("inf")
    for combination in product(*choices):
        states = [state for _, state in combination]
        penalty = sum(rank for rank, _ in combination)
        charge = sum(state * count for state, (_, count) in zip(states, items, strict=True))
        if charge or penalty >= best_penalty:
            continue
        cations = [
            _pull(item.electronegativity) for item, s in zip(data, states, strict=True) if s > 0
        ]
        anions = [
            _pull(item.electronegativity) for item, s in zip(data, states, strict=True) if s < 0
        ]
        if cations and anions and max(cations) < min(anions):
            best_penalty = penalty
            best = tuple((symbol, s) for (symbol, _), s in zip(items, states, strict=True))
    return best


def _pull(electronegativity: float | None) -> float:
    return 0.0 if electronegativity is None else electronegativity
