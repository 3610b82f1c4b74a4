"""Which compositions of a field are charge-neutral, with given or usual oxidation states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.oxidation import States

ANION_FORMERS = frozenset(["N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I"])
"""Elements that make a field one of charge-neutral compounds."""

_HALOGENS = frozenset(["F", "Cl", "Br", "I"])
_MIXED = 3
"""Positive states of an element that mix without being given, the first of its list."""

_SHARES = ((1, 1), (1, 2), (2, 1))
"""Ratios at which an element has two of its usual states at once (Sn2S3, Fe3O4, Pb3O4)."""

_UNIT = 6
"""Charges are counted in sixths, so that the means of such ratios are whole."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way in which an element is charged.

    Attributes
    ----------
    states : tuple of int
        One state, or the two or more of mixed valence.
    low, high : int
        Smallest and largest mean charge, in sixths.
    is_given : bool
        Whether it was given by the user.
    """

    states: tuple[int, ...]
    low: int
    high: int
    is_given: bool = False

    @property
    def is_guessed_mixture(self) -> bool:
        """Whether it is mixed valence that nobody gave."""
        return len(self.states) > 1 and not self.is_given


def options_of(symbol: str, given: States) -> list[Option]:
    """Return the ways in which an element may be charged, the most usual first.

    Given states are one, or a range of means between the lowest and the highest. Usual ones are
    the positive states of the table (none for halogens), the first negative one, and two of the
    first three positive ones at once in the ratio 1:1, 1:2 or 2:1.
    """
    if symbol in given:
        value = given[symbol]
        states = tuple(value) if isinstance(value, Sequence) else (value,)
        return [Option(states, _UNIT * min(states), _UNIT * max(states), is_given=True)]
    known = element(symbol).oxidation_states
    positive = [] if symbol in _HALOGENS else [state for state in known if state > 0]
    found = [Option((s,), _UNIT * s, _UNIT * s) for s in positive]
    negative = next((state for state in known if state < 0), None)
    if negative is not None:
        found.append(Option((negative,), _UNIT * negative, _UNIT * negative))
    ordered = sorted(positive[:_MIXED])
    for first, second in pairwise(ordered):
        for share, other in _SHARES:
            mean = _UNIT * (share * first + other * second) // (share + other)
            found.append(Option((first, second), mean, mean))
    return found


def assignments(symbols: Sequence[str], given: States) -> list[tuple[Option, ...]]:
    """Return how the elements of a compound may be charged together.

    There are cations and anions, every anion without a given state is more electronegative than
    every such cation, and at most one element has a mixed valence that was not given.
    """
    pull = [element(symbol).electronegativity or 0.0 for symbol in symbols]
    found = []
    for choice in product(*(options_of(symbol, given) for symbol in symbols)):
        if sum(option.is_guessed_mixture for option in choice) > 1:
            continue
        if not any(option.low < 0 for option in choice) or all(option.low < 0 for option in choice):
            continue
        guessed = [(p, o.low) for p, o in zip(pull, choice, strict=True) if not o.is_given]
        cations = [p for p, low in guessed if low > 0]
        anions = [p for p, low in guessed if low < 0]
        if not cations or not anions or max(cations) < min(anions):
            found.append(choice)
    return sorted(found, key=lambda choice: sum(o.is_guessed_mixture for o in choice))


def neutral_rows(
    symbols: Sequence[str], counts: NDArray[np.int64], given: States, max_ratio: float = np.inf
) -> NDArray[np.bool_]:
    """Return which compositions can be neutral.

    Parameters
    ----------
    symbols
        Elements, all of them in every composition.
    counts
        Positive counts, shape (n, n_symbols).
    given
        States of some of them.
    max_ratio
        Largest ratio of two counts among the cations, and among the anions.
    """
    neutral = np.zeros(len(counts), dtype=bool)
    for choice in assignments(symbols, given):
        low = counts @ np.array([option.low for option in choice])
        high = counts @ np.array([option.high for option in choice])
        is_anion = np.array([option.low < 0 for option in choice])
        simple = is_simple(counts[:, is_anion], max_ratio) & is_simple(
            counts[:, ~is_anion], max_ratio
        )
        neutral |= (low <= 0) & (high >= 0) & simple
    return neutral


def is_simple(counts: NDArray[np.int64], max_ratio: float) -> NDArray[np.bool_]:
    """Return in which rows no count is more than ``max_ratio`` times another."""
    return counts.max(axis=1) <= max_ratio * counts.min(axis=1)


def states_of(counts: Mapping[str, int], given: States) -> dict[str, int | list[int]] | None:
    """Return the charge of every element of a composition, as the input of a run has it.

    None where no state of its elements was given, or none fits: the run then guesses.

    Parameters
    ----------
    counts
        Count of each element.
    given
        States of some elements.
    """
    if not any(symbol in given for symbol in counts):
        return None
    amounts = np.array(list(counts.values()))
    for choice in assignments(list(counts), given):
        low = amounts @ np.array([option.low for option in choice])
        high = amounts @ np.array([option.high for option in choice])
        if low <= 0 <= high:
            return {
                symbol: option.states[0] if len(option.states) == 1 else list(option.states)
                for symbol, option in zip(counts, choice, strict=True)
            }
    return None
