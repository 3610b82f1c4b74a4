"""``nucleate predict``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from typer import Typer


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(predict)


def predict(
    problem: Annotated[
        str,
        typer.Argument(
            help="Formula such as Ca3Ti2O7, an input file such as run.toml, or a table of many, "
            "such as many.csv."
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(help="Settings by one word: fuse2, the search of the FUSE2 paper."),
    ] = None,
    max_atoms: Annotated[
        int | None,
        typer.Option(help="Maximum number of atoms in a cell. [default: 50]", show_default=False),
    ] = None,
    formula_units: Annotated[
        str | None, typer.Option(help="Formula units in a cell, like 1,2,4 or 1-4.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="Stop after this time, like 10m or 2h: pools and search; loading models and "
            "compilation do not count."
        ),
    ] = None,
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
    allow_tension: Annotated[
        bool, typer.Option("--allow-tension", help="Allow a pressure below 0.")
    ] = False,
    tier: Annotated[
        list[str] | None,
        typer.Option(help="Energy model; repeat it, cheapest first: chgnet, spp, ase=MODULE:NAME."),
    ] = None,
    generator: Annotated[
        list[str] | None,
        typer.Option(
            help="Source of structures; repeat to mix: symmetric, blocks=2, seeds=FILES, "
            "pool=FILES, and all that `nucleate plugins generators` lists."
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            help="How candidates are chosen: lowest-minima, basin-hopping, evolution, swarm, "
            "random, or module:Class. [default: lowest-minima]"
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            help="Known structures that may be used: all, no-formula, no-relatives, "
            "no-prototype or off. [default: all]"
        ),
    ] = None,
    library: Annotated[
        list[str] | None,
        typer.Option(
            help="Library of known structures: shipped, or a file (.nlib); repeat it. "
            "[default: shipped]"
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="How sources and moves are chosen: fixed, reinforce or bandit. [default: fixed]"
        ),
    ] = None,
    policy_from: Annotated[
        Path | None, typer.Option(help="Run folder or file whose policy this one begins with.")
    ] = None,
    learn: Annotated[
        bool,
        typer.Option(
            "--learn",
            help="Consider candidates with a surrogate that learns from the first tier.",
        ),
    ] = False,
    learn_from: Annotated[
        Path | None,
        typer.Option(
            help="Run folder, or folder of a table of searches, whose evaluations the surrogate "
            "learns at the start."
        ),
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="Stop when the structure in this file is found.")
    ] = None,
    polish: Annotated[
        int | None,
        typer.Option(
            min=0, help="Best structures relaxed tightly at the end; 0: none. [default: 20]"
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Second model that judges them, such as sevennet, or off. [default: sevennet "
            "where it is installed]"
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="Who starts workers: a file of nucleate cluster init, or a kind. [default: local]"
        ),
    ] = None,
    claim: Annotated[
        bool,
        typer.Option(
            "--claim",
            help="Of a table, take one row after the other that no other command has claimed.",
        ),
    ] = False,
    order: Annotated[str, typer.Option(help="Order of the list: likely, or energy.")] = "likely",
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Run programs and modules that the run folder's input names."),
    ] = False,
) -> None:
    """Search for the lowest-energy crystal structures of a composition.

    On a run folder that exists already, the run is continued. The searches of a table (CSV with a
    column problem, and priority, structures, time and others) share the workers.
    """
    from nucleate.api import checked_order
    from nucleate.api import predict as run_search
    from nucleate.api.display import EXPORT, PAGE
    from nucleate.cli import inputs
    from nucleate.cli.output import export_at_end, live_or_lines, print_end
    from nucleate.signals import is_request

    checked_order(order)
    options: dict[str, Any] = {
        "max_atoms": max_atoms,
        "formula_units": inputs.parse_formula_units(formula_units),
        "pressure_gpa": pressure,
        "allow_tension": allow_tension,
        "model": inputs.parse_all(inputs.parse_tier, tier),
        "search": search,
        "generators": inputs.parse_all(inputs.parse_generator, generator),
        "structures": structures,
        "known": known,
        "library": library,
        "policy": policy,
        "policy_from": policy_from,
        "learn": learn,
        "learn_from": learn_from,
        "seed": seed,
        "target": target,
        "polish": polish,
        "judge": judge,
        "time": time,
        "core_time": core_time,
        "workers": workers,
        "executor": executor,
    }
    if problem.endswith(".csv"):
        _predict_many(problem, out, preset, {**options, "claim": claim}, trust=trust)
        return
    if claim:
        from nucleate.errors import InputError

        raise InputError(f"--claim needs a table (CSV), and {problem} is none. Leave --claim out.")
    folder = out or inputs.folder_of(problem)
    display, rest = live_or_lines(), ""
    with display:
        run = run_search(
            problem, folder=folder, preset=preset, display=display, trust=trust, **options
        )
        facts = run.status()
        if facts["distinct"]:
            display.on_stage(EXPORT, 0, 0)
            rest = export_at_end(run, order)
    print_end(run, facts, order)
    if rest:
        typer.echo(rest)
    typer.echo(f"Results: {folder}")
    if facts["distinct"]:
        typer.echo(f"Page: {folder / PAGE} (open it in a browser)")
    if not facts["distinct"] and (facts["structures"] or not is_request(facts["stop_reason"])):
        first = run.first_failure()
        words = f"; all that were tried failed, the first as {first}" if first else ""
        typer.echo(f"Error: no structure has an energy{words}.", err=True)
        raise typer.Exit(1)


def _predict_many(
    table: str, out: Path | None, preset: str | None, options: dict[str, Any], *, trust: bool
) -> None:
    """Search for all compositions of a table, and print what came of each."""
    from nucleate.api.many import predict_many, table_text

    runs = predict_many(table, folder=out, preset=preset, say=typer.echo, trust=trust, **options)
    facts = runs.status()
    typer.echo(table_text(facts))
    typer.echo(f"Results: {runs.folder}")
    if all(row["best"] is None for row in facts["runs"]):
        typer.echo("Error: no structure has an energy.", err=True)
        raise typer.Exit(1)
