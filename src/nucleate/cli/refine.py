"""``nucleate refine``: more tiers for the best structures of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.run.refinement import RefinementSummary
    from nucleate.run.settings import RefinementSettings


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(refine)


def refine(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    tier: Annotated[
        list[str] | None,
        typer.Option(help="Energy model as of predict; repeat it, in the order of the tiers."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--input", help="TOML file with [[tier]], and best and [run] if wanted."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the tier in tables. [default: its kind]")
    ] = None,
    best: Annotated[
        int | None, typer.Option(help="How many distinct structures. [default: 20]")
    ] = None,
    single_point: Annotated[
        bool, typer.Option("--single-point", help="Energy of the geometry as it is.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again what these tiers have failed on.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes. [default: one a core]")
    ] = None,
) -> None:
    """Take the best distinct structures of a finished run through more tiers.

    The results go into the run itself: its table, report and files rank on the new tier. The same
    command goes on with what is left after an interruption; with a larger --best it takes more.
    """
    from nucleate.cli import inputs
    from nucleate.cli.display import print_ranking
    from nucleate.cli.progress import progress
    from nucleate.report.content import read_run
    from nucleate.report.export import export_run
    from nucleate.report.selection import best_below
    from nucleate.run.refinement import check_new_tiers
    from nucleate.run.refinement import refine as run_tiers
    from nucleate.run.store import Store

    options = inputs.given(name=name, relax=False if single_point else None)
    overrides = inputs.given(
        best=best, tier=[inputs.parse_tier(text) | options for text in tier or ()]
    )
    settings = _settings(file, overrides, inputs.given(workers=workers))
    content = read_run(run)
    with Store.read(run) as store:
        check_new_tiers(store, settings.tier)
    chosen = best_below(content, [item.name for item in settings.tier], settings.best)
    if not chosen:
        raise InputError(f"{run} has no relaxed structure yet. Let its search go on first.")
    numbers = [item.record.number for item in chosen]
    typer.echo(f"Loading the energy models for {len(numbers)} structures")
    with progress(len(numbers)) as on_record:
        summary = run_tiers(run, settings, numbers, retry=retry, on_record=on_record)
    ranked = export_run(run)
    print_ranking(ranked[: settings.best])
    _print_end(summary)
    typer.echo(f"Results: {run}")
    if summary.reason or not summary.n_with_energy:
        raise typer.Exit(1)


def _settings(
    file: Path | None, overrides: dict[str, Any], execution: dict[str, Any]
) -> RefinementSettings:
    from nucleate.run.settings import RefinementSettings, read_toml, with_absolute_paths

    if file is None and not overrides.get("tier"):
        raise InputError("No tier is given. Add --tier, such as --tier chgnet, or --input FILE.")
    data: dict[str, Any] = {}
    if file is not None:
        data = with_absolute_paths(read_toml(file), file.parent)
    data |= overrides
    if execution:
        data["run"] = {**data.get("run", {}), **execution}
    return RefinementSettings.from_dict(data, source="" if file is None else str(file))


def _print_end(summary: RefinementSummary) -> None:
    for number, tier, message in summary.failures:
        typer.echo(f"record {number}: {tier} failed ({message.splitlines()[0]})")
    text = f"{summary.n_through} of {summary.n_chosen} structures are through, "
    text += f"{summary.n_with_energy} have an energy."
    if summary.reason:
        text += f" Stopped: {summary.reason}; the same command goes on."
    typer.echo(text)
