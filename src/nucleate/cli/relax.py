"""``nucleate relax``: energies and relaxed geometries of the structures in files."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from typer import Typer

    from nucleate import Record, Relaxed
    from nucleate.api import Series

MOST_ROWS = 1000
"""Structures of which a table is printed."""

FILE_SUFFIXES = (".extxyz", ".xyz", ".cif", ".vasp", ".json", ".csv")


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(relax)


def relax(
    files: Annotated[
        list[Path], typer.Argument(help="CIF, extxyz and POSCAR files, any number of structures.")
    ],
    tier: Annotated[
        list[str] | None,
        typer.Option(
            help="Energy model; repeat it to climb from tier to tier: chgnet, chgnet=r2scan, spp, "
            "force-field=FILE, sevennet, ase=MODULE:NAME. [default: chgnet]"
        ),
    ] = None,
    single_point: Annotated[
        bool, typer.Option("--single-point", help="Energy of the geometry as given.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; the same command on it continues."),
    ] = None,
    pressure: Annotated[float | None, typer.Option(help="Pressure in GPa.")] = None,
    allow_tension: Annotated[
        bool, typer.Option("--allow-tension", help="Allow a pressure below 0.")
    ] = False,
    fmax: Annotated[float | None, typer.Option(help="Largest force at the end, eV/Å.")] = None,
    max_stress: Annotated[
        float | None, typer.Option(help="Largest stress at the end, GPa.")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Maximum number of evaluations per structure.")
    ] = None,
    fix_cell: Annotated[bool, typer.Option("--fix-cell", help="Move the atoms only.")] = False,
    fix_symmetry: Annotated[
        bool, typer.Option("--fix-symmetry", help="Keep the space group of the start.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes. [default: one per core]")
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="Who starts workers: a file of nucleate cluster init, or a kind. [default: local]"
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, or a GPU such as cuda:0, for chgnet and other models.")
    ] = None,
) -> None:
    """Relax the structures in files, or only compute their energies, forces and stresses."""
    from nucleate import api
    from nucleate.cli import inputs
    from nucleate.cli.progress import progress

    if out is not None and (out.suffix in FILE_SUFFIXES or out.is_file()):
        raise InputError(f"--out = {out} looks like a file. Give the name of a folder.")
    tiers = [inputs.on_device(inputs.parse_tier(text), device) for text in tier or ["chgnet"]]
    with ExitStack() as stack:
        bars: list[Callable[[Record], None]] = []
        series = api.relax_files(
            files,
            model=tiers,
            folder=out,
            pressure_gpa=pressure,
            allow_tension=allow_tension,
            workers=workers,
            executor=executor,
            fmax_ev_per_ang=fmax,
            max_stress_gpa=max_stress,
            max_steps=max_steps,
            fix_cell=fix_cell,
            fix_symmetry=fix_symmetry,
            single_point=single_point,
            on_start=lambda number: bars.append(stack.enter_context(progress(number))),
            on_record=lambda record: bars[0](record),
        )
    if as_json:
        _print_json(series)
    else:
        _print(series)
        if out is not None and not series.has_files:
            typer.echo(f"No files are written after a stop; `nucleate export {out}` writes them.")
        if out is not None:
            typer.echo(f"Results: {out}")
    if series.reason or not series.tally.with_energy:
        raise typer.Exit(1)


def _print_json(series: Series) -> None:
    """Print one array, a line for each structure."""
    from nucleate.api.display import series_rows

    typer.echo("[")
    for place, row in enumerate(series_rows(series), start=1):
        typer.echo(json.dumps(row) + "," * (place < series.tally.number))
    typer.echo("]")


def _print(series: Series) -> None:
    from nucleate.api.display import series_table
    from nucleate.cli.output import console

    tally = series.tally
    if tally.number <= MOST_ROWS and series.has_files:
        rows = list(series.rows)
        console().print(series_table(rows, console().width))
        if len(rows) == 1 and rows[0].relaxed is not None:
            _print_arrays(console(), rows[0].relaxed)
    for line in tally.told:
        typer.echo(line)
    failed = sum(tally.failures.values())
    if failed > len(tally.told):
        reasons = ", ".join(f"{count} {reason}" for reason, count in tally.failures.most_common())
        typer.echo(f"... and {failed - len(tally.told)} more failures; in all: {reasons}.")
    text = (
        f"{tally.good} of {tally.number} structures have an energy, {tally.converged} are "
        "converged."
    )
    if series.reason:
        text += f" Stopped: {series.reason}; with --out, the same command continues."
    typer.echo(text)


def _print_arrays(console: Console, relaxed: Relaxed) -> None:
    """Print stress, cell, positions and forces of a single structure."""
    from ase.data import chemical_symbols

    crystal, proxy = relaxed.crystal, relaxed.level.unit != "eV"
    console.print(f"model: {relaxed.level.model} ({relaxed.level.code} {relaxed.level.version})")
    if not proxy:
        console.print("stress (GPa), xx yy zz yz xz xy:")
        xx, yy, zz = relaxed.stress_gpa.diagonal()
        shear = relaxed.stress_gpa[[1, 0, 0], [2, 2, 1]]
        console.print("  " + " ".join(f"{value:10.4f}" for value in (xx, yy, zz, *shear)))
    console.print("cell (Å):")
    for vector in crystal.cell:
        console.print("  " + " ".join(f"{value:12.6f}" for value in vector))
    console.print(f"fractional coordinates, forces ({'arbitrary units' if proxy else 'eV'}/Å):")
    for number, place, force in zip(crystal.numbers, crystal.scaled, relaxed.forces, strict=True):
        numbers = " ".join(f"{value:10.6f}" for value in place)
        console.print(
            f"  {chemical_symbols[number]:2s} {numbers}  "
            + " ".join(f"{value:10.5f}" for value in force)
        )
