"""What is shown of a run while it is in progress: on a terminal, in a notebook, or as lines."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from nucleate.library.library import SHIPPED
from nucleate.report.board import Board
from nucleate.report.columns import columns
from nucleate.report.counts import counts, heading
from nucleate.report.pace import Paced
from nucleate.report.phases import duration
from nucleate.report.render import html_table, texts
from nucleate.report.views import BOARD, NEW_BEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.run.events import Progress
    from nucleate.search.record import Record, SearchUpdate

PLAIN_EVERY_S = 30.0
NOTEBOOK_EVERY_S = 1.0


class Display(Protocol):
    """Someone who is shown a run; a context while it is in progress."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def start(
        self, title: str, tiers: Sequence[str], libraries: Sequence[str] = (SHIPPED,)
    ) -> None:
        """Begin with the title of the run, the names of its tiers, and libraries for names."""
        ...

    def on_note(self, text: str) -> None:
        """Show something that is known of the problem."""
        ...

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how much of a preparation is done."""
        ...

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Take note of a finished record, of this start or (``replayed``) of an earlier one."""
        ...

    def on_progress(self, progress: Progress) -> None:
        """Show the present state; called several times per second."""
        ...


class NoDisplay(Paced):
    """Shows nothing; base of the others."""

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._board = Board(())

    def start(
        self, title: str, tiers: Sequence[str], libraries: Sequence[str] = (SHIPPED,)
    ) -> None:
        """Begin with the title of the run, the names of its tiers, and libraries for names."""
        self._title = title
        self._board = Board(tiers, libraries=libraries)

    def on_note(self, text: str) -> None:
        """Show something that is known of the problem."""

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how much of a preparation is done."""

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Take note of a finished record."""
        del replayed
        self._board.add(record, update)

    def on_progress(self, progress: Progress) -> None:
        """Show the present state."""


class PlainDisplay(NoDisplay):
    """Prints a line for every new best structure, and one from time to time."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._stages = Stages()

    def start(
        self, title: str, tiers: Sequence[str], libraries: Sequence[str] = (SHIPPED,)
    ) -> None:
        """Print the title."""
        super().start(title, tiers, libraries)
        self._write(title)

    def on_note(self, text: str) -> None:
        """Print something that is known of the problem."""
        self._stream.write(f"{text}\n")

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Print how much of a preparation is done."""
        self._stages(text, done, total)

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Print a new best structure."""
        super().on_record(record, update, replayed=replayed)
        if update.new_minimum and not replayed:
            best = texts(self._board.rows[:1], columns(*NEW_BEST))
            words = ", ".join(
                f"{head} {cell}" for head, cell in zip(best.heads, best.cells[0], strict=True)
            )
            self._write(f"{duration(record.finished_s):>8}  {words}")

    def on_progress(self, progress: Progress) -> None:
        """Print a line if the last one is long ago."""
        if progress.session_s > PLAIN_EVERY_S and self._is_due(PLAIN_EVERY_S):
            self._write(f"{duration(progress.elapsed_s):>8}  {counts(progress)}")

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class NotebookDisplay(NoDisplay):
    """A table in the output of a notebook's cell that is replaced every second."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        super().__init__()
        self._html: Any = HTML
        self._stage = ""
        self._handle: Any = display(HTML("<p>Starting</p>"), display_id=True)

    def __exit__(self, *_: object) -> None:
        self._show("")

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how much of a preparation is done."""
        if text != self._stage or done >= total > 0 or self._is_due(NOTEBOOK_EVERY_S):
            self._stage = text
            how_much = f": {done:,} of {total:,}" if total else ""
            self._show(f"<p>{escape(self._title)}: {escape(text)}{how_much}</p>")

    def on_progress(self, progress: Progress) -> None:
        """Show the table in place of a preparation, then replace it at most once per second."""
        if self._is_due(NOTEBOOK_EVERY_S) or self._stage:
            self._stage = ""
            table = html_table(self._board.rows, columns(*BOARD))
            head, foot = heading(self._title, progress), counts(progress)
            self._show(f"<p><b>{escape(head)}</b></p>{table}<p>{escape(foot)}</p>")

    def _show(self, html: str) -> None:
        self._handle.update(self._html(html))


def is_notebook() -> bool:
    """Return whether the code runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class Stages:
    """Prints to standard error where a long preparation stands: now and then, and at its end.

    On a terminal one line is drawn again and again.
    """

    EVERY_S = 10.0
    LIVE_EVERY_S = 0.2

    def __init__(self) -> None:
        self._stage = ""
        self._last_s = 0.0
        self._start_s = 0.0

    def __call__(self, stage: str, done: int, whole: int) -> None:
        """Show how much of a stage is done."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._start_s, self._last_s = stage, now, now
            if not whole:
                sys.stderr.write(f"{stage}\n")
                sys.stderr.flush()
        if not whole:
            return
        live = sys.stderr.isatty()
        ends = done >= whole
        if not ends and now - self._last_s < (self.LIVE_EVERY_S if live else self.EVERY_S):
            return
        self._last_s = now
        left = (now - self._start_s) * (whole - done) / done if done else 0.0
        text = f"{stage}: {done:,} of {whole:,}" + (f", {left:.0f} s left" if left >= 1.0 else "")
        sys.stderr.write((f"\r{text:<70}" if live else text) + ("\n" if ends or not live else ""))
        sys.stderr.flush()
