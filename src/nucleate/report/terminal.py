"""Tables on a terminal: no line is wider than it, and every row is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.report.columns import COLUMNS
from nucleate.report.render import Texts, plain_text, texts
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from nucleate.report.columns import Column
    from nucleate.report.rows import Row

DISPENSABLE = (
    "note", "own_rank", "judge_rank", "tier_above", "wall_s", "evaluations", "origin",
    "judge_enthalpy", "opinion", "converged", "type_and_nearest", "copies",
    "finished_s", "tier", "family", "steps", "max_stress", "record",
)  # fmt: skip
"""Columns that are left out of a table that is too wide, in this order."""

SHORTER = {"type_and_nearest": "short_type"}
"""Columns in whose place a shorter one stands then."""

GAP, PLAIN_GAP = 1, 2
WIDEST_CELL = 36


def plain_fitted(rows: Sequence[Row], view: Sequence[Column], width: int) -> str:
    """Return rows as lines of text that are not wider than this, as far as that is possible."""
    return plain_text(fitted(rows, view, width, gap=PLAIN_GAP)[0])


def fitted(
    rows: Sequence[Row], view: Sequence[Column], width: int, *, gap: int = GAP
) -> tuple[Texts, tuple[Column, ...]]:
    """Return a table for people that is at most so wide, and the columns that it has.

    Parameters
    ----------
    rows
        Of the table.
    view
        Its columns.
    width
        Characters.
    gap
        Characters between two columns.
    """
    kept, table = tuple(view), _clipped(texts(rows, view))
    for name in DISPENSABLE:
        if _width(table, gap) <= width:
            break
        column = COLUMNS[name]
        if column in kept:
            place = kept.index(column)
            shorter = (COLUMNS[SHORTER[name]],) if name in SHORTER else ()
            kept = (*kept[:place], *shorter, *kept[place + 1 :])
            table = _clipped(texts(rows, kept))
    return table, kept


def terminal_table(rows: Sequence[Row], view: Sequence[Column], width: int) -> RenderableType:
    """Return rows as a table of rich for a terminal; notes that have no room stand below it.

    Parameters
    ----------
    rows
        Of the table.
    view
        Its columns; those without which one can do are left out where there is no room.
    width
        Of the terminal, in characters.
    """
    from rich.console import Group
    from rich.text import Text

    table, kept = fitted(rows, view, width)
    shown = _rich(table)
    note = COLUMNS["note"]
    notes = [
        Text(f"rank {row.rank}: {clean(str(value))}")
        for row in rows
        if note in view and note not in kept and (value := note.value(row))
    ]
    return Group(shown, *notes) if notes else shown


def _rich(found: Texts) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for head, is_number in zip(found.heads, found.is_number, strict=True):
        table.add_column(
            Text(head), justify="right" if is_number else "left", no_wrap=True, overflow="ellipsis"
        )
    for line in found.cells:
        table.add_row(*(Text(clean(cell)) for cell in line))
    return table


def _width(table: Texts, gap: int) -> int:
    lines = [table.heads, *table.cells]
    widths = (max(len(line[place]) for line in lines) for place in range(len(table.heads)))
    return sum(widths) + gap * (len(table.heads) - 1)


def _clipped(table: Texts) -> Texts:
    cells = [
        [
            cell if len(cell) <= WIDEST_CELL or head == "note" else f"{cell[: WIDEST_CELL - 1]}…"
            for head, cell in zip(table.heads, line, strict=True)
        ]
        for line in table.cells
    ]
    return Texts(table.heads, cells, table.is_number)
