"""``nucleate export``: the files of a run, or folders for programs that are run by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.cli.inputs import LIKELY, refuse_on_map

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command(name="export")(export)


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; default: the run folder, or for-PROGRAM in it."),
    ] = None,
    best: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of structures that get files. [default: 20; 1 of each composition of a "
            "map with --for]",
        ),
    ] = None,
    order: Annotated[str, typer.Option(help="Order of the list: likely, or energy.")] = LIKELY,
    program: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="Write ready folders to run by hand: vasp, espresso, gulp, cp2k, gpaw, lammps, "
            "or with a preset like vasp=paper.",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Write all records and distinct structures of a run of more than 10,000 records.",
        ),
    ] = False,
    cell: Annotated[
        str | None,
        typer.Option(
            help="Cell of POSCAR files: primitive or conventional (symmetrised), or given; "
            "default: given, and primitive with --for."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--input", help="The same, with the settings of the [[tier]] in a TOML file."),
    ] = None,
) -> None:
    """Write tables, structures, the trajectory and the report of a run.

    Structures are written as CIF, POSCAR, extxyz, ASE database, OPTIMADE JSON and AIRSS .res.
    With --for or --input write a folder for each of the best structures instead, ready for a
    program that you run yourself; `nucleate import` reads the results back.
    """
    from nucleate import api
    from nucleate.cli import inputs

    if api.holds_map(run):
        asks_for_jobs = program is not None or file is not None
        idle = {"--order": order != LIKELY, "--all": everything}
        if not asks_for_jobs:
            idle |= {"--best": best is not None, "--cell": cell is not None}
        refuse_on_map(run, [name for name, is_given in idle.items() if is_given])
        if asks_for_jobs:
            tier = None if program is None else inputs.parse_tier(program)
            made = api.open_map(run).export_jobs(
                tier, input_file=file, out=out, best=best or 1, cell=cell or "primitive"
            )
            for formula, target, number in made:
                typer.echo(f"{formula}: {number} in {target}")
            root = made[0][1].parent
            typer.echo(f"Run run.sh in each, then: nucleate import {run} {root}")
            return
        typer.echo(f"The map is in {api.open_map(run).export(out)}")
        return
    if program is None and file is None:
        text = api.export(
            run, out=out, best=best or 20, cell=cell or "given", order=order, everything=everything
        )
        typer.echo(f"{text}; files are in {run if out is None else out}")
        return
    tier = None if program is None else inputs.parse_tier(program)
    target, number = api.export_jobs(
        run, tier, input_file=file, out=out, best=best or 20, cell=cell or "primitive"
    )
    typer.echo(
        f"{number} folders are in {target}. Run run.sh in each, then: nucleate import {run} "
        f"{target}"
    )
