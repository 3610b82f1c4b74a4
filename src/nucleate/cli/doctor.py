"""``nucleate doctor``: what is installed and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer

MARKS = {"ok": " ", "absent": "-", "problem": "!", "fatal": "!"}


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(doctor)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where runs are to be written.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at this machine: versions, devices, threads, caches, programs, file locks.

    Lines that begin with - are optional and not installed, lines that begin with ! are problems;
    each is followed by its remedy. The exit status is 1 only if no search can run.
    """
    from nucleate.api.doctor import doctor as diagnose

    diagnosis = diagnose(folder)
    if as_json:
        typer.echo(json.dumps(diagnosis.to_dict(), indent=1))
        raise typer.Exit(0 if diagnosis.can_run else 1)
    section = ""
    for item in diagnosis.findings:
        if item.section != section:
            section = item.section
            typer.echo(f"{section}:")
        typer.echo(f" {MARKS[item.state]} {item.name:17s} {item.value}")
        if item.remedy:
            typer.echo(f"   {'':17s} -> {item.remedy}")
    number = len(diagnosis.problems)
    verb = "can run" if diagnosis.can_run else "cannot run"
    typer.echo(f"\nSearches {verb}; {number} problem{'' if number == 1 else 's'}.")
    raise typer.Exit(0 if diagnosis.can_run else 1)
