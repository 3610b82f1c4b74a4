"""``nucleate benchmark``: the eleven compounds, a hold-out set, and other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate import Record, SearchUpdate
    from nucleate.api.benchmark import CellState
    from nucleate.api.display import Progress

TICK_S = 0.5

Out = Annotated[Path, typer.Option(help="Folder of the benchmark; the same command continues.")]
Budget = Annotated[str, typer.Option(help="CORE time of each run: 2h is an hour on two cores.")]
Workers = Annotated[int, typer.Option(min=1, help="Worker processes of each run.")]


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(help="Run the benchmark of the FUSE2 paper.", no_args_is_help=True)
    group.command("run")(run_command)
    group.command("status")(status_command)
    group.command("report")(report_command)
    group.command("compare")(compare_command)
    group.command("csp")(csp_command)
    app.add_typer(group, name="benchmark")


def run_command(
    compounds: Annotated[
        str, typer.Option(help="Compounds separated by commas, known, hypothetical or all.")
    ] = "all",
    experiments: Annotated[
        str,
        typer.Option(
            help="default, fgen, fgen-SPP, mlgen, mlgen-SPP, symmetric, all, the searches "
            "basin-hopping, evolution, swarm and random, and the baselines pyxtal-random, ase-ga "
            "and cryspy-ea, separated by commas; paper means the four of the paper."
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
    """Run compounds by experiments by seeds on equal core time; continue existing runs."""
    from nucleate.api import benchmark

    try:
        benchmark.run_benchmark(
            out,
            compounds=compounds,
            experiments=experiments,
            runs=runs,
            budget=budget,
            workers=workers,
            tier=tier,
            watch=_watch(),
        )
    except benchmark.BenchmarkStoppedError:
        raise typer.Exit(1) from None


def report_command(
    out: Out = Path("nucleate-benchmark"),
    workers: Workers = 1,
    rerank: Annotated[
        str | None,
        typer.Option(help="Energy model that relaxes the lowest structures again: sevennet."),
    ] = None,
) -> None:
    """Write tables and figures of what has been run so far."""
    from nucleate.api.benchmark import report_benchmark
    from nucleate.cli.inputs import parse_tier

    judge = None if rerank is None else parse_tier(rerank)
    path = report_benchmark(out, workers=workers, judge=judge)
    typer.echo(path.read_text(encoding="utf-8"))
    typer.echo(f"Report: {path}")


def compare_command(
    folder: Annotated[Path, typer.Argument(help="Folder of CIF files of the compounds.")],
    out: Out = Path("nucleate-benchmark"),
    workers: Workers = 2,
) -> None:
    """Relax structures of another program by the same tier, for the same table."""
    from nucleate.api.benchmark import compare_structures

    typer.echo(compare_structures(out, folder, workers=workers))


def csp_command(
    file: Annotated[Path, typer.Argument(help="Parquet table of structures, or folder of CIFs.")],
    number: Annotated[int, typer.Option(min=1, help="Number of entries, drawn at random.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample and of the runs.")] = 0,
    split: Annotated[str, typer.Option(help="Part of the table.")] = "val",
    atoms: Annotated[str, typer.Option(help="Sizes of the primitive cell.")] = "4-20",
    experiment: Annotated[str, typer.Option(help="How to search, as in benchmark run.")] = (
        "default"
    ),
    budget: Budget = "8m",
    workers: Workers = 2,
    generate_only: Annotated[
        bool, typer.Option(help="Compare candidates as they are generated; relax nothing.")
    ] = False,
    generator: Annotated[
        list[str] | None,
        typer.Option(help="With --generate-only: sources as in predict. [default: prototypes]"),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            help="Known structures that may be used: all, no-formula, no-relatives, no-prototype "
            "(with --generate-only), off; repeat it for one after the other. [default: off; "
            "no-formula with --generate-only]"
        ),
    ] = None,
    library: Annotated[
        list[str] | None,
        typer.Option(help="Library of known structures; repeat it. [default: shipped]"),
    ] = None,
    most: Annotated[
        int, typer.Option(min=1, help="With --generate-only: candidates of each entry.")
    ] = 100,
    same_size: Annotated[
        bool,
        typer.Option(
            "--same-size", help="With --generate-only: give the reference's number of atoms."
        ),
    ] = False,
    out: Out = Path("nucleate-csp"),
) -> None:
    """Search for the structures of a hold-out set and report how many are found.

    As in the published match rates the number of atoms in the primitive cell is given.
    """
    from nucleate.api import benchmark
    from nucleate.cli.inputs import parse_generator

    entries = benchmark.hold_out_entries(file, number=number, seed=seed, split=split, atoms=atoms)
    watch = _watch()
    if generate_only:
        text = benchmark.measure_candidates(
            out,
            file,
            entries,
            [parse_generator(text) for text in generator or ("prototypes",)],
            known=known or ("no-formula",),
            library=library or ("shipped",),
            most=most,
            seed=seed,
            same_size=same_size,
            watch=watch,
        )
        typer.echo(text)
        return
    if generator or same_size:
        raise InputError(
            "--generator and --same-size belong to --generate-only. Add it, or leave them out."
        )
    try:
        text = benchmark.run_hold_out(
            out,
            file,
            entries,
            experiment=experiment,
            seed=seed,
            budget=budget,
            workers=workers,
            known=known or ("off",),
            library=library or ("shipped",),
            watch=watch,
        )
    except benchmark.BenchmarkStoppedError:
        raise typer.Exit(1) from None
    typer.echo(text)


def status_command(out: Out = Path("nucleate-benchmark")) -> None:
    """Show how far every run is."""
    from nucleate.api.benchmark import benchmark_states

    states = benchmark_states(out)
    for state in states:
        typer.echo(_line(state))
    done = sum(state.state == "done" for state in states)
    spent = sum(state.core_s for state in states) / 3600.0
    typer.echo(f"{done} of {len(states)} runs are done; {spent:.2f} core hours were used.")


class _Ticker:
    """Shows how far one run is: one line that is redrawn on a terminal, nothing elsewhere."""

    def __init__(self, core_time_s: float) -> None:
        from nucleate.api.display import Stages

        self._core_time_s = core_time_s
        self._last_s = 0.0
        self._stages = Stages()
        self._live = sys.stderr.isatty()

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Take no note."""

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how far the making of a pool is."""
        self._stages(text, done, total)

    def on_note(self, text: str) -> None:
        """Take no note."""

    def on_progress(self, progress: Progress) -> None:
        """Draw the line, at most twice per second."""
        if not self._live or progress.session_s - self._last_s < TICK_S:
            return
        self._last_s = progress.session_s
        search = progress.search
        best = None if search.best is None else search.best.relaxed
        energy = "" if best is None else f", best {best.energy_per_atom:.4f} {best.level.unit}/atom"
        sys.stderr.write(
            f"\r  {progress.core_s / 60.0:.1f} of {self._core_time_s / 60.0:.1f} core min, "
            f"{search.n_structures} structures{energy}   "
        )
        sys.stderr.flush()


def _watch() -> Any:
    """Return what prints how the runs proceed."""
    from nucleate.api.benchmark import Watch

    class Printing(Watch):
        def starts(self, text: str) -> None:
            typer.echo(text, nl=False)

        def ends(self, reason: str) -> None:
            typer.echo(f": {reason}")

        def says(self, text: str) -> None:
            typer.echo(text)

        def callback(self, core_time_s: float) -> _Ticker:
            return _Ticker(core_time_s)

    return Printing()


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
