"""The report of a benchmark: Markdown, CSV and figures from the stores of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.benchmark import tables
from nucleate.benchmark.compounds import compound_of
from nucleate.benchmark.matrix import read_plan
from nucleate.benchmark.paper import published_rows
from nucleate.benchmark.references import (
    COMPARED,
    compared_structures,
    rejudged,
    relaxed_references,
)
from nucleate.benchmark.results import read_result, tiers_of
from nucleate.errors import InputError
from nucleate.report.render import write_rows
from nucleate.run.listed_files import FileCrystal
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nucleate.benchmark.references import RelaxedStructure
    from nucleate.benchmark.results import RunResult

REPORT = "report"
INTRODUCTION = """\
# Benchmark of the eleven compounds

Compounds, experiments and the paper's figures: C. M. Collins et al., Faraday Discuss. 256, 85
(2025), doi 10.1039/d4fd00094c. Energies are of the tier {tier}; those of the paper are PBE, so
compare gaps and ratios, not energies. A gap is the lowest energy less that of the reference
structure relaxed by the same tier. *Found* means pymatgen's StructureMatcher (ltol 0.3, stol 0.5,
angle_tol 10) with the relaxed reference. Budgets are core time: processor seconds of driver and
workers together. Intervals: percentile bootstrap over runs for means, Wilson for rates; with three
runs both are rough. Known structures are not used in any run (known = "off").

Of the paper's 33 speed-ups only the means over the compounds and those of CoAs2 and Cu7S4 with
fgen-SPP are given here, and of its Figs. 4 and 7b nothing; an empty cell means that the value is
in the paper alone.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """Everything that a report is made of.

    Attributes
    ----------
    results : list of RunResult
        Runs that have begun.
    references : dict of str to RelaxedStructure
        By compound.
    compared : list of (str, str, RelaxedStructure)
        Set, compound and structure of what was compared.
    tiers : list of dict
        That judge.
    """

    results: list[RunResult]
    references: dict[str, RelaxedStructure]
    compared: list[tuple[str, str, RelaxedStructure]]
    tiers: list[dict[str, Any]]


def read_benchmark(out: Path, *, workers: int = 1) -> Benchmark:
    """Read all runs of a folder; relax the references by their tier if that was not done.

    Runs judged by another tier than the first one are left out.

    Raises
    ------
    InputError
        If there is no run.
    """
    begun = [cell for cell in read_plan(out) if Store.exists(cell.folder(out))]
    if not begun:
        raise InputError(f"--out = {out} holds no runs yet. Start them with benchmark run.")
    tiers = tiers_of(begun[0].folder(out))
    references = relaxed_references(out, tiers, workers=workers)
    results = [
        read_result(cell.folder(out), cell, references.get(cell.compound))
        for cell in begun
        if tiers_of(cell.folder(out))[-1]["name"] == tiers[-1]["name"]
    ]
    return Benchmark(results, references, read_compared(out), tiers)


def compare(
    out: Path, folder: Path, *, tiers: Sequence[dict[str, Any]], workers: int = 1
) -> list[tuple[str, str, RelaxedStructure]]:
    """Relax the structures of a folder by the judging tiers; return them with set and compound."""
    return _labelled(folder.name, compared_structures(out, folder, tiers, workers=workers))


def judging_tiers_of(out: Path) -> list[dict[str, Any]]:
    """Return the tiers that judge the runs of a folder; CHGNet where there is no run yet."""
    begun = [cell for cell in read_plan(out) if Store.exists(cell.folder(out))]
    if begun:
        return tiers_of(begun[0].folder(out))
    from nucleate.run.settings import RelaxationSettings

    tier = {"name": "chgnet", "engine": {"kind": "chgnet"}}
    settings = RelaxationSettings.from_dict({"tier": [tier]})
    return settings.model_dump(mode="json")["tier"]


def read_compared(out: Path) -> list[tuple[str, str, RelaxedStructure]]:
    """Return the structures that were compared before, from their stores."""
    from nucleate.benchmark.references import RelaxedStructure

    found = []
    for path in sorted((out / COMPARED).glob("*/run.db")):
        structures = []
        with Store.read(path.parent) as store:
            last = store.meta["input"]["tier"][-1]["name"]
            for record, _ in store.records():
                relaxed, detail = record.relaxed, record.candidate.origin.detail
                if relaxed is not None and record.tier == last:
                    structures.append(
                        RelaxedStructure(
                            str(detail["name"]),
                            str(detail["file"]),
                            relaxed.crystal,
                            relaxed.energy_per_atom,
                            relaxed.converged,
                        )
                    )
        found += _labelled(path.parent.name, structures)
    return found


