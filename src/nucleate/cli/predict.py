"""``nucleate predict``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(predict)


def predict(
    problem: Annotated[
        str, typer.Argument(help="Formula such as Ca3Ti2O7, or an input file such as run.toml.")
    ],
    max_atoms: Annotated[
        int | None,
        typer.Option(help="Maximum number of atoms in a cell. [default: 50]", show_default=False),
    ] = None,
    formula_units: Annotated[
        str | None, typer.Option(help="Formula units in a cell, like 1,2,4 or 1-4.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Stop after this time, like 10m or 2h.")] = None,
    core_time: Annotated[
        str | None,
        typer.Option(help="Stop after this processor time of driver and workers, like 20m."),
    ] = None,
    structures: Annotated[
        int | None, typer.Option(help="Stop after this total number of relaxed structures.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes. [default: one per core]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. [default: nucleate-FORMULA]")
    ] = None,
    pressure: Annotated[float | None, typer.Option(help="Pressure in GPa.")] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(help="Energy model; repeat it, cheapest first: chgnet, spp, ase=MODULE:NAME."),
    ] = None,
    generator: Annotated[
        list[str] | None,
        typer.Option(
            help="Source of structures; repeat to mix: symmetric, blocks=2, graph-search, "
            "seeds=FILES, pool=FILES."
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            help="Known structures that may be used: all, no-formula, no-relatives, "
            "no-prototype or off. [default: all]"
        ),
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="Stop when the structure in this file is found.")
    ] = None,
) -> None:
    """Search for the lowest-energy crystal structures of a composition.

    On a run folder that exists already, the run is continued.
    """
    from nucleate.cli import inputs

    overrides = {
        "problem": inputs.given(
            max_atoms=max_atoms,
            formula_units=inputs.parse_formula_units(formula_units),
            pressure_gpa=pressure,
        ),
        "search": inputs.given(
            seed=seed,
            known=known,
            generators=inputs.parse_all(inputs.parse_generator, generator),
        ),
        "stop": inputs.given(
            structures=structures,
            time=time,
            core_time=core_time,
            target=None if target is None else str(target.absolute()),
        ),
        "run": inputs.given(workers=workers),
        "": inputs.given(tier=inputs.parse_all(inputs.parse_tier, tier)),
    }
    settings, folder = inputs.read_input(problem, overrides, out)

    from nucleate.cli.display import print_summary, watching
    from nucleate.report.export import export_run
    from nucleate.run.predict import predict as run

    typer.echo("Loading the energy models (this takes a minute or two on first use)")
    with watching(settings, folder) as display:
        summary = run(settings, folder, callback=display)
    print_summary(summary, display)
    if summary.error:
        typer.echo(f"Error: {summary.reason}. The first error was:\n{summary.error}", err=True)
        raise typer.Exit(1)
    if summary.best is not None:
        export_run(folder)
    typer.echo(f"Results: {folder}")
