"""``nucleate status``: the state of a run, read from its store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate import InputError
from nucleate.cli.inputs import LIKELY, refuse_on_map

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(status)


def status(
    run: Annotated[Path, typer.Argument(help="Folder of a run, a map or a table of searches.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    best: Annotated[int, typer.Option(min=1, help="Number of structures to list.")] = 10,
    order: Annotated[str, typer.Option(help="Order of the list: likely, or energy.")] = LIKELY,
    element: Annotated[
        str | None,
        typer.Option("--open", help="Of a map: what is stable open to this element, such as O."),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="With --open: temperature of the gas in K.")
    ] = None,
    pressure: Annotated[
        float | None, typer.Option(help="With --open: pressure of the gas in bar. [default: 1]")
    ] = None,
    potential: Annotated[
        float | None,
        typer.Option(help="With --open: chemical potential in eV per atom in place of these."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="With --open: also write all compositions to this file.")
    ] = None,
) -> None:
    """Show the state of a run, a map or a table of searches, during or after it."""
    from nucleate import api
    from nucleate.cli.output import console

    condition = {"temperature": temperature, "pressure": pressure, "potential": potential}
    if element is None and (csv or any(value is not None for value in condition.values())):
        raise InputError(
            "--temperature, --pressure, --potential and --csv are of an open element. Add --open "
            "ELEMENT, such as --open O."
        )
    if element is not None:
        found = api.open_map(run).open_to(element, **condition)
        if csv is not None:
            found.write_csv(csv)
        typer.echo(json.dumps(found.to_dict(), indent=2) if as_json else found.text(best))
        return
    if api.holds_many(run):
        from nucleate.api.many import table_text as many_text

        facts = api.open_many(run).status()
        typer.echo(json.dumps(facts, indent=2) if as_json else many_text(facts))
        return
    if api.holds_map(run):
        from nucleate.api.map import table_text

        refuse_on_map(run, ["--order"] if order != LIKELY else [])
        state = api.open_map(run).status(best=best)
        typer.echo(json.dumps(state, indent=2) if as_json else table_text(state))
        return
    facts = api.status_of(run, best=best, order=order, width=console().width)
    table = facts.pop("table")
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)
        typer.echo(table)


def _print(facts: dict[str, Any]) -> None:
    state = "running" if facts["running"] else f"stopped ({facts['stop_reason'] or 'killed'})"
    spent = f" ({facts['core_s']:.0f} s of processor time)" if facts["core_s"] else ""
    typer.echo(
        f"{facts['formula']}, seed {facts['seed']}: {state} after {facts['elapsed_s']:.0f} s{spent}"
    )
    for line in (*facts["final"], facts["target"], facts["proven"], *facts["notes"]):
        if line:
            typer.echo(line)
    failed = ", ".join(f"{count} {reason}" for reason, count in facts["failures"].items())
    for key in ("done", "rates"):
        if facts[key]:
            typer.echo(facts[key])
    if facts.get("surrogate"):
        typer.echo(facts["surrogate"]["words"])
    typer.echo(
        f"{facts['structures']} structures, {facts['distinct']} distinct, "
        f"{facts['repeats']} repeats not relaxed, failures: {failed or 'none'}"
    )
    if lost := facts["lost"]["workers"]:
        typer.echo(
            f"{lost} worker{'' if lost == 1 else 's'} lost and replaced; "
            f"{facts['lost']['core_s']:.0f} s of the processor time are an estimate of what "
            "their unreported work took"
        )
