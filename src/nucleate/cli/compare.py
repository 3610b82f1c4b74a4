"""``nucleate compare``: structures against a measured powder pattern."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(compare)


def compare(
    source: Annotated[list[Path], typer.Argument(help="Run folder, or structure files.")],
    xrd: Annotated[
        Path, typer.Option(help="Measured pattern: columns 2θ in degrees and intensity (.xy).")
    ],
    wavelength: Annotated[
        str, typer.Option(help="CuKa, CuKa1, MoKa, CoKa, ..., or a wavelength in Å.")
    ] = "CuKa",
    max_strain: Annotated[
        float, typer.Option(help="Largest isotropic strain of the cell, as a fraction.")
    ] = 0.03,
    max_zero: Annotated[float, typer.Option(help="Largest zero shift in degrees of 2θ.")] = 0.2,
    best: Annotated[
        int, typer.Option(min=1, help="Of a run: how many of the best structures to compare.")
    ] = 50,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the files; default: xrd-NAME in the run folder or here."),
    ] = None,
) -> None:
    """Rank structures by their agreement with a measured powder pattern.

    Scale, background, isotropic strain, zero shift and line widths are fitted for each structure;
    atoms are not moved. Writes comparison.csv, comparison.png with the best three, and their
    curves.
    """
    from nucleate import api
    from nucleate.cli.tables import print_table
    from nucleate.errors import InputError
    from nucleate.names import safe_name

    one_run = len(source) == 1 and api.holds_run(source[0])
    given = source[0] if one_run else list(source)
    try:
        found = api.compare(
            given,
            xrd=xrd,
            wavelength=wavelength,
            max_strain=max_strain,
            max_zero_deg=max_zero,
            best=best,
        )
    except InputError as error:
        raise InputError(str(error).replace("max_zero_deg", "--max-zero")) from error
    rows = [
        (str(place), *(_text(value) for value in item.to_dict().values()))
        for place, item in enumerate(found, start=1)
    ]
    heads = (
        "", "structure", "formula", "atoms", "space group", "rank in run", "eV/atom above best",
        "R_wp %", "explained", "strain %", "zero shift °", "width °",
    )  # fmt: skip
    print_table(heads, rows[:20])
    target = out or (source[0] if one_run else Path()) / f"xrd-{safe_name(xrd.stem)}"
    found.export(target)
    typer.echo(f"{found.conclusion[0].upper()}{found.conclusion[1:]}.")
    typer.echo(f"{len(found)} structures compared; files are in {target}")


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