def write_report(out: Path, *, workers: int = 1, judge: dict[str, Any] | None = None) -> Path:
    """Write ``report/`` into a benchmark's folder and return the path of its Markdown file.

    Parameters
    ----------
    out
        The folder.
    workers
        Worker processes for relaxations.
    judge
        Tier that relaxes the lowest structures and the references once more.

    Raises
    ------
    InputError
        If there is no run.
    MissingDependencyError
        If pymatgen is not installed.
    """
    benchmark = read_benchmark(out, workers=workers)
    folder = out / REPORT
    folder.mkdir(parents=True, exist_ok=True)
    text = [INTRODUCTION.format(tier=benchmark.tiers[-1]["name"])]
    judged = [] if judge is None else _judged(out, benchmark, judge, workers)
    for title, name, rows in [*_tables(benchmark), *judged]:
        write_rows(folder / f"{name}.csv", rows)
        text.append(f"## {title}\n\n{markdown_table(rows) or 'None.'}\n")
    write_rows(folder / "runs.csv", tables.runs_table(benchmark.results, benchmark.references))
    text += [f"![{name}]({name}.png)\n" for name in _write_figures(out, folder, benchmark)]
    path = folder / "report.md"
    path.write_text("\n".join(text), encoding="utf-8")
    return path


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows that have the same keys as a Markdown table; empty for no row."""
    if not rows:
        return ""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(row[key]) for key in head) + " |" for row in rows]
    return "\n".join(lines)


def _tables(benchmark: Benchmark) -> list[tuple[str, str, list[dict[str, Any]]]]:
    results, references = benchmark.results, benchmark.references
    rng = np.random.default_rng(0)
    tiered = [item for item in results if len(item.tiers) > 1]
    return [
        ("Time per structure (Tables 1 and 3)", "speed", tables.speed_table(results, rng=rng)),
        ("Mean speed-up", "mean-speed", tables.mean_speedups(results)),
        (
            "Lowest energies (Tables 2 and 4)",
            "energies",
            tables.energy_table(results, references, rng=rng),
        ),
        (
            "Experiments with a tier after CHGNet (Table 5)",
            "later-tiers",
            tables.energy_table(tiered, references, rng=rng),
        ),
        (
            "Gain of the search over its start (Table 6)",
            "gains",
            tables.gain_table(results, rng=rng),
        ),
        ("Mean gain over a pool of the graph network", "mean-gain", tables.gain_summary(results)),
        ("Success", "success", tables.success_table(results, references)),
        ("The paper's energies (PBE, eV/atom; Tables 2, 4 and 5)", "paper", published_rows()),
        (
            "Other structures, relaxed by the same tier",
            "compared",
            tables.compared_table(benchmark.compared, results, references),
        ),
        ("Failures", "failures", tables.failure_table(results)),
    ]


def _judged(
    out: Path, benchmark: Benchmark, judge: dict[str, Any], workers: int
) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return the table of the lowest structures and references relaxed by another model."""
    items = [
        FileCrystal(kind, compound, crystal)
        for item in _best_runs(benchmark.results)
        if item.crystal is not None and item.cell.compound in benchmark.references
        for compound, kind, crystal in (
            (item.cell.compound, "lowest", item.crystal),
            (item.cell.compound, "reference", benchmark.references[item.cell.compound].crystal),
        )
    ]
    relaxed = rejudged(out, items, judge, workers=workers)
    energies = {(item.name, item.file): item.energy_ev_per_atom for item in relaxed}
    rows = tables.judged_table(energies, benchmark.results, benchmark.references)
    return [(f"Judged by {judge['name']} as well", "judged", rows)]


def _write_figures(out: Path, folder: Path, benchmark: Benchmark) -> list[str]:
    from nucleate.benchmark import figures

    results, references = benchmark.results, benchmark.references
    figures.curves_figure(results, references).savefig(folder / "curves.png", dpi=130)
    figures.success_figure(results).savefig(folder / "success.png", dpi=130)
    names = ["curves", "success"]
    best = _best_runs(results)
    for item in best:
        if item.tiers and Store.exists(item.cell.folder(out)):
            name = f"trajectory-{item.cell.compound}"
            reference = references.get(item.cell.compound)
            figure = figures.trajectory(item.cell.folder(out), item, reference)
            figure.savefig(folder / f"{name}.png", dpi=110)
            names.append(name)
    pictures = [
        (figures.picture_title(item, references), item.crystal)
        for item in best
        if item.crystal is not None
    ]
    if pictures:
        figures.structures_figure(pictures).savefig(folder / "structures.png", dpi=130)
        names.append("structures")
    return names


def _best_runs(results: Sequence[RunResult]) -> list[RunResult]:
    """Return the run with the lowest energy of each compound."""
    best: dict[str, RunResult] = {}
    for item in results:
        energy = item.best_ev_per_atom
        other = best.get(item.cell.compound)
        if energy is None:
            continue
        if other is None or energy < (other.best_ev_per_atom or 0.0):
            best[item.cell.compound] = item
    return list(best.values())


def _labelled(
    label: str, structures: Sequence[RelaxedStructure]
) -> list[tuple[str, str, RelaxedStructure]]:
    found = []
    for item in structures:
        compound = compound_of(item.crystal)
        if compound is not None:
            found.append((label, compound.name, item))
    return found
