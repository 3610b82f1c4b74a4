"""``nucleate check``: whether the input is right and every tier works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(check)


def check(
    problem: Annotated[str, typer.Argument(help="Input file, or a formula.")] = "run.toml",
    tier: Annotated[
        list[str] | None, typer.Option(help="Energy model, as for predict; repeat it.")
    ] = None,
    max_atoms: Annotated[int | None, typer.Option(help="Most atoms in a cell.")] = None,
    external: Annotated[
        bool, typer.Option(help="Run external programs too, which may take minutes.")
    ] = False,
) -> None:
    """Check an input and run one tiny relaxation through every tier."""
    from nucleate.api import check as check_input
    from nucleate.cli import inputs

    model = inputs.parse_all(inputs.parse_tier, tier)
    if not check_input(
        problem, max_atoms=max_atoms, model=model, external=external, say=typer.echo
    ):
        raise typer.Exit(1)
    typer.echo("Everything works.")
