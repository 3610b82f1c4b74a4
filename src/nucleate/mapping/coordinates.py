"""Compositions as rows of counts, and as mixtures of the corners of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.formula import chemical_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_INSIDE = 1e-9


def key_of(counts: Mapping[str, int]) -> str:
    """Return a formula in chemical order, the same for every order of the elements."""
    return "".join(f"{symbol}{counts[symbol]}" for symbol in chemical_order(counts))


def amounts_of(
    counts: Sequence[int], member_counts: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return how much of each corner adds up to a formula unit, or None if nothing does."""
    wanted = np.array(counts, dtype=np.float64)
    table = member_counts.T.astype(np.float64)
    amounts = np.asarray(np.linalg.lstsq(table, wanted, rcond=None)[0], dtype=np.float64)
    amounts[np.abs(amounts) < _INSIDE] = 0.0
    if np.abs(table @ amounts - wanted).max() > _INSIDE * wanted.sum() or (amounts < 0).any():
        return None
    return amounts


def composition_of(row: Iterable[int], elements: Sequence[str]) -> Composition:
    """Return the composition of counts of the elements of a field."""
    return Composition.from_counts(
        {symbol: int(count) for symbol, count in zip(elements, row, strict=True) if count}
    )


def named(composition: Composition) -> Composition:
    """Return a composition in chemical order and without states, so that equal ones are equal."""
    counts = composition.counts
    return Composition.from_counts({symbol: counts[symbol] for symbol in chemical_order(counts)})
