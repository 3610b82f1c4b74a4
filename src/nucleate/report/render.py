"""Rows rendered: dictionaries, CSV, HTML, the terminal, plain text, data frames."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from nucleate.errors import MissingDependencyError
from nucleate.report.columns import stress_in, unit_of
from nucleate.text import table_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from nucleate.report.columns import Column, Value
    from nucleate.report.rows import Row

UNITS = ("ev", "arbitrary")


def row_dict(row: Row, view: Iterable[Column]) -> dict[str, Value]:
    """Return the values of a row by the keys of the columns, those without a value left out."""
    found: dict[str, Value] = {}
    for column in view:
        value = column.value(row)
        unit = column.unit(row)
        if value is not None and (unit or not column.has_unit):
            found[column.key_in(unit)] = value
    return found


def to_dicts(rows: Sequence[Row], view: Sequence[Column]) -> list[dict[str, Value]]:
    """Return rows as dictionaries with the same keys; None where a row has no value."""
    keys = [column.key_in(unit) for column, unit in _places(rows, view)]
    return [{key: found.get(key) for key in keys} for found in (row_dict(r, view) for r in rows)]


def write_csv(path: Path, rows: Sequence[Row], view: Sequence[Column]) -> None:
    """Write rows as a CSV table whose header carries the units; None becomes an empty field."""
    write_rows(path, to_dicts(rows, view))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write dictionaries that have the same keys as a CSV table.

    ``columns`` are the keys, for the headings of a table without rows.
    """
    names = list(rows[0]) if rows else columns
    with path.open("w", newline="", encoding="utf-8") as stream:
        if not names:
            return
        writer = csv.DictWriter(stream, fieldnames=names)
        writer.writeheader()
        for row in rows:
            writer.writerow({key: cell_of(value) for key, value in row.items()})


def cell_of(value: Any) -> Any:
    """Return a value as it may stand in a table."""
    return table_cell(value) if isinstance(value, str) else value


def json_dict(row: Row, view: Sequence[Column]) -> dict[str, Any]:
    """Return :func:`row_dict` with the forces, the stress and the geometry, JSON-ready."""
    found: dict[str, Any] = dict(row_dict(row, view))
    relaxed = row.relaxed
    if relaxed is None:
        return found
    unit, crystal = unit_of(relaxed), relaxed.crystal
    stress_key = "stress_gpa" if unit == "ev" else "stress_arbitrary_per_ang3"
    found[f"forces_{unit}_per_angstrom"] = relaxed.forces.tolist()
    found[stress_key] = [
        [stress_in(relaxed, value) for value in line] for line in relaxed.stress_gpa.tolist()
    ]
    found["atomic_numbers"] = crystal.numbers.tolist()
    found["cell_angstrom"] = crystal.cell.tolist()
    found["scaled_positions"] = crystal.scaled.tolist()
    return found


def to_pandas(rows: Sequence[Row], view: Sequence[Column]) -> DataFrame:
    """Return rows as a data frame.

    Raises
    ------
    MissingDependencyError
        If pandas is not installed.
    """
    keys = [column.key_in(unit) for column, unit in _places(rows, view)]
    return data_frame(to_dicts(rows, view), keys)


def data_frame(rows: Sequence[Mapping[str, Value]], keys: list[str] | None = None) -> DataFrame:
    """Return dictionaries as a data frame; ``keys`` are its columns, default those of the rows.

    Raises
    ------
    MissingDependencyError
        If pandas is not installed.
    """
    try:
        from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise MissingDependencyError(
            "to_pandas needs pandas: pip install pandas. to_dicts() gives the same rows without it."
        ) from error
    return DataFrame(rows, columns=keys)


@dataclass(frozen=True, slots=True)
class Texts:
    """A table for people: columns that are empty in every row are left out.

    Attributes
    ----------
    heads : list of str
        Of the columns.
    cells : list of list of str
        By row.
    is_number : list of bool
        Which columns hold numbers.
    """

    heads: list[str]
    cells: list[list[str]]
    is_number: list[bool]


def texts(rows: Sequence[Row], view: Sequence[Column]) -> Texts:
    """Return a table for people."""
    heads: list[str] = []
    by_column: list[list[str]] = []
    is_number: list[bool] = []
    for column, unit in _places(rows, view):
        values = [
            None if column.has_unit and column.unit(row) != unit else column.value(row)
            for row in rows
        ]
        if any(value not in (None, "") for value in values):
            heads.append(column.head_in(unit))
            by_column.append([column.text(value) for value in values])
            is_number.append(all(_is_number(value) for value in values if value is not None))
    return Texts(heads, [list(line) for line in zip(*by_column, strict=True)], is_number)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def html_table(rows: Sequence[Row], view: Sequence[Column]) -> str:
    """Return rows as an HTML table; every text is escaped."""
    table = texts(rows, view)
    return html_of(table.heads, table.cells)


def html_of(heads: Iterable[Any], cells: Iterable[Iterable[Any]]) -> str:
    """Return heads and cells as an HTML table; every text is escaped."""
    top = "".join(f"<th>{escape(str(name))}</th>" for name in heads)
    lines = (
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in line) + "</tr>"
        for line in cells
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def plain_table(rows: Sequence[Row], view: Sequence[Column]) -> str:
    """Return rows as lines of text in columns."""
    return plain_text(texts(rows, view))


def plain_text(found: Texts) -> str:
    """Return a table for people as lines of text in columns."""
    lines = [found.heads, *found.cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(found.heads))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(line, widths, found.is_number, strict=True)
        ).rstrip()
        for line in lines
    )


def _places(rows: Sequence[Row], view: Sequence[Column]) -> list[tuple[Column, str]]:
    """Return the columns of a table, those with a unit once for each unit that occurs."""
    places: list[tuple[Column, str]] = []
    for column in view:
        if column.has_unit:
            present = {column.unit(row) for row in rows if column.value(row) is not None}
            places += [(column, unit) for unit in UNITS if unit in present]
        else:
            places.append((column, ""))
    return places
