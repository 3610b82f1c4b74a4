"""A run on a terminal: one place for everything that is said of it until it ends.

The picture is drawn by a thread of its own, so that it moves while the main thread compiles or
waits, and is never higher or wider than the terminal.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, TextIO

from nucleate.compiling import compiled
from nucleate.library.library import SHIPPED
from nucleate.report.columns import columns
from nucleate.report.counts import counts, search_share
from nucleate.report.displays import NoDisplay, NotebookDisplay, is_notebook
from nucleate.report.phases import SEARCH, Phase, Phases, duration
from nucleate.report.terminal import terminal_table
from nucleate.report.views import BOARD
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from nucleate.report.displays import Display
    from nucleate.run.events import Progress
    from nucleate.search.record import Record, SearchUpdate

PER_SECOND = 2.0
TABLE_EVERY_S = 0.5
MOST_NOTES = 3
OTHER_LINES = 12
"""Lines of the picture besides the rows of its table."""

STEPS = 1000


class LiveDisplay(NoDisplay):
    """A picture on the terminal that is drawn again twice per second.

    Warnings are shown in it, and stay on the terminal when it is over.

    Parameters
    ----------
    console : rich.console.Console, optional
        Default standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__()
        self._console = console or Console()
        self._depth = 0
        self._phases = Phases()
        self._notes: list[str] = []
        self._table: RenderableType = ""
        self._counts = ""
        self._is_news = True
        self._stderr: TextIO | None = None
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=PER_SECOND,
            transient=True,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def __enter__(self) -> LiveDisplay:
        self._depth += 1
        if self._depth == 1:
            self._live.start()
            self._console.show_cursor(True)  # the process may be ended in the middle of it
            self._stderr, sys.stderr = sys.stderr, _Lines(self.on_note)
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth or self._stderr is None:
            return
        sys.stderr, self._stderr = self._stderr, None
        self._live.stop()
        for note in self._notes:
            self._console.print(note, markup=False, highlight=False)

    def start(
        self, title: str, tiers: Sequence[str], libraries: Sequence[str] = (SHIPPED,)
    ) -> None:
        """Begin with the title of the run, the names of its tiers, and libraries for names."""
        super().start(title, tiers, libraries)
        self._phases.note("starting", 0, 0)

    def on_note(self, text: str) -> None:
        """Show something that is known of the problem, each thing once."""
        if text and text not in self._notes:
            self._notes.append(text)

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how much of a phase is done."""
        self._phases.note(text, done, total)

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Take note of a finished record."""
        super().on_record(record, update, replayed=replayed)
        self._is_news = True

    def on_progress(self, progress: Progress) -> None:
        """Take note of how far the search is, and of its best structures."""
        share, left_s = search_share(progress)
        done, spent_s = int(STEPS * share), progress.session_s
        self._phases.note(SEARCH, done, STEPS, left_s=left_s, spent_s=spent_s)
        self._counts = counts(progress)
        if self._is_news and self._is_due(TABLE_EVERY_S):
            self._is_news = False
            width, height = self._console.size
            rows = self._board.rows[: max(height - OTHER_LINES, 1)]
            self._table = terminal_table(rows, columns(*BOARD), width) if rows else ""

    def _picture(self) -> RenderableType:
        """Return everything, as it is now; called by the thread that draws."""
        from rich.console import Group
        from rich.text import Text

        parts: list[Any] = [_line(self._title, "bold")]
        past = self._phases.past_words()
        if past:
            parts.append(_line(f"done: {past}", "dim"))
        phase = self._phases.now
        if phase is not None:
            parts += phase_lines(phase, self._console.width)
        parts += [_line(note) for note in self._notes[-MOST_NOTES:]]
        if self._counts:
            parts += [self._table, Text(self._counts)]
        return Group(*parts)


def phase_lines(phase: Phase, width: int) -> list[RenderableType]:
    """Return a phase with its bar and its times, and what is being compiled."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    line = Table.grid(padding=(0, 1))
    words = phase.words()
    room = max(width - len(phase.name) - len(words) - 2, 0)
    bar = ProgressBar(total=1.0, completed=phase.share(), width=min(room, 40))
    line.add_row(_line(phase.name, "bold cyan"), bar if room >= 5 else "", _line(words))
    lines: list[RenderableType] = [line]
    if compiled().is_open:
        number = compiled().functions + 1
        counted = f"{number} function{'s' if number > 1 else ''}"
        text = f"  compiling, first use only: {counted} so far, "
        lines.append(_line(text + duration(compiled().wall_s), "dim"))
    return lines


def _line(text: str, style: str = "") -> RenderableType:
    from rich.text import Text

    return Text(clean(text), style=style, no_wrap=True, overflow="ellipsis")


class _Lines(io.TextIOBase):
    """Passes on what is written to it, line by line."""

    def __init__(self, take: Any) -> None:
        self._take = take
        self._rest = ""

    def write(self, text: str, /) -> int:
        """Take some text."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._take(line.strip())
        return len(text)

    def isatty(self) -> bool:
        """Return False: nothing is to be drawn here."""
        return False


def suitable_display() -> Display:
    """Return the display for a notebook, a terminal, or, elsewhere, none."""
    if is_notebook():
        return NotebookDisplay()
    if not sys.stdout.isatty():
        return NoDisplay()
    return LiveDisplay()
