"""``nucleate export``: the files of a run, while or after it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command(name="export")(export)


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write; default: the run folder.")
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="How many structures get files.")] = 20,
) -> None:
    """Write CIF, POSCAR, extxyz, CSV, the trajectory and the report of a run."""
    from nucleate.report.export import export_run

    ranked = export_run(run, out=out, best=best)
    target = run if out is None else out
    typer.echo(f"{len(ranked)} distinct structures; files are in {target}")
