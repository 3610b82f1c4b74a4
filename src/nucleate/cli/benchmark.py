"""``nucleate benchmark``: the eleven compounds, a hold-out set, and other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.errors import InputError
from nucleate.report.displays import Stages

if TYPE_CHECKING:
    from nucleate.benchmark.matrix import CellState
    from nucleate.run.events import Progress
    from nucleate.search.record import Record, SearchUpdate

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
            help="default, fgen, fgen-SPP, mlgen, mlgen-SPP, symmetric, all, and the baselines "
            "pyxtal-random and ase-ga, separated by commas; paper means the four of the paper."
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
    from nucleate.benchmark.compounds import COMPOUNDS, compound_named
    from nucleate.benchmark.experiments import PAPER_EXPERIMENTS, read_tiers
    from nucleate.benchmark.matrix import STOPPED_FROM_OUTSIDE, add_to_plan, interleaved, is_done
    from nucleate.benchmark.runner import check_sides, run_side

    groups = {
        "all": [item.name for item in COMPOUNDS],
        "known": [item.name for item in COMPOUNDS if item.is_known],
        "hypothetical": [item.name for item in COMPOUNDS if not item.is_known],
    }
    chosen = [compound_named(name) for name in groups.get(compounds) or _names(compounds)]
    names = PAPER_EXPERIMENTS if experiments == "paper" else _names(experiments)
    check_sides(names)
    core_time_s = _duration(budget)
    last_tiers = [] if tier is None else read_tiers(tier)
    cells = interleaved([item.name for item in chosen], names, range(1, runs + 1))
    add_to_plan(out, cells)
    if not all(is_done(cell.folder(out), core_time_s) for cell in cells):
        _warm_up()
    for number, cell in enumerate(cells, start=1):
        typer.echo(f"[{number} of {len(cells)}] {cell}", nl=False)
        reason = run_side(
            out,
            cell,
            core_time_s=core_time_s,
            workers=workers,
            last_tiers=last_tiers,
            callback=_Ticker(core_time_s),
        )
        typer.echo(f": {reason}")
        if reason in STOPPED_FROM_OUTSIDE:
            raise typer.Exit(1)


def report_command(
    out: Out = Path("nucleate-benchmark"),
    workers: Workers = 1,
    rerank: Annotated[
        str | None,
        typer.Option(help="Energy model that relaxes the lowest structures again: sevennet."),
    ] = None,
) -> None:
    """Write tables and figures of what has been run so far."""
    from nucleate.benchmark.report import write_report
    from nucleate.cli.inputs import parse_tier

    judge = None if rerank is None else parse_tier(rerank)
    path = write_report(out, workers=workers, judge=judge)
    typer.echo(path.read_text(encoding="utf-8"))
    typer.echo(f"Report: {path}")


def compare_command(
    folder: Annotated[Path, typer.Argument(help="Folder of CIF files of the compounds.")],
    out: Out = Path("nucleate-benchmark"),
    workers: Workers = 2,
) -> None:
    """Relax structures of another program by the same tier, for the same table."""
    from nucleate.benchmark import tables
    from nucleate.benchmark.matrix import read_plan
    from nucleate.benchmark.references import relaxed_references
    from nucleate.benchmark.report import compare, judging_tiers_of, markdown_table, read_benchmark

    tiers = judging_tiers_of(out)
    found = compare(out, folder, tiers=tiers, workers=workers)
    references = relaxed_references(out, tiers, workers=workers)
    results = read_benchmark(out).results if read_plan(out) else []
    typer.echo(markdown_table(tables.compared_table(found, results, references)))


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
        typer.Option(help="With --generate-only: hold-outs; repeat it. [default: no-formula]"),
    ] = None,
    library: Annotated[
        list[str] | None, typer.Option(help="With --generate-only: libraries. [default: shipped]")
    ] = None,
    most: Annotated[
        int, typer.Option(min=1, help="With --generate-only: candidates of each entry.")
    ] = 100,
    out: Out = Path("nucleate-csp"),
) -> None:
    """Search for the structures of a hold-out set and report how many are found.

    As in the published match rates the number of atoms in the primitive cell is given.
    """
    from nucleate.benchmark import csp
    from nucleate.benchmark.experiments import experiment_named
    from nucleate.benchmark.matrix import STOPPED_FROM_OUTSIDE, is_done
    from nucleate.benchmark.report import markdown_table
    from nucleate.report.render import write_rows

    low, _, high = atoms.partition("-")
    if not (low.isdigit() and high.isdigit()):
        raise InputError(f"--atoms = {atoms!r} is not a range. Write it like 4-20.")
    side, core_time_s = experiment_named(experiment), _duration(budget)
    entries = csp.read_entries(
        file, number=number, seed=seed, split=split, atoms=(int(low), int(high))
    )
    if generate_only:
        from nucleate.cli.generate_only import generate_only as measure

        measure(out, file, entries, generator, known, library, most=most, seed=seed)
        return
    if generator or known or library:
        raise InputError(
            "--generator, --known and --library belong to --generate-only. Add it, or leave them "
            "out: searches of the benchmark use no known structures."
        )
    if not all(is_done(csp.entry_folder(out, entry), core_time_s) for entry in entries):
        _warm_up()
    for place, entry in enumerate(entries, start=1):
        typer.echo(f"[{place} of {len(entries)}] {entry.name} {entry.formula}", nl=False)
        reason = csp.run_entry(
            out,
            entry,
            side,
            seed=seed,
            core_time_s=core_time_s,
            workers=workers,
            callback=_Ticker(core_time_s),
        )
        typer.echo(f": {reason}")
        if reason in STOPPED_FROM_OUTSIDE:
            raise typer.Exit(1)
    rows = csp.entry_rows(out, entries, workers=workers)
    write_rows(out / "csp.csv", rows)
    summary = csp.summary_rows(rows)
    write_rows(out / "csp-summary.csv", summary)
    typer.echo(f"{csp.KNOWN_OFF}\n\n{markdown_table(rows)}\n\n{markdown_table(summary)}")


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


class _Ticker:
    """Shows how far one run is: one line that is redrawn on a terminal, nothing elsewhere."""

    def __init__(self, core_time_s: float) -> None:
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


def _warm_up() -> None:
    from nucleate.benchmark.matrix import STOPPED_FROM_OUTSIDE
    from nucleate.benchmark.warm_up import warm_up

    typer.echo(
        "Warming up, so that compilation is not charged to any run (longer the first time)",
        nl=False,
    )
    reason = warm_up()
    typer.echo(f": {reason}")
    if reason in STOPPED_FROM_OUTSIDE:
        raise typer.Exit(1)


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
    from nucleate.search.stop import seconds

    try:
        value = float(seconds(text))
    except ValueError as error:
        raise InputError(f"--budget: {error}.") from None
    if value <= 0.0:
        raise InputError(f"--budget = {text!r} is not a positive time. Give one like 20m.")
    return value
