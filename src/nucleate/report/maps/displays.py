"""What is shown of a map while it is in progress: on a terminal, in a notebook, or as lines."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from nucleate.mapping.events import Silent
from nucleate.report.displays import Stages, duration, is_notebook
from nucleate.report.live_display import phase_lines
from nucleate.report.maps.rows import HEADS, cells_of, map_rows, rows_html
from nucleate.report.pace import Paced
from nucleate.report.phases import Phases

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderableType
    from rich.table import Table

    from nucleate.mapping.energies import Energies
    from nucleate.mapping.events import MapProgress
    from nucleate.mapping.site import Site

PLAIN_EVERY_S = 30.0
LIVE_EVERY_S = 1.0
PER_SECOND = 2.0
ROWS_EVERY_S = 2.0
ROWS = 14
"""Rows of the table on the terminal: with the lines around it they fit 24 lines."""


class MapDisplay(Protocol):
    """Someone who is shown a map; a context while it is in progress."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def start(self, system: str, folder: Path, time_s: float | None) -> None:
        """Begin with the field, the folder, and the time after which the map stops."""
        ...

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how far a preparation is."""
        ...

    def on_note(self, text: str) -> None:
        """Show a sentence."""
        ...

    def on_visit(self, site: Site, reason: str) -> None:
        """Show that a visit of a composition has ended."""
        ...

    def on_progress(self, progress: MapProgress, energies: Energies) -> None:
        """Show the present state; called several times per second."""
        ...


class NoMapDisplay(Paced, Silent):
    """Shows nothing; base of the others."""

    def __init__(self) -> None:
        super().__init__()
        self._system = ""
        self._time_s: float | None = None

    def start(self, system: str, folder: Path, time_s: float | None) -> None:
        """Begin with the field, the folder, and the time after which the map stops."""
        del folder
        self._system, self._time_s = system, time_s


class PlainMapDisplay(NoMapDisplay):
    """Prints a line for every visit, and one from time to time."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._stages = Stages()

    def start(self, system: str, folder: Path, time_s: float | None) -> None:
        """Print the title."""
        super().start(system, folder, time_s)
        self._write(f"{system} in {folder}")

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Print how far a preparation is."""
        self._stages(text, done, total)

    def on_note(self, text: str) -> None:
        """Print a sentence."""
        self._write(text)

    def on_visit(self, site: Site, reason: str) -> None:
        """Print what a visit has come to."""
        best = "no energy" if site.best is None else f"{site.best:.4f} eV/atom"
        self._write(f"{site.formula:>14}  {best}, {site.n_structures} structures; {reason}")

    def on_progress(self, progress: MapProgress, energies: Energies) -> None:
        """Print a line if the last one is long ago."""
        del energies
        if progress.session_s > PLAIN_EVERY_S and self._is_due(PLAIN_EVERY_S):
            self._write(f"{duration(progress.elapsed_s):>8}  {in_words(progress)}")

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class LiveMapDisplay(NoMapDisplay):
    """A picture on the terminal that is drawn again twice per second: preparations, then a table.

    Parameters
    ----------
    console : rich.console.Console, optional
        Default standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.live import Live

        super().__init__()
        self._phases = Phases()
        self._rows_s = float("-inf")
        self._head = self._words = ""
        self._table: Table | None = None
        self._live = Live(
            console=console,
            get_renderable=self._picture,
            refresh_per_second=PER_SECOND,
            transient=True,
            vertical_overflow="crop",
        )

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def start(self, system: str, folder: Path, time_s: float | None) -> None:
        """Begin with the field, the folder, and the time after which the map stops."""
        super().start(system, folder, time_s)
        self._live.start()

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how far a preparation is, by a bar and an estimate of the time that is left."""
        self._phases.note(text, done, total)

    def on_note(self, text: str) -> None:
        """Show a sentence above the picture."""
        from rich.text import Text

        self._live.console.print(Text(text))

    def on_progress(self, progress: MapProgress, energies: Energies) -> None:
        """Take note of the present state, at most once per second."""
        if not self._is_due(LIVE_EVERY_S):
            return
        self._phases.end()
        if time.monotonic() - self._rows_s > ROWS_EVERY_S or self._table is None:
            self._table = table_of(energies)
            self._rows_s = time.monotonic()
        self._head = heading(self._system, progress, self._time_s)
        self._words = in_words(progress)

    def _picture(self) -> RenderableType:
        """Return everything, as it is now; called by the thread that draws."""
        from rich.console import Group
        from rich.text import Text

        phase = self._phases.now
        if phase is not None:
            head = Text(self._system, style="bold")
            return Group(head, *phase_lines(phase, self._live.console.width))
        head = Text(self._head or self._system, style="bold")
        return head if self._table is None else Group(head, self._table, Text(self._words))


class NotebookMapDisplay(NoMapDisplay):
    """A table in the output of a notebook's cell that is replaced every two seconds."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        super().__init__()
        self._html: Any = HTML
        self._handle: Any = display(HTML("<p>Loading the energy models</p>"), display_id=True)

    def __exit__(self, *_: object) -> None:
        self._show("")

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how far a preparation is."""
        if done >= total or self._is_due(ROWS_EVERY_S):
            how_far = f": {done:,} of {total:,}" if total else ""
            self._show(f"<p>{escape(text)}{how_far}</p>")

    def on_progress(self, progress: MapProgress, energies: Energies) -> None:
        """Replace the table, at most every two seconds."""
        if self._is_due(ROWS_EVERY_S):
            rows = map_rows(energies, with_reactions=False)
            self._show(
                rows_html(rows, heading(self._system, progress, self._time_s))
                + f"<p>{escape(in_words(progress))}</p>"
            )

    def _show(self, html: str) -> None:
        self._handle.update(self._html(html))


def table_of(energies: Energies) -> Table:
    """Return the rows next to the hull as a table for the terminal, without structure types.

    Naming the structures would take time from the search.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for place, head in enumerate(HEADS[:-1]):
        table.add_column(
            Text(head.replace(", ", ",\n")),
            justify="right" if place in (2, 3, 4) else "left",
            no_wrap=True,
        )
    for row in map_rows(energies, with_reactions=False)[:ROWS]:
        table.add_row(*(Text(cell) for cell in cells_of(row)[:-1]))
    return table


def heading(system: str, progress: MapProgress, time_s: float | None) -> str:
    """Return the field with the time that has passed and the time that is left."""
    left = "" if time_s is None else f", {duration(max(time_s - progress.session_s, 0.0))} left"
    return f"{system}: {duration(progress.elapsed_s)}{left}"


def in_words(progress: MapProgress) -> str:
    """Return one line with the numbers of a map."""
    parts = [
        f"{progress.n_visited} of {progress.n_compositions} compositions",
        f"{progress.n_structures} structures",
    ]
    if progress.n_failed:
        parts.append(f"{progress.n_failed} failed")
    if progress.n_blank:
        parts.append(f"{progress.n_blank} without any energy")
    if progress.expected_change_mev is not None:
        parts.append(f"hull expected to change by {progress.expected_change_mev:.2g} meV/atom")
    if progress.now:
        parts.append(f"now {', '.join(progress.now)}")
    return ", ".join(parts)


def suitable_map_display(wanted: bool = True) -> MapDisplay:
    """Return the display for a notebook, a terminal, or, elsewhere or unwanted, none."""
    if not wanted:
        return NoMapDisplay()
    if is_notebook():
        return NotebookMapDisplay()
    return LiveMapDisplay() if sys.stdout.isatty() else NoMapDisplay()
