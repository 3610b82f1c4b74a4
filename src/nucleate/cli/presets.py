"""``nucleate presets``: the settings of whole searches and of programs that nucleate has."""

from __future__ import annotations

import tomllib
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(
        help="Searches by one word, and recipes for external programs.", no_args_is_help=True
    )
    group.command("list")(list_command)
    group.command("show")(show_command)
    app.add_typer(group, name="presets")


def list_command() -> None:
    """List the searches (for predict --preset) and the recipes (engine/name)."""
    from nucleate.api.inputs import preset_names, preset_text, run_preset_names, run_preset_text

    for name in run_preset_names():
        typer.echo(f"{name:20}  {tomllib.loads(run_preset_text(name))['description']}")
    for name in preset_names():
        typer.echo(f"{name:20}  {tomllib.loads(preset_text(name))['description']}")


def show_command(
    name: Annotated[
        str, typer.Argument(help="A search such as fuse2, engine/name, or a name that is unique.")
    ],
) -> None:
    """Show a search as an input file without [problem], or what can go under [tier.engine]."""
    from nucleate.api.inputs import preset_text, run_preset_names, run_preset_text

    text = run_preset_text(name) if name in run_preset_names() else preset_text(name)
    typer.echo(text.rstrip())
