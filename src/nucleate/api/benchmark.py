"""The benchmark: compounds by experiments by seeds, hold-out sets, and their reports.

All functions continue what their folder holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.api.inputs import libraries
from nucleate.errors import InputError
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from nucleate.benchmark.csp import Entry
    from nucleate.benchmark.matrix import CellState
    from nucleate.run.events import Callback

WARM_UP = "Warming up, so that compilation is not charged to any run (longer the first time)"


class BenchmarkStoppedError(Exception):
    """A run of a benchmark was stopped from outside; the same call continues."""


class Watch:
    """Who is shown how a benchmark proceeds; this one shows nothing."""

    def starts(self, text: str) -> None:
        """Show the name of a run that starts."""

    def ends(self, reason: str) -> None:
        """Show why it stopped."""

    def says(self, text: str) -> None:
        """Show a line about measurements."""

    def callback(self, core_time_s: float) -> Callback | None:
        """Return who is shown one run with this budget in core seconds."""
        del core_time_s
        return None


def run_benchmark(
    out: Path,
    *,
    compounds: str = "all",
    experiments: str = "paper",
    runs: int = 3,
    budget: str = "2h",
    workers: int = 2,
    tier: Path | None = None,
    watch: Watch | None = None,
) -> None:
    """Run compounds by experiments by seeds on equal core time.

    Parameters
    ----------
    out
        Folder of the benchmark.
    compounds
        Names separated by commas, ``known``, ``hypothetical`` or ``all``.
    experiments
        Names of experiments and baselines separated by commas; ``paper`` for those of the paper.
    runs
        Runs of each, with the seeds 1, 2, ...
    budget
        Core time of each run, such as ``2h``.
    workers
        Worker processes of each run.
    tier
        TOML file with ``[[tier]]`` tables after CHGNet.
    watch
        Who is shown the runs.

    Raises
    ------
    InputError
        If a name, a time or a tier cannot be used.
    BenchmarkStoppedError
        If a run was stopped by a signal.
    """
    from nucleate.benchmark.compounds import COMPOUNDS, compound_named
    from nucleate.benchmark.experiments import PAPER_EXPERIMENTS, read_tiers
    from nucleate.benchmark.matrix import add_to_plan, interleaved, is_done
    from nucleate.benchmark.runner import check_sides, run_side

    watch = watch or Watch()
    groups = {
        "all": [item.name for item in COMPOUNDS],
        "known": [item.name for item in COMPOUNDS if item.is_known],
        "hypothetical": [item.name for item in COMPOUNDS if not item.is_known],
    }
    chosen = [compound_named(name) for name in groups.get(compounds) or _names(compounds)]
    names = PAPER_EXPERIMENTS if experiments == "paper" else _names(experiments)
    check_sides(names)
    core_time_s = _core_time_s(budget)
    last_tiers = [] if tier is None else read_tiers(tier)
    cells = interleaved([item.name for item in chosen], names, range(1, runs + 1))
    add_to_plan(out, cells)
    _warm_up_unless(watch, (is_done(cell.folder(out), core_time_s) for cell in cells))
    for number, cell in enumerate(cells, start=1):
        watch.starts(f"[{number} of {len(cells)}] {cell}")
        reason = run_side(
            out,
            cell,
            core_time_s=core_time_s,
            workers=workers,
            last_tiers=last_tiers,
            callback=watch.callback(core_time_s),
        )
        _end(watch, reason)


def benchmark_states(out: Path) -> list[CellState]:
    """Return how far every run of a benchmark is; raises InputError if ``out`` holds none."""
    from nucleate.benchmark.matrix import read_plan, state_of

    cells = read_plan(out)
    if not cells:
        raise InputError(f"--out = {out} holds no benchmark. Start one with benchmark run.")
    return [state_of(out, cell) for cell in cells]


def report_benchmark(out: Path, *, workers: int = 1, judge: dict[str, Any] | None = None) -> Path:
    """Write tables and figures of what has been run; return the path of the report.

    Parameters
    ----------
    out
        Folder of the benchmark.
    workers
        Worker processes.
    judge
        Settings of a tier that relaxes the lowest structures again.
    """
    from nucleate.benchmark.report import write_report

    return write_report(out, workers=workers, judge=judge)


def compare_structures(out: Path, folder: Path, *, workers: int = 2) -> str:
    """Relax structures of another program by the same tier; return the table in Markdown."""
    from nucleate.benchmark import tables
    from nucleate.benchmark.matrix import read_plan
    from nucleate.benchmark.references import relaxed_references
    from nucleate.benchmark.report import compare, judging_tiers_of, markdown_table, read_benchmark

    tiers = judging_tiers_of(out)
    found = compare(out, folder, tiers=tiers, workers=workers)
    references = relaxed_references(out, tiers, workers=workers)
    results = read_benchmark(out).results if read_plan(out) else []
    return markdown_table(tables.compared_table(found, results, references))


def hold_out_entries(
    file: Path, *, number: int = 20, seed: int = 0, split: str = "val", atoms: str = "4-20"
) -> list[Entry]:
    """Return a random sample of a hold-out set; ``atoms`` is a range of sizes like ``4-20``."""
    from nucleate.benchmark.csp import read_entries

    low, _, high = atoms.partition("-")
    if not (low.isdigit() and high.isdigit()):
        raise InputError(f"--atoms = {atoms!r} is not a range. Write it like 4-20.")
    return read_entries(file, number=number, seed=seed, split=split, atoms=(int(low), int(high)))


def run_hold_out(
    out: Path,
    table: Path,
    entries: Sequence[Entry],
    *,
    experiment: str = "default",
    seed: int = 0,
    budget: str = "8m",
    workers: int = 2,
    known: Sequence[str] = ("off",),
    library: Sequence[str] = ("shipped",),
    watch: Watch | None = None,
) -> str:
    """Search for the structures of a hold-out set; return the tables in Markdown.

    ``csp.csv``, ``csp-summary.csv`` and ``csp-measures.csv`` are written in ``out``.

    Parameters
    ----------
    out
        Folder of the runs.
    table
        The hold-out set, for the distances from the hull.
    entries
        What is searched for.
    experiment
        How to search.
    seed
        Of all runs.
    budget
        Core time of each run, such as ``8m``.
    workers
        Worker processes of each run.
    known
        Which known structures the runs may use: hold-outs, one after the other.
    library
        Libraries of known structures.
    watch
        Who is shown the runs.

    Raises
    ------
    InputError
        If the experiment, a hold-out or the time cannot be used, or a run of the folder was set
        up otherwise.
    BenchmarkStoppedError
        If a run was stopped by a signal.
    """
    from nucleate.benchmark import csp, rates
    from nucleate.benchmark.experiments import experiment_named
    from nucleate.benchmark.matrix import is_done
    from nucleate.benchmark.report import markdown_table
    from nucleate.report.render import write_rows

    watch, known = watch or Watch(), list(dict.fromkeys(known))
    _check_known(known)
    if "no-prototype" in known:
        raise InputError(
            "--known = 'no-prototype' needs the structure itself and holds with --generate-only "
            "alone. Use no-relatives for searches."
        )
    if known == ["off"] and tuple(library) != ("shipped",):
        raise InputError(
            "--library has no effect where --known = 'off', the default of searches. Give another "
            "--known, such as no-formula."
        )
    library = libraries(library) or ["shipped"]
    side, core_time_s = experiment_named(experiment), _core_time_s(budget)
    pairs = [(entry, use) for use in known for entry in entries]
    folders = (csp.entry_folder(out, entry, use) for entry, use in pairs)
    _warm_up_unless(watch, (is_done(folder, core_time_s) for folder in folders))
    for place, (entry, use) in enumerate(pairs, start=1):
        held_out = "" if use == "off" else f" {use}"
        watch.starts(f"[{place} of {len(pairs)}] {entry.name} {entry.formula}{held_out}")
        reason = csp.run_entry(
            out,
            entry,
            side,
            seed=seed,
            core_time_s=core_time_s,
            workers=workers,
            known=use,
            library=library,
            callback=watch.callback(core_time_s),
        )
        _end(watch, reason)
    hull = rates.hull_distances(table)
    rows = csp.entry_rows(out, entries, known=known, above_hull=hull, workers=workers)
    summary = csp.summary_rows(rows)
    measures = rates.summary_rows(csp.ranked_rows(out, entries, known=known, above_hull=hull))
    write_rows(out / "csp.csv", rows)
    write_rows(out / "csp-summary.csv", summary)
    write_rows(out / "csp-measures.csv", measures)
    used = "" if known == ["off"] else f"; library: {', '.join(library)}"
    return (
        f"Searches with known = {', '.join(known)}{used}; the number of atoms is given.\n\n"
        f"{markdown_table(rows)}\n\n{markdown_table(summary)}\n\n"
        "Distinct structures of the runs, ranked by energy, against the references as given. "
        f"Rates in per cent with 95 % intervals (Wilson).\n\n{markdown_table(measures)}"
    )


def measure_candidates(
    out: Path,
    table: Path,
    entries: Sequence[Entry],
    generators: Sequence[dict[str, Any]],
    *,
    known: Sequence[str] = ("no-formula",),
    library: Sequence[str] = ("shipped",),
    most: int = 100,
    seed: int = 0,
    same_size: bool = False,
    watch: Watch | None = None,
) -> str:
    """Compare candidates of generators as they are generated; return the summary in Markdown.

    ``generated.jsonl`` and ``generated-summary.csv`` are written in ``out``.
    """
    from nucleate.benchmark.generate_only import measure
    from nucleate.benchmark.rates import hull_distances, summary_rows
    from nucleate.benchmark.report import markdown_table
    from nucleate.plugins import find
    from nucleate.report.render import write_rows
    from nucleate.writing import whole_file

    _check_known(known)
    rows = measure(
        out / "generated.jsonl",
        entries,
        [find(item["kind"], "generators").model_validate(item) for item in generators],
        known=list(known),
        library=tuple(library),
        most=most,
        seed=seed,
        same_size=same_size,
        above_hull=hull_distances(table),
        report=(watch or Watch()).says,
    )
    summary = summary_rows(rows, most=most)
    with whole_file(out / "generated-summary.csv") as part:
        write_rows(part, summary)
    names = ", ".join(item["kind"] for item in generators)
    size = "the number of atoms is given" if same_size else "the number of atoms is not given"
    return (
        f"\nUnrelaxed candidates of {names}; known = {', '.join(known)}; library: "
        f"{', '.join(library)}; {size}. Rates in per cent with 95 % intervals (Wilson).\n\n"
        f"{markdown_table(summary)}"
    )


def _check_known(known: Sequence[str]) -> None:
    from nucleate.library.hold_out import HOLD_OUTS

    for use in known:
        if use not in HOLD_OUTS:
            raise InputError(f"--known = {use!r} is not one of {', '.join(HOLD_OUTS)}.")


def _warm_up_unless(watch: Watch, done: Iterable[bool]) -> None:
    if all(done):
        return
    from nucleate.benchmark.warm_up import warm_up

    watch.starts(WARM_UP)
    _end(watch, warm_up())


def _end(watch: Watch, reason: str) -> None:
    watch.ends(reason)
    if is_request(reason):
        raise BenchmarkStoppedError(reason)


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _core_time_s(text: str) -> float:
    from nucleate.search.stop import seconds

    try:
        value = float(seconds(text))
    except ValueError as error:
        raise InputError(f"--budget: {error}.") from None
    if value <= 0.0:
        raise InputError(f"--budget = {text!r} is not a positive time. Give one like 20m.")
    return value
