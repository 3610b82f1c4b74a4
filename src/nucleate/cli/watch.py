"""``nucleate watch``: follow a running search on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(watch)


def watch(
    run: Annotated[Path, typer.Argument(help="Run folder, also on a shared disk.")],
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print the state once.")] = False,
) -> None:
    """Follow a running search: energy curve, best structures, sources, failures, time left.

    Only reads the store, so it may run on another machine that sees the folder. Ends with the
    search, or on Ctrl-C.
    """
    import sys
    import time

    from nucleate import api
    from nucleate.cli.output import console

    screen = console()
    is_map = api.holds_map(run)
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")

    def look() -> tuple[str, bool]:
        width, height = screen.size
        if is_map:
            return api.open_map(run).watched(width=width, height=height)
        return api.watched(run, width=width, height=height, plain=plain)

    if once or not sys.stdout.isatty():
        typer.echo(look()[0])
        return
    from rich.live import Live
    from rich.text import Text

    with Live(console=screen, auto_refresh=False, screen=True) as live:
        running = True
        while running:
            begun = time.process_time()
            text, running = look()
            live.update(Text(text), refresh=True)
            time.sleep(max(every, 60.0 * (time.process_time() - begun)))
    typer.echo(text)
