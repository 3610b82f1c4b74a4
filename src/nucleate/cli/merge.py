"""``nucleate merge``: several runs of one problem as one ranked list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(merge)


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, such as those of three seeds.")],
    out: Annotated[Path, typer.Option(help="New run folder.")],
    best: Annotated[int, typer.Option(min=1, help="Number of structures that get files.")] = 20,
) -> None:
    """Join finished runs of the same composition, pressure and tiers into one ranked list."""
    from nucleate.api import merge as join

    found = join(runs, out)
    found.export(best=best)
    typer.echo(
        f"{len(found)} records of {len(runs)} runs, {len(found.structures)} distinct structures; "
        f"files are in {out}"
    )
