"""``nucleate benchmark``: the eleven compounds, a held-out set, and other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.benchmark.matrix import CellState

Out = Annotated[Path, typer.Option(help="Folder of the benchmark; the same command continues.")]
Budget = Annotated[str, typer.Option(help="CORE time of each run: 2h is an hour on two cores.")]
Workers = Annotated[int, typer.Option(min=1, help="Worker processes of each run.")]


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(help="Run the benchmark of the FUSE2 paper.", no_args_is_help=True)
    group.command("run")(run_command)
    group.command("status")(status_command)
    app.add_typer(group, name="benchmark")


def run_command(
    compounds: Annotated[
        str, typer.Option(help="Compounds separated by commas, known, hypothetical or all.")
    ] = "all",
    experiments: Annotated[
        str,
        typer.Option(
            help="default, fgen, fgen-SPP, mlgen, mlgen-SPP, symmetric, all, separated by commas; "
            "paper means the four of the paper."
        ),
    ] = "paper",
    runs: Annotated[int, typer.Option(min=1, help="Runs of each, with seeds 1, 2, ...")] = 3,
    budget: Budget = "2h",
    workers: Workers = 2,
    tier: Annotated[
        Path | None,
        typer.Option(help="TOML file with [[tier]] tables after CHGNet, such as DFT."),
    ] = None,
    out: Out = Path("nucleate-benchmark"),
) -> None:
    """Run compounds by experiments by seeds on equal core time; continue what is there."""
    from nucleate.benchmark.compounds import COMPOUNDS, compound_named
    from nucleate.benchmark.experiments import PAPER_EXPERIMENTS, experiment_named, read_tiers
    from nucleate.benchmark.matrix import STOPPED_FROM_OUTSIDE, add_to_plan, interleaved, run_cell
    from nucleate.cli.stages import Stages

    groups = {
        "all": [item.name for item in COMPOUNDS],
        "known": [item.name for item in COMPOUNDS if item.is_known],
        "hypothetical": [item.name for item in COMPOUNDS if not item.is_known],
    }
    chosen = [compound_named(name) for name in groups.get(compounds) or _names(compounds)]
    names = PAPER_EXPERIMENTS if experiments == "paper" else _names(experiments)
    by_name = {name: experiment_named(name) for name in names}
    core_time_s = _duration(budget)
    last_tiers = [] if tier is None else read_tiers(tier)
    cells = interleaved(chosen, list(by_name.values()), range(1, runs + 1))
    add_to_plan(out, cells)
    for number, cell in enumerate(cells, start=1):
        typer.echo(f"[{number} of {len(cells)}] {cell}", nl=False)
        reason = run_cell(
            out,
            cell,
            by_name[cell.experiment],
            core_time_s=core_time_s,
            workers=workers,
            last_tiers=last_tiers,
            report=Stages(),
        )
        typer.echo(f": {reason}")
        if reason in STOPPED_FROM_OUTSIDE:
            raise typer.Exit(1)


def status_command(out: Out = Path("nucleate-benchmark")) -> None:
    """Show how far every run is."""
    from nucleate.benchmark.matrix import read_plan, state_of

    cells = read_plan(out)
    if not cells:
        raise InputError(f"--out = {out} holds no benchmark. Start one with benchmark run.")
    states = [state_of(out, cell) for cell in cells]
    for state in states:
        typer.echo(_line(state))
    done = sum(state.state == "done" for state in states)
    spent = sum(state.core_s for state in states) / 3600.0
    typer.echo(f"{done} of {len(states)} runs are done; {spent:.2f} core hours were used.")


def _line(state: CellState) -> str:
    cell = state.cell
    head = f"{cell.compound:<18} {cell.experiment:<10} {cell.seed:>3}  {state.state:<8}"
    if state.state == "waiting":
        return head
    best = "" if state.best_ev_per_atom is None else f"{state.best_ev_per_atom:10.4f} eV/atom"
    return (
        f"{head} {state.core_s / 60.0:6.1f} of {state.budget_s / 60.0:.1f} core min "
        f"{state.structures:6d} structures {best}  {state.reason}"
    )


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _duration(text: str) -> float:
    from nucleate.run.settings import seconds

    try:
        value = float(seconds(text))
    except ValueError as error:
        raise InputError(f"--budget: {error}.") from None
    if value <= 0.0:
        raise InputError(f"--budget = {text!r} is no time at all. Give one like 20m.")
    return value
