"""``nucleate surrogate``: the surrogate that a run has learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(help="Look at the surrogate of a run.", no_args_is_help=True)
    group.command("show")(show)
    app.add_typer(group, name="surrogate")


def show(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="File for a fit; the engine 'surrogate' of a tier takes it."),
    ] = None,
    fit: Annotated[int | None, typer.Option(help="Number of the fit; default: the last.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a surrogate learned in a run: its fits, their errors, what it considered."""
    from nucleate.api import InputError
    from nucleate.api.surrogate import HEADS, fitted_in, learned_in
    from nucleate.cli.tables import print_table

    learned = learned_in(run)
    if fit is not None and weights is None:
        raise InputError(f"fit = {fit}: it has no effect without weights; add --weights FILE.")
    if weights is not None:
        fitted_in(run, fit).save(weights)
    if as_json:
        typer.echo(json.dumps(learned.to_data(), indent=2))
        return
    typer.echo(learned.in_words())
    print_table(HEADS, [item.cells() for item in learned.fits])
