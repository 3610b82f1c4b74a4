"""What is shown on a terminal: tables of results, and how far a run is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.report.columns import columns
from nucleate.report.displays import Display, PlainDisplay, Stages
from nucleate.report.live import PAGE
from nucleate.report.live_display import LiveDisplay
from nucleate.report.phases import EXPORT, duration
from nucleate.report.render import json_dict
from nucleate.report.rows import ranked_rows
from nucleate.report.terminal import terminal_table
from nucleate.report.views import FILES, SHORT_FILES, TERMINAL_RANKING
from nucleate.run.events import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from nucleate.api.relax import Series
    from nucleate.api.run import Run
    from nucleate.report.rows import Row

__all__ = [
    "EXPORT",
    "PAGE",
    "Display",
    "LiveDisplay",
    "PlainDisplay",
    "Progress",
    "Stages",
    "duration",
    "ranking_table",
    "series_rows",
    "series_table",
]


def ranking_table(run: Run, best: int, width: int, order: str = "likely") -> RenderableType:
    """Return the best distinct structures of a run, each with the tier it is ranked on."""
    return terminal_table(ranked_rows(run.top(best, order)), columns(*TERMINAL_RANKING), width)


def series_table(rows: Sequence[Row], width: int) -> RenderableType:
    """Return what came of a series of structures."""
    return terminal_table(rows, columns(*SHORT_FILES), width)


def series_rows(series: Series) -> Iterator[dict[str, Any]]:
    """Yield what came of a series, a JSON-ready dictionary for each structure."""
    view = columns(*FILES)
    for row in series.rows:
        yield json_dict(row, view)
