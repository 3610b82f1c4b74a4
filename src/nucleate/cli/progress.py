"""How far a series of structures is: a bar, or a line now and then."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nucleate import Record

PLAIN_PROGRESS_S = 30.0


@contextmanager
def progress(total: int) -> Iterator[Callable[[Record], None]]:
    """Show on standard error how far a series is; gives what to call with each finished record."""
    if not sys.stderr.isatty():
        yield _plain_progress(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda _: bar.advance(task)


def _plain_progress(total: int) -> Callable[[Record], None]:
    start = last = time.monotonic()
    done = 0

    def note(_: Record) -> None:
        nonlocal done, last
        done += 1
        now = time.monotonic()
        if now - last > PLAIN_PROGRESS_S:
            last = now
            left = (now - start) / done * (total - done)
            typer.echo(f"{done} of {total}, about {left / 60.0:.0f} minutes left", err=True)

    return note
