"""Guess charge-neutral oxidation states from the common states of the elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import prod

from nucleate.crystal.elements import element
from nucleate.errors import InputError

States = Mapping[str, int | Sequence[int]]
"""One whole charge for each element, or several where its valence is mixed."""

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


def neutral_states(
    items: tuple[tuple[str, int], ...], states: States
) -> tuple[tuple[str, float], ...]:
    """Return the charge of each element, the mean one for mixed valence, so that they add up to 0.

    An element of several states has a mean between the lowest and the highest; a whole number of
    formula units then has whole charges (``AgO`` with Ag of +1 and +3 in two). Where more than one
    element is mixed, all stand at the same fraction of their ranges.

    Parameters
    ----------
    items
        Symbols and counts of one formula unit.
    states
        One state, or several, for each of the symbols.

    Raises
    ------
    InputError
        If a state is not a whole charge, or no mix adds up to 0; the message has the numbers.

    Examples
    --------
    >>> neutral_states((("Fe", 3), ("O", 4)), {"Fe": [2, 3], "O": -2})
    (('Fe', 2.6666666666666665), ('O', -2))
    """
    ranges = {symbol: whole_states(symbol, states[symbol]) for symbol, _ in items}
    low, high = (
        sum(pick(ranges[symbol]) * count for symbol, count in items) for pick in (min, max)
    )
    if not low <= 0 <= high:
        charge = f"charge {low:+d}" if low == high else f"a charge from {low:+d} to {high:+d}"
        raise InputError(
            f"oxidation_states = {dict(states)} give a formula unit of {charge}. Change them so "
            "that the charges add up to 0, or leave them out."
        )
    place = Fraction(-low, high - low) if high > low else Fraction(0)
    return tuple((symbol, _mean(ranges[symbol], place)) for symbol, _ in items)


def _mean(states: Sequence[int], place: Fraction) -> float:
    mean = min(states) + place * (max(states) - min(states))
    return int(mean) if mean.denominator == 1 else float(mean)


def whole_states(symbol: str, given: int | Sequence[int]) -> tuple[int, ...]:
    """Return the given states of an element; raises InputError unless whole and of one sign."""
    states = tuple(given) if isinstance(given, Sequence) else (given,)
    for state in states:
        if state != int(state) or state == 0 or abs(state) > 9:
            raise InputError(
                f"oxidation_states: {symbol} = {state} is not a whole charge from -9 to 9 other "
                "than 0. Leave oxidation_states out for alloys."
            )
    if not states or min(states) < 0 < max(states):
        raise InputError(
            f"oxidation_states: {symbol} = {list(states)} must be states of one sign, such as "
            "[2, 3]."
        )
    return tuple(int(state) for state in states)
