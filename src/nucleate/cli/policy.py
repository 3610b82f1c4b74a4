"""``nucleate policy``: what worked in a run, and what its policy has learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(policy)


def policy(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    save: Annotated[
        Path | None,
        typer.Option(help="File for what was learned; [search] policy_from takes it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what worked in a run: what came of each source and move, and its share now."""
    from nucleate.api.policy import save_policy, worked
    from nucleate.cli.tables import print_table

    kind, heads, rows, data = worked(run)
    if save is not None:
        save_policy(run, save)
    if as_json:
        typer.echo(json.dumps({"policy": kind, "sources": data}, indent=2))
        return
    if not rows:
        typer.echo("policy: none; swarm and random searches, and runs from before, keep no shares.")
        return
    typer.echo(f"policy: {kind}")
    print_table(heads, rows)
