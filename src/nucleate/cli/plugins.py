"""``nucleate plugins``: all that can be exchanged, where it is from, and its keys."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(plugins)


def plugins(
    group: Annotated[
        str | None, typer.Argument(help="List this group alone, such as moves. [default: all]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List generators, moves, models, programs and searches with their keys.

    Shipped ones and those of installed packages; an entry point that cannot be loaded is shown
    with the reason.
    """
    from nucleate.api.plugins import plugins as listing

    listed = listing(group)
    if as_json:
        typer.echo(json.dumps(listed, indent=2))
        return
    for name, entries in listed.items():
        typer.echo(f'{name}  (entry points: nucleate.{name}; or kind = "module:Class")')
        for entry in entries:
            typer.echo("\n".join(_lines(entry)))
        typer.echo("")


def _lines(entry: dict[str, Any]) -> list[str]:
    head = f"  {entry['kind']}  [{entry['source'] or 'entry point'}]"
    if "broken" in entry:
        return [f"{head}  BROKEN: {entry['broken']}"]
    return [
        f"{head}  {entry['about']}",
        *(
            f"      {_value(name, key)}  {key['description']}"
            for name, key in entry["keys"].items()
        ),
    ]


def _value(name: str, key: dict[str, Any]) -> str:
    return f"{name} (required)" if key.get("required") else f"{name} = {json.dumps(key['default'])}"
