"""Windows, lines and points of the input of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.mapping.coordinates import composition_of, named
from nucleate.mapping.grid import on_line
from nucleate.mapping.states import neutral_rows
from nucleate.mapping.windows import read_window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.mapping.field import Field
    from nucleate.mapping.settings import FieldSettings
    from nucleate.mapping.windows import Window


def in_windows(grid: NDArray[np.int64], bare: Field, options: FieldSettings) -> NDArray[np.bool_]:
    """Return which compositions of a grid are inside all windows."""
    inside = np.ones(len(grid), dtype=bool)
    for _, window, fractions in _windows(bare, grid, options) if len(grid) else ():
        inside &= window.contains(fractions)
    return inside


def windowed(bare: Field, grid: NDArray[np.int64], options: FieldSettings) -> NDArray[np.int64]:
    """Return the compositions inside all windows.

    Raises InputError if none is left and the input has no lines or points.
    """
    inside = np.ones(len(grid), dtype=bool)
    for text, window, fractions in _windows(bare, grid, options):
        inside &= window.contains(fractions)
        if len(grid) and not inside.any() and not (options.lines or options.points):
            raise InputError(
                f"field.windows: {text!r} leaves no composition of the grid, where "
                f"x({window.name}) is from {fractions.min():.3g} to {fractions.max():.3g}. Widen "
                "it, or raise field.max_atoms_per_formula."
            )
    return grid[inside]


def _windows(
    bare: Field, grid: NDArray[np.int64], options: FieldSettings
) -> Iterator[tuple[str, Window, NDArray[np.float64]]]:
    """Yield each window of the input as text, as read, and with its fractions on a grid."""
    for text in options.windows:
        window = read_window(text)
        yield text, window, _fractions(bare, grid, window, text)


def of_lines(bare: Field, options: FieldSettings) -> list[Composition]:
    """Return the compositions of the lines, ends included; raises InputError if one is wrong.

    Between the ends those that are charge-neutral, where the field is.
    """
    found: list[Composition] = []
    for line in options.lines:
        ends = [part.strip() for part in line.split("-")]
        if len(ends) != 2:
            raise InputError(
                f"field.lines: {line[:80]!r} is not a line. Write two compositions, such as "
                "'SrO-TiO2'."
            )
        first, last = (_inside(bare, end, "lines", line, options) for end in ends)
        limit = min(options.cell_limit, options.max_atoms_per_formula or options.cell_limit)
        rows = on_line(bare.counts_of(first), bare.counts_of(last), options.max_ratio, limit)
        if bare.is_neutral:
            rows = [row for row in rows if row_is_neutral(row, bare.elements, options)]
        found += [first, *(composition_of(row, bare.elements) for row in rows), last]
    return found


def of_points(bare: Field, options: FieldSettings) -> list[Composition]:
    """Return the points; raises InputError if one is wrong."""
    return [_inside(bare, point, "points", point, options) for point in options.points]


def row_is_neutral(row: NDArray[np.int64], elements: Sequence[str], options: FieldSettings) -> bool:
    """Return whether a composition can be neutral with the states of the input."""
    present = [symbol for symbol, count in zip(elements, row, strict=True) if count]
    counts = row[row > 0][None]
    return bool(neutral_rows(present, counts, options.oxidation_states)[0])


def _fractions(
    bare: Field, grid: NDArray[np.int64], window: Window, text: str
) -> NDArray[np.float64]:
    try:
        item = named(Composition.from_formula(window.name))
    except InputError as error:
        raise InputError(f"field.windows: {text!r}: {error}") from None
    if bare.has_end_members and item in bare.members:
        place = bare.members.index(item)
        amounts = np.linalg.lstsq(bare.member_counts.T.astype(float), grid.T, rcond=None)[0].T
        return amounts[:, place] / amounts.sum(axis=1)
    if window.name in bare.elements:
        return grid[:, bare.elements.index(window.name)] / grid.sum(axis=1)
    names = dict.fromkeys((*bare.elements, *(member.formula for member in bare.members)))
    raise InputError(
        f"field.windows: {text!r}: {window.name} is not in the field {bare.system}. Use one of "
        f"{', '.join(names)}."
    )


def _inside(bare: Field, formula: str, key: str, value: str, options: FieldSettings) -> Composition:
    """Return a composition of the input; raises InputError unless it is one of the field."""
    try:
        composition = named(Composition.from_formula(formula))
    except InputError as error:
        raise InputError(f"field.{key}: {value[:80]!r}: {error}") from None
    if not bare.contains(composition):
        raise InputError(
            f"field.{key}: {composition.formula} is not in the field {bare.system}. Remove it, or "
            "change field.system."
        )
    is_corner = composition in bare.members
    row = np.array(bare.counts_of(composition))
    if bare.is_neutral and not is_corner and not row_is_neutral(row, bare.elements, options):
        raise InputError(
            f"field.{key}: {composition.formula} is not charge-neutral. Correct it, give "
            "field.oxidation_states, or write field.neutral = false."
        )
    return composition
