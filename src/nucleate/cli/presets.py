"""``nucleate presets``: the recipes for external programs that come with nucleate."""

from __future__ import annotations

import tomllib
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(help="Recipes for external programs.", no_args_is_help=True)
    group.command("list")(list_command)
    group.command("show")(show_command)
    app.add_typer(group, name="presets")


def list_command() -> None:
    """List the recipes: engine/name and what each does."""
    from nucleate.api.inputs import preset_names, preset_text

    for name in preset_names():
        typer.echo(f"{name:20}  {tomllib.loads(preset_text(name))['description']}")


def show_command(
    name: Annotated[str, typer.Argument(help="engine/name, or a name that is unique.")],
) -> None:
    """Show a recipe; each of its keys can go under [tier.engine] of an input file."""
    from nucleate.api.inputs import preset_text

    typer.echo(preset_text(name).rstrip())
