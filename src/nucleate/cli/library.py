"""``nucleate library``: known structures, to build, to look up and to describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.identify import LIBRARY_OPTION

if TYPE_CHECKING:
    from typer import Typer

JSON_OPTION = typer.Option("--json", help="Print JSON.")


def register(app: Typer) -> None:
    """Add the commands to the app."""
    commands = typer.Typer(
        help="Build, look up and describe libraries of known structures.", no_args_is_help=True
    )
    commands.command()(build)
    commands.command()(show)
    commands.command()(info)
    app.add_typer(commands, name="library")


def build(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Parquet tables, folders of CIF, extxyz, ASE databases, JSON of the Materials "
            "Project, pymatgen, matbench or JARVIS (also .json.gz)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write (.nlib).")],
    split: Annotated[
        list[str] | None, typer.Option(help="Take only these splits of a table; repeat it.")
    ] = None,
    source: Annotated[str, typer.Option(help="Where the data are from.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the data.")] = "",
    citation: Annotated[str, typer.Option(help="How the data are cited.")] = "",
) -> None:
    """Build a library from structures: deduplicated by formula and protostructure."""
    from nucleate.api.library import build_library

    provenance = {"source": source, "licence": licence, "citation": citation}
    header = build_library(data, out, splits=split, provenance=provenance)
    left_out = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in _left_out(header))
    deuterated = header.get("deuterium_read_as_hydrogen", 0)
    typer.echo(
        f"Wrote {header['entries']:,} compounds of {header['prototypes']:,} prototypes to {out}"
        + (f"; deuterium is read as hydrogen in {deuterated:,}" if deuterated else "")
        + (f"; left out: {left_out}" if left_out else "")
    )
    if number := header.get("renamed", 0):
        typer.echo(
            f"Changed {number} identifier{'' if number == 1 else 's'} that another structure has "
            f"too, the first to {header['first_renamed']}"
        )
    first = header.get("first_left_out", [])
    if first:
        more = header["left_out"]["unreadable"] - len(first)
        typer.echo(
            "Unreadable:\n  " + "\n  ".join([*first, *([f"and {more} more"] if more else [])])
        )


def show(
    formula: Annotated[str, typer.Argument(help="Composition, such as Ca3Ti2O7.")],
    library: Annotated[list[str] | None, LIBRARY_OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show the known structures of a formula, lowest above the hull first."""
    from nucleate.api.library import known_structures, lacks_in_words
    from nucleate.cli.tables import print_table

    asked = library or ["shipped"]
    rows = known_structures(formula, library=asked)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    elif rows:
        heads = ("name", "formula", "space group", "Pearson", "eV/atom above hull", "ICSD")
        print_table(heads, [_cells(row) for row in rows])
    else:
        typer.echo(f"No known structure of {formula}. {lacks_in_words(asked)}".rstrip())


def info(
    file: Annotated[Path | None, typer.Argument(help="Library. [default: the shipped one]")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Say what a library holds, where it is from and under which licence."""
    from nucleate.api.library import library_header

    header = library_header("shipped" if file is None else file)
    if as_json:
        typer.echo(json.dumps(header, indent=1))
        return
    for key, value in header.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        text = ", ".join(map(str, text)) if isinstance(text, list) else text
        typer.echo(f"{key.replace('_', ' ')}: {text}")


def _left_out(header: dict[str, Any]) -> list[tuple[str, int]]:
    return [(why, count) for why, count in header["left_out"].items() if count]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    flag = {True: "yes", False: "no", None: "-"}[row["in_icsd"]]
    energy = "-" if row["above_hull"] is None else f"{row['above_hull']:.3f}"
    return row["name"], row["formula"], row["space_group"], row["pearson"], energy, flag
