"""``nucleate import``: read the results of calculations submitted by hand into their run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command(name="import")(import_results)


def import_results(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    folder: Annotated[Path, typer.Argument(help="What `nucleate export RUN --for ...` wrote.")],
    tier: Annotated[
        str | None, typer.Option(help="Name of the tier in tables. [default: as exported]")
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="Number of structures to list.")] = 20,
) -> None:
    """Read finished calculations back as a tier of the run.

    Folders without a result are listed with the reason; the same command adds them later.
    """
    from nucleate import api
    from nucleate.api.run import open_run
    from nucleate.cli.output import print_ranking

    summary = api.import_results(run, folder, name=tier)
    for place, reason in summary.problems:
        typer.echo(f"{place}: {reason}")
    for place, number, converged in summary.imported:
        state = "" if converged else ", not converged"
        typer.echo(f"{place}: record {number} has an energy of {summary.tier}{state}")
    if summary.imported:
        found = open_run(run)
        found.export()
        print_ranking(found, best)
    typer.echo(
        f"{len(summary.imported)} imported as {summary.tier}, {len(summary.known)} known already, "
        f"{len(summary.problems)} without a result."
    )
    if not summary.imported and not summary.known:
        raise typer.Exit(1)
