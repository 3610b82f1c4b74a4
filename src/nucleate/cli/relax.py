"""``nucleate relax``: energies and relaxed geometries of the structures in files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from typer import Typer

    from nucleate.relax.outcome import Relaxed
    from nucleate.run.relaxation import FileCrystal, SeriesSummary

PLAIN_WIDTH = 140
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
        bool, typer.Option("--single-point", help="Energy of the geometry as it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; the same command on it continues."),
    ] = None,
    pressure: Annotated[float | None, typer.Option(help="Pressure in GPa.")] = None,
    fmax: Annotated[float | None, typer.Option(help="Largest force at the end, eV/Å.")] = None,
    max_stress: Annotated[
        float | None, typer.Option(help="Largest stress at the end, GPa.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Most evaluations a structure.")] = None,
    fix_cell: Annotated[bool, typer.Option("--fix-cell", help="Move the atoms only.")] = False,
    fix_symmetry: Annotated[
        bool, typer.Option("--fix-symmetry", help="Keep the space group of the start.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes. [default: one a core]")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, or a GPU such as cuda:0, for chgnet and other models.")
    ] = None,
) -> None:
    """Relax structures of files, or only compute their energies, forces and stresses."""
    from nucleate.cli import inputs
    from nucleate.cli.progress import progress
    from nucleate.report.relaxed import write_relaxed
    from nucleate.run.relaxation import read_files, relax_files
    from nucleate.run.settings import RelaxationSettings

    options = inputs.given(fmax_ev_per_ang=fmax, max_stress_gpa=max_stress, max_steps=max_steps)
    options |= {"relax": not single_point, "relax_cell": not fix_cell, "fix_symmetry": fix_symmetry}
    tiers = [
        inputs.on_device(inputs.parse_tier(text), device) | options for text in tier or ["chgnet"]
    ]
    settings = RelaxationSettings.from_dict(
        {"tier": tiers, "run": inputs.given(workers=workers), **inputs.given(pressure_gpa=pressure)}
    )
    if out is not None and (out.suffix in FILE_SUFFIXES or out.is_file()):
        raise InputError(f"--out = {out} looks like a file. Give the name of a folder.")
    items = read_files(files)
    with progress(len(items)) as on_record:
        summary = relax_files(items, settings, folder=out, on_record=on_record)
    if out is not None:
        write_relaxed(out, items, summary.records)
    if as_json:
        _print_json(items, summary)
    else:
        _print(items, summary)
        if out is not None:
            typer.echo(f"Results: {out}")
    if summary.reason or not any(record.relaxed for record in summary.records.values()):
        raise typer.Exit(1)


def _print_json(items: Sequence[FileCrystal], summary: SeriesSummary) -> None:
    """Print one array, a line for each structure."""
    from nucleate.report.relaxed import relaxed_json

    lines = (
        json.dumps(relaxed_json(item, summary.records.get(number)))
        for number, item in enumerate(items)
    )
    typer.echo("[\n" + ",\n".join(lines) + "\n]")


def _print(items: Sequence[FileCrystal], summary: SeriesSummary) -> None:
    from rich.console import Console

    from nucleate.report.relaxed import relaxed_row

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    rows = [relaxed_row(item, summary.records.get(number)) for number, item in enumerate(items)]
    console.print(_table(rows))
    for row in rows:
        if row["status"] == "failed":
            typer.echo(f"{row['name']} failed ({row['reason']}): {row['message']}")
    record = summary.records.get(0)
    if len(items) == 1 and record is not None and record.relaxed is not None:
        _print_arrays(console, record.relaxed)
    done = sum(row["status"] not in ("failed", "not done") for row in rows)
    converged = sum(bool(row.get("converged")) for row in rows)
    text = f"{done} of {len(rows)} structures have an energy, {converged} are converged."
    if summary.reason:
        text += f" Stopped: {summary.reason}; with --out, the same command goes on."
    console.print(text)


def _table(rows: Sequence[dict[str, Any]]) -> Any:
    from rich.table import Table

    numbers = _numbers(rows)
    table = Table(box=None, pad_edge=False)
    for name in ("name", "formula"):
        table.add_column(name, overflow="fold")
    for head, *_ in numbers:
        table.add_column(head, justify="right")
    for name in ("space group", "state"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            row["name"],
            row.get("formula", ""),
            *(_number(row.get(key), digits) for _, key, digits in numbers),
            _change(row),
            row["status"],
        )
    return table


def _numbers(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Return head, key and decimals of the columns of numbers; none where nothing has an energy."""
    keys = {key for row in rows for key in row}
    if "energy_ev" in keys:
        unit, key, stress = "eV", "ev", ("stress GPa", "max_stress_gpa")
    elif "energy_arbitrary" in keys:
        unit, key, stress = "arb. unit", "arbitrary", ("stress", "max_stress_arbitrary_per_ang3")
    else:
        return []
    return [
        (unit, f"energy_{key}", 4),
        (f"{unit}/atom", f"energy_{key}_per_atom", 5),
        (f"force {unit}/Å", f"max_force_{key}_per_angstrom", 3),
        (*stress, 3),
        ("steps", "steps", 0),
    ]


def _change(row: dict[str, Any]) -> str:
    start = row.get("start_space_group_0p1_angstrom", "")
    end = row.get("space_group_0p1_angstrom", "")
    return end if start == end or not start else f"{start} → {end}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


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
    console.print(f"scaled positions, forces ({'arbitrary units' if proxy else 'eV'}/Å):")
    for number, place, force in zip(crystal.numbers, crystal.scaled, relaxed.forces, strict=True):
        numbers = " ".join(f"{value:10.6f}" for value in place)
        console.print(
            f"  {chemical_symbols[number]:2s} {numbers}  "
            + " ".join(f"{value:10.5f}" for value in force)
        )
