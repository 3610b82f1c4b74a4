"""``nucleate identify``: names for structures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.library.library import Library
    from nucleate.library.names import Identity

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
    """Name structures: structure type, Pearson symbol, space group, nearest known compound."""
    from nucleate.cli.tables import print_table
    from nucleate.library.library import SHIPPED, Library

    known = Library.load(library or (SHIPPED,))
    rows = [row for file in files for row in _rows(known, file)]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    heads = ("structure", "formula", "type", "Pearson", "space group", "nearest known", "distance")
    print_table(heads, [_cells(row) for row in rows])


def _rows(library: Library, file: Path) -> list[dict[str, Any]]:
    from nucleate.crystal.composition import Composition
    from nucleate.crystal.files import read_crystals

    rows = []
    for name, crystal in read_crystals(file):
        try:
            found = library.identify(crystal)
        except ValueError as error:
            raise InputError(f"{file}: {name} cannot be named: {error}.") from error
        formula = Composition.from_numbers(crystal.numbers).formula
        rows.append({"structure": name, "formula": formula, **as_dict(found)})
    return rows


def as_dict(found: Identity) -> dict[str, Any]:
    """Return the names of a structure as JSON-ready data."""
    from nucleate.run.known_compounds import symbol_of

    return {
        "structure_type": found.structure_type,
        "pearson": found.pearson,
        "space_group": symbol_of(found.space_group),
        "space_group_number": found.space_group,
        "aflow": found.aflow,
        "known": found.known,
        "nearest": found.nearest,
        "nearest_formula": found.nearest_formula,
        "distance": None if math.isnan(found.distance) else round(found.distance, 4),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
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
