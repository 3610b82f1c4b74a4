"""``nucleate cluster``: a section for the workers of a cluster, and whether it works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nucleate.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(help="Workers on the nodes of a cluster.", no_args_is_help=True)
    group.command("init")(init_command)
    group.command("check")(check_command)
    app.add_typer(group, name="cluster")


def init_command(
    kind: Annotated[str, typer.Argument(help="slurm, pbs, flux or local.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("cluster.toml"),
) -> None:
    """Write a commented file with [executor], for predict --executor or an input file."""
    from nucleate.api.cluster import template

    text = template(kind)
    if out.exists():
        raise InputError(f"{out} exists already. Give another file with --out.")
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out} written. Edit it, then try it: nucleate cluster check {out}")


def check_command(
    file: Annotated[Path, typer.Argument(help="Input file, or one with [executor] alone.")] = Path(
        "cluster.toml"
    ),
    out: Annotated[
        Path, typer.Option(help="Folder that the nodes share, for files meanwhile.")
    ] = Path(),
    wait: Annotated[str, typer.Option(help="How long to wait for each block, like 1h.")] = "10m",
) -> None:
    """Send one tiny relaxation through every kind of block, and say what is wrong."""
    from nucleate.api.cluster import check

    works = True
    for report in check(file, folder=out, wait=wait):
        works = works and not report.wrong
        typer.echo(f"{report.name}: {report.facts or 'cannot be used'}")
        for line in report.wrong:
            typer.echo(f"  wrong: {line}")
    if not works:
        raise typer.Exit(1)
    typer.echo("Everything works.")
