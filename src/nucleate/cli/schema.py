"""``nucleate schema``: the JSON schema of the input file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(schema)


def schema(
    of_map: Annotated[
        bool, typer.Option("--map", help="Of the input of `nucleate map` instead of `predict`.")
    ] = False,
) -> None:
    """Print the JSON schema of the input file, for editors."""
    from nucleate.api.inputs import json_schema

    typer.echo(json.dumps(json_schema(of_map=of_map), indent=2))
