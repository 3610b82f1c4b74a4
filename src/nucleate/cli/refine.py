"""``nucleate refine``: tight relaxations or more tiers for the best of a finished run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer import Typer

    from nucleate import Record
    from nucleate.api import RefinementSummary


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(refine)


def refine(
    run: Annotated[Path, typer.Argument(help="Run folder, or the folder of a map.")],
    tier: Annotated[
        list[str] | None,
        typer.Option(help="Energy model as in predict; repeat it, in the order of the tiers."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--input", help="TOML file with [[tier]], and best and [run] if wanted."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the tier in tables. [default: its kind]")
    ] = None,
    best: Annotated[
        int | None, typer.Option(help="Number of distinct structures. [default: 20]")
    ] = None,
    single_point: Annotated[
        bool, typer.Option("--single-point", help="Energy of the geometry as given.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Repeat calculations that failed on these tiers.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes. [default: one per core]")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="Without --tier: second model that judges, such as sevennet, or off."),
    ] = None,
    order: Annotated[str, typer.Option(help="Order of the list: likely, or energy.")] = "likely",
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Run programs and modules that the run folder's input names."),
    ] = False,
) -> None:
    """Relax the best structures of a finished run tightly, or take them through further tiers.

    Without --tier and --input the final phase of the run is done or continued: tight relaxations by
    the run's last model, comparison, and the opinion of a second model.

    The results are written to the run itself: its table, report and files rank on the new tier.
    The same command continues what was interrupted; with a larger --best it takes more. In a map it
    does so for every composition near the hull and for the points of its input.
    """
    from nucleate import api
    from nucleate.api.display import Stages
    from nucleate.api.run import open_run
    from nucleate.cli import inputs
    from nucleate.cli.output import SHOWN, export_at_end, print_ranking
    from nucleate.cli.progress import progress

    model = inputs.parse_all(inputs.parse_tier, tier)
    further: dict[str, Any] = {
        "input_file": file, "best": best, "name": name, "single_point": single_point,
        "retry": retry, "workers": workers,
    }  # fmt: skip
    if api.holds_map(run):
        if tier is not None or file is not None:
            _check_for_tiers(judge)
            summaries = api.refine_near(run, model, **further, on_stage=Stages())
            for formula, summary in summaries:
                typer.echo(f"{formula}:")
                _print_end(summary)
            typer.echo(
                f"Results: the runs in {run}/compositions. The hull keeps the energies of its own "
                "tiers; that of another model is made with --judge."
            )
            if not any(summary.n_with_energy for _, summary in summaries):
                raise typer.Exit(1)
            return
        _check_for_final(name, single_point=single_point, retry=retry)
        found_map = api.open_map(run)
        found_map.refine(best=best, judge=judge, workers=workers, trust=trust, on_stage=Stages())
        if rest := export_at_end(found_map):
            typer.echo(rest)
        typer.echo(f"Results: {run}")
        return
    if tier is None and file is None:
        _check_for_final(name, single_point=single_point, retry=retry)
        api.polish(run, best=best, judge=judge, workers=workers, trust=trust, on_stage=Stages())
        polished = open_run(run)
        rest = export_at_end(polished, order)
        print_ranking(polished, best or SHOWN, order)
        if rest:
            typer.echo(rest)
        typer.echo(f"Results: {run}")
        return
    _check_for_tiers(judge)
    with ExitStack() as stack:
        bars: list[Callable[[Record], None]] = []

        def start(number: int) -> None:
            typer.echo(f"Loading the energy models for {number} structures")
            bars.append(stack.enter_context(progress(number)))

        summary = api.refine(
            run,
            model,
            **further,
            on_start=start,
            on_record=lambda record: bars[0](record),
        )
    found = open_run(run)
    rest = export_at_end(found, order)
    print_ranking(found, best or summary.n_chosen, order)
    _print_end(summary)
    if rest:
        typer.echo(rest)
    typer.echo(f"Results: {run}")
    if summary.reason or not summary.n_with_energy:
        raise typer.Exit(1)


def _check_for_final(name: str | None, *, single_point: bool, retry: bool) -> None:
    if name or single_point or retry:
        raise InputError(
            "--name, --single-point and --retry are for --tier or --input. Give one of these."
        )


def _check_for_tiers(judge: str | None) -> None:
    if judge is not None:
        raise InputError("--judge is for the final phase. Leave it out, or --tier and --input.")


def _print_end(summary: RefinementSummary) -> None:
    for number, tier, message in summary.failures:
        typer.echo(f"record {number}: {tier} failed ({message.splitlines()[0]})")
    text = f"{summary.n_through} of {summary.n_chosen} structures are through, "
    text += f"{summary.n_with_energy} have an energy."
    if summary.reason:
        text += f" Stopped: {summary.reason}; the same command continues."
    typer.echo(text)
