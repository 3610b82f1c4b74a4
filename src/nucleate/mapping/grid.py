"""The grid of compositions of a field: small formulas, neutral or of any kind."""

from __future__ import annotations

from itertools import combinations
from math import comb, gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.mapping.states import is_simple, neutral_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.composition import Composition
    from nucleate.mapping.settings import FieldSettings

    Inside = Callable[[NDArray[np.int64]], NDArray[np.bool_]]

MOST = {2: 40, 3: 100}
MOST_OF_MORE = 300
"""Compositions of a grid by number of corners, where the size of formulas is not given."""

MOST_TRIED = 20_000
"""Formulas of one size that are tried."""


def element_grid(
    elements: Sequence[str], options: FieldSettings, inside: Inside, *, neutral: bool
) -> tuple[NDArray[np.int64], int]:
    """Return the compositions of two or more elements, and the size of the largest formula.

    Formulas are added by their size; without a given size, until one size more would give too
    many inside the windows.

    Parameters
    ----------
    elements
        Of the field.
    options
        Section of the input.
    inside
        Returns which rows of counts the windows of the input allow.
    neutral
        Whether they must be charge-neutral.

    Returns
    -------
    ndarray of int64, shape (n, n_elements)
        Reduced counts.
    int
        Atoms in the largest formula allowed.
    """
    limit = options.max_atoms_per_formula or options.cell_limit
    given = options.oxidation_states if neutral else None
    levels: list[NDArray[np.int64]] = []
    for size in range(2, limit + 1):
        if _tries(size, len(elements)) > MOST_TRIED:
            _refuse_large(options, size)
            return _joined(levels, len(elements)), size - 1
        levels.append(_of_size(elements, size, given, options.max_ratio))
        if options.max_atoms_per_formula is None and _is_too_many(levels, len(elements), inside):
            return _joined(levels[:-1], len(elements)), size - 1
    return _joined(levels, len(elements)), limit


def member_grid(
    members: Sequence[Composition],
    elements: Sequence[str],
    options: FieldSettings,
    inside: Inside,
) -> tuple[NDArray[np.int64], int]:
    """Return the mixtures of two or more end members, and the size of the largest formula.

    As :func:`element_grid`; the counts are those of the elements.
    """
    limit = options.max_atoms_per_formula or options.cell_limit
    table = np.array([[member.counts.get(symbol, 0) for symbol in elements] for member in members])
    by_size: dict[int, list[NDArray[np.int64]]] = {}
    for total in range(2, _most_units(table, limit) + 1):
        if _tries(total, len(members)) > MOST_TRIED:
            _refuse_large(options, total)
            break
        for amounts in _amounts(len(members), total, options.max_ratio):
            row = amounts @ table
            row //= gcd(*row.tolist())
            by_size.setdefault(int(row.sum()), []).append(row)
    levels = []
    for size in range(2, limit + 1):
        levels.append(np.array(by_size.get(size, np.empty((0, len(elements)))), dtype=np.int64))
        if options.max_atoms_per_formula is None and _is_too_many(levels, len(members), inside):
            return _joined(levels[:-1], len(elements)), size - 1
    return _joined(levels, len(elements)), limit


def on_line(
    first: Sequence[int], last: Sequence[int], max_ratio: int, max_atoms: int
) -> list[NDArray[np.int64]]:
    """Return the mixtures of two compositions, by the share of the second.

    Parameters
    ----------
    first, last
        Counts of the elements.
    max_ratio
        Largest ratio of the amounts.
    max_atoms
        Atoms in the largest formula.
    """
    found: dict[tuple[int, ...], float] = {}
    for total in range(2, _most_units(np.array([first, last]), max_atoms) + 1):
        for a, b in _amounts(2, total, max_ratio):
            row = a * np.array(first) + b * np.array(last)
            row //= gcd(*row.tolist())
            if row.sum() <= max_atoms:
                found[tuple(row.tolist())] = b / (a + b)
    return [np.array(row) for row in sorted(found, key=lambda row: found[row])]


def _most_units(table: NDArray[np.int64], max_atoms: int) -> int:
    """Return how many units of some compositions a formula of limited size may stand for.

    Amounts without a common factor give counts whose common factor divides all minors of the table
    of counts: LiSn is a quarter of Li3Sn and LiSn3 together.
    """
    n_rows, n_columns = table.shape
    minors = [
        round(float(np.linalg.det(table[:, columns])))
        for columns in combinations(range(n_columns), n_rows)
    ]
    return gcd(*minors) * max_atoms // int(table.sum(axis=1).min())


def _tries(total: int, parts: int) -> int:
    """Return how many sums of up to this number of parts there are."""
    return sum(comb(parts, k) * comb(total - 1, k - 1) for k in range(2, parts + 1))


def _refuse_large(options: FieldSettings, size: int) -> None:
    """Raise an `InputError` if formulas of a size were asked for that are too many to try."""
    if options.max_atoms_per_formula is not None:
        raise InputError(
            f"field.max_atoms_per_formula = {options.max_atoms_per_formula}: {options.system} has "
            f"too many formulas of {size} atoms. Lower it to {size - 1} or less, and add larger "
            "compositions as field.points."
        )


def _of_size(
    elements: Sequence[str],
    size: int,
    given: dict[str, int | tuple[int, ...]] | None,
    max_ratio: int,
) -> NDArray[np.int64]:
    """Return the compositions with this number of atoms; ``given`` is None where any counts."""
    blocks = []
    for number in range(2, min(len(elements), size) + 1):
        rows = _partitions(size, number)
        rows = rows[np.gcd.reduce(rows, axis=1) == 1]
        for chosen in combinations(range(len(elements)), number):
            if given is None:
                kept = rows[is_simple(rows, max_ratio)]
            else:
                symbols = [elements[k] for k in chosen]
                states = {key: value for key, value in given.items() if key in symbols}
                kept = rows[neutral_rows(symbols, rows, states, max_ratio)]
            block = np.zeros((len(kept), len(elements)), dtype=np.int64)
            block[:, chosen] = kept
            blocks.append(block)
    return np.concatenate(blocks)


def _partitions(total: int, parts: int) -> NDArray[np.int64]:
    """Return all ordered sums of positive whole numbers, shape (n, parts)."""
    cuts = np.array(list(combinations(range(1, total), parts - 1)), dtype=np.int64)
    cuts = cuts.reshape(-1, parts - 1)
    ends = np.full((len(cuts), 1), total)
    return np.diff(np.concatenate([np.zeros_like(ends), cuts, ends], axis=1), axis=1)


def _amounts(n_members: int, total: int, max_ratio: int) -> list[NDArray[np.int64]]:
    """Return the amounts of two or more members that add up to a total, without common factor."""
    found = []
    for number in range(2, min(n_members, total) + 1):
        rows = _partitions(total, number)
        rows = rows[(np.gcd.reduce(rows, axis=1) == 1) & is_simple(rows, max_ratio)]
        for chosen in combinations(range(n_members), number):
            block = np.zeros((len(rows), n_members), dtype=np.int64)
            block[:, chosen] = rows
            found += list(block)
    return found


def _is_too_many(levels: Sequence[NDArray[np.int64]], n_corners: int, inside: Inside) -> bool:
    found = sum(int(inside(level).sum()) for level in levels)
    return found > MOST.get(n_corners, MOST_OF_MORE)


def _joined(levels: Sequence[NDArray[np.int64]], n_elements: int) -> NDArray[np.int64]:
    return np.concatenate([np.empty((0, n_elements), dtype=np.int64), *levels])
