"""``nucleate potentials``: derive proxy potentials from structures, and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(help="Derive proxy potentials and look at them.", no_args_is_help=True)
    group.command("derive")(derive_command)
    group.command("show")(show_command)
    app.add_typer(group, name="potentials")


def derive_command(
    data: Annotated[Path, typer.Argument(help="Structures: parquet table, file or folder.")],
    out: Annotated[Path, typer.Option(help="Library to write.")] = Path("spp.npz"),
    method: Annotated[str, typer.Option(help="statistics, response or paths.")] = "paths",
    max_structures: Annotated[
        int, typer.Option(help="Maximum number of structures to learn from.")
    ] = 30_000,
    fitted: Annotated[int, typer.Option(help="Structures of a linear fit.")] = 6_000,
    held_out: Annotated[int, typer.Option(help="Structures to test on.")] = 600,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
) -> None:
    """Derive a library of proxy potentials from a structure set and test it on a held-out part.

    A table with a column ``split`` is trained on its rows ``train`` and tested on ``val``; of
    anything else every tenth formula is held out.
    """
    from nucleate.api.potentials import derive_potentials

    elements = derive_potentials(
        data,
        out,
        method=method,
        max_structures=max_structures,
        fitted=fitted,
        held_out=held_out,
        seed=seed,
        report=typer.echo,
    )
    typer.echo(f"{out}: {elements} elements, {out.stat().st_size / 1e6:.2f} MB")


def show_command(
    pair: Annotated[str, typer.Argument(help="Two elements, like O-Ti.")],
    library: Annotated[
        Path | None, typer.Option(help="Library file; default: the shipped one.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a figure to this file.")] = None,
) -> None:
    """Show the potential of a pair in each context: table on the terminal, or a figure."""
    import numpy as np

    from nucleate.api.potentials import pair_curves

    curves = pair_curves(pair, library)
    facts = zip(curves.contexts, curves.contact_ang, curves.observed, strict=True)
    for name, contact, observed in facts:
        typer.echo(f"{name}: d0 = {contact:.2f} Å, {observed} structures")
    if plot is not None:
        curves.plot().savefig(plot, dpi=150)
        typer.echo(f"{plot} written")
        return
    heads = "  ".join(f"{name:>15}" for name in curves.contexts)
    typer.echo(f"r/Å    {heads}   (arbitrary units)")
    r = np.arange(0.5, curves.cutoff_ang + 1e-9, 0.25)
    for distance, energies in zip(r, curves.at(r).T, strict=True):
        typer.echo(f"{distance:5.2f}  " + "  ".join(f"{energy:15.3f}" for energy in energies))
