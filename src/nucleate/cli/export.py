"""``nucleate export``: the files of a run, or folders for programs that are run by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.relax.settings import TierSettings


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command(name="export")(export)


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; default: the run folder, or for-PROGRAM in it."),
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="How many structures get files.")] = 20,
    program: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="Write ready folders to run by hand: vasp, espresso, gulp, cp2k, gpaw, lammps, "
            "or with a preset like vasp=paper.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--input", help="The same, with the settings of the [[tier]] in a TOML file."),
    ] = None,
) -> None:
    """Write CIF, POSCAR, extxyz, CSV, the trajectory and the report of a run.

    With --for or --input write a folder for each of the best structures instead, ready for a
    program that you run yourself; `nucleate import` reads the results back.
    """
    if program is not None or file is not None:
        _hand_off(run, _tier(program, file), out, best)
        return
    from nucleate.report.export import export_run

    ranked = export_run(run, out=out, best=best)
    target = run if out is None else out
    typer.echo(f"{len(ranked)} distinct structures; files are in {target}")


def _hand_off(run: Path, tier: TierSettings, out: Path | None, best: int) -> None:
    from nucleate.programs.jobs import check_can_be_handed_off
    from nucleate.report.content import read_run
    from nucleate.report.files import row_name
    from nucleate.report.rows import Row
    from nucleate.report.selection import best_below
    from nucleate.run.hand_back import hand_off

    kind = check_can_be_handed_off(tier).kind
    chosen = best_below(read_run(run), [tier.name], best)
    if not chosen:
        raise InputError(f"{run} has no relaxed structure yet. Let its search go on first.")
    target = out or run / f"for-{kind}"
    items = [
        (row_name(Row.of_ranked(item)), item.record.number, item.relaxed.crystal) for item in chosen
    ]
    hand_off(run, items, tier, target)
    typer.echo(
        f"{len(items)} folders are in {target}. Run run.sh in each, then: nucleate import {run} "
        f"{target}"
    )


def _tier(program: str | None, file: Path | None) -> TierSettings:
    from nucleate.cli import inputs
    from nucleate.run.settings import RefinementSettings, read_toml, with_absolute_paths

    if program is not None and file is not None:
        raise InputError("--for and --input say the same thing. Give one of them.")
    if file is None:
        assert program is not None
        data, source = {"tier": [inputs.parse_tier(program)]}, ""
    else:
        data, source = with_absolute_paths(read_toml(file), file.parent), str(file)
    settings = RefinementSettings.from_dict(data, source=source)
    tier, *more = settings.tier
    if more:
        raise InputError(f"{source}: has {1 + len(more)} tiers. Give one [[tier]].")
    return tier
