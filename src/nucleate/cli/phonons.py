"""``nucleate phonons``: whether structures are dynamically stable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(phonons)


def phonons(
    source: Annotated[list[Path], typer.Argument(help="Run folder, or relaxed structure files.")],
    best: Annotated[int, typer.Option(min=1, help="Of a run: how many structures.")] = 5,
    tier: Annotated[
        str | None,
        typer.Option(help="Model, such as chgnet; default: the last tier of the run, or chgnet."),
    ] = None,
    length: Annotated[
        float, typer.Option(help="Smallest length of the supercell along each vector, Å.")
    ] = 12.0,
    displacement: Annotated[float, typer.Option(help="Displacement of an atom, Å.")] = 0.03,
    imaginary: Annotated[
        float, typer.Option(help="Imaginary frequencies above this size count, THz.")
    ] = 0.3,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Relax along the softest modes, as new records of the run."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder; default: phonons (in the run folder)."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: one per core.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run what the stored input of the folder names.")
    ] = False,
) -> None:
    """Compute phonons by finite displacements, and flag imaginary modes.

    Writes for each structure a picture and tables of bands and density of states, and a file that
    phonopy reads. The same command continues what was interrupted.
    """
    from nucleate import api
    from nucleate.cli import inputs
    from nucleate.cli.tables import print_table

    one_run = len(source) == 1 and api.holds_run(source[0])
    target = out or (source[0] / "phonons" if one_run else Path("phonons"))
    found = api.phonons(
        source[0] if one_run else list(source),
        model=None if tier is None else inputs.parse_tier(tier),
        best=best,
        length_ang=length,
        displacement_ang=displacement,
        imaginary_thz=imaginary,
        follow=follow,
        out=target,
        workers=workers,
        trust=trust,
        on_stage=typer.echo,
    )
    heads = ("structure", "formula", "space group", "lowest THz", "at", "conclusion")
    print_table(heads, [tuple(_text(v) for v in item.to_dict().values()) for item in found])
    typer.echo(f"Files are in {target}")
    if follow and any(item.is_unstable for item in found):
        typer.echo(
            f"What the soft modes lead to is ranked with the rest: nucleate status {source[0]}"
        )


def _text(value: object) -> str:
    return "-" if value is None else str(value)
