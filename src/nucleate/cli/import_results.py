"""``nucleate import``: read the results of calculations submitted by hand into their run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.api.map_jobs import NearImport


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command(name="import")(import_results)


def import_results(
    run: Annotated[Path, typer.Argument(help="Run folder, or the folder of a map.")],
    folder: Annotated[Path, typer.Argument(help="What `nucleate export RUN --for ...` wrote.")],
    tier: Annotated[
        str | None, typer.Option(help="Name of the tier in tables. [default: as exported]")
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="Number of structures to list.")] = 20,
) -> None:
    """Read finished calculations back as a tier of the run.

    Folders without a result are listed with the reason; the same command adds them later. In a map
    the results also make the hull of a second model.
    """
    from nucleate import api
    from nucleate.api.run import open_run
    from nucleate.cli.output import export_at_end, print_ranking

    if api.holds_map(run):
        found = api.import_near(run, folder, name=tier)
        _print_map(found)
        if rest := export_at_end(api.open_map(run)):
            typer.echo(rest)
        return
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


def _print_map(found: NearImport) -> None:
    for place, reason in found.problems:
        typer.echo(f"{place}: {reason}")
    for formula, summary in found.runs:
        typer.echo(
            f"{formula}: {len(summary.imported)} imported, {len(summary.known)} known already"
        )
    if found.known:
        typer.echo(f"known compounds: {', '.join(found.known)}")
    typer.echo(f"{found.phases} phases have an energy of {found.tier}.")
    if found.missing:
        typer.echo(
            f"No hull of {found.tier} yet: {', '.join(found.missing)} without an energy. The same "
            "command adds what is finished later."
        )
