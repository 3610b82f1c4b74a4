"""``nucleate plugins``: all that can be exchanged, where it is from, and its keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.plugins import GROUPS

if TYPE_CHECKING:
    from nucleate.plugins import Kind


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(plugins)


def plugins(
    group: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(GROUPS)}; default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List generators, moves, models, programs and searches with their keys.

    Shipped ones and those of installed packages; an entry point that cannot be loaded is shown
    with the reason.
    """
    from nucleate.errors import InputError
    from nucleate.plugins import kinds

    if group is not None and group not in GROUPS:
        raise InputError(f"group = {group!r} is not known. Use one of {', '.join(GROUPS)}.")
    listed = {
        name: [described(kind) for kind in of_group.values()]
        for name, of_group in kinds().items()
        if group in (None, name)
    }
    if as_json:
        typer.echo(json.dumps(listed, indent=2))
        return
    for name, entries in listed.items():
        typer.echo(f'{name}  (entry points: nucleate.{name}; or kind = "module:Class")')
        for entry in entries:
            typer.echo("\n".join(_lines(entry)))
        typer.echo("")


def described(kind: Kind) -> dict[str, Any]:
    """Return the description of a kind, ready for JSON.

    It has ``kind``, ``source``, ``path``, and either ``about`` and ``keys``, each of which has
    ``default`` or ``required`` and ``description``, or ``broken``, the reason.
    """
    from nucleate.errors import InputError

    entry: dict[str, Any] = {"kind": kind.name, "source": kind.source, "path": kind.path}
    try:
        component = kind.load()
    except InputError as error:
        return {**entry, "broken": str(error)}
    keys = {name: _key(field) for name, field in component.model_fields.items() if name != "kind"}
    about = (component.__doc__ or "").strip().partition("\n")[0]
    return {**entry, "about": about, "keys": keys}


def _key(field: Any) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python

    description = field.description or ""
    if field.is_required():
        return {"required": True, "description": description}
    default = field.get_default(call_default_factory=True)
    return {
        "default": to_jsonable_python(default, fallback=str),
        "description": description,
    }


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
