"""``nucleate identify``: names for structures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from typer import Typer

LIBRARY_OPTION = typer.Option(
    "--library", help="Libraries of known structures: shipped, or files (.nlib)."
)


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(identify)


def identify(
    files: Annotated[list[Path], typer.Argument(help="Structure files, folders or archives.")],
    library: Annotated[list[str] | None, LIBRARY_OPTION] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Name structures: structure type, Pearson symbol, space group, nearest known compound.

    What cannot be read has a row with the reason, and the exit status is then 1.
    """
    from nucleate.api.library import identify as names_of
    from nucleate.cli.tables import print_table

    rows = names_of(files, library=library or ("shipped",))
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    else:
        heads = ("structure", "formula", "type", "Pearson", "space group", "nearest known")
        print_table((*heads, "distance"), [_cells(row) for row in rows])
    problems = [row["problem"] for row in rows if row["problem"]]
    for problem in problems:
        typer.echo(f"Error: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if row["problem"]:
        return row["structure"], row["formula"] or "-", "cannot be read", "-", "-", "-", "-"
    nearest = f"{row['nearest_formula']} {row['nearest']}".strip() or "-"
    return (
        row["structure"],
        row["formula"],
        row["structure_type"],
        row["pearson"] or "-",
        row["space_group"],
        f"{nearest} (the same)" if row["known"] else nearest,
        "-" if row["distance"] is None else f"{row['distance']:.3f}",
    )
