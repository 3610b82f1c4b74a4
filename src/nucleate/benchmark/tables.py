"""Rows of the benchmark's tables, the counterparts of those of the paper and what it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.benchmark.baselines.baseline import BASELINES
from nucleate.benchmark.compounds import COMPOUNDS
from nucleate.benchmark.experiments import EXPERIMENTS
from nucleate.benchmark.paper import PAPER_GAIN, paper_energies, paper_speedups
from nucleate.benchmark.results import SAME_ENERGY
from nucleate.benchmark.statistics import bootstrap_interval, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nucleate.benchmark.references import RelaxedStructure
    from nucleate.benchmark.results import RunResult

Row = dict[str, Any]
BASE = "fgen"
"""The experiment that others are compared with."""

START_SPEEDUP = "speed-up of the start"


def runs_table(
    results: Sequence[RunResult], references: Mapping[str, RelaxedStructure]
) -> list[Row]:
    """Return one row for each run with everything that is known of it, for CSV."""
    rows = []
    for item in results:
        hit, best = item.hit, item.best_ev_per_atom
        rows.append(
            {
                "compound": item.cell.compound,
                "experiment": item.cell.experiment,
                "seed": item.cell.seed,
                "core_s": round(item.core_s, 1),
                "preparation_core_s": round(item.preparation_s, 1),
                "structures": item.structures,
                "relaxed": item.relaxed,
                "repeats": item.repeats,
                "core_s_per_structure": _rounded(item.s_per_structure, 3),
                "core_s_per_start": _rounded(item.start_s, 3),
                "evaluations_per_start": _rounded(item.start_evaluations, 1),
                "evaluations_later": _rounded(item.later_evaluations, 1),
                "best_ev_per_atom": _rounded(best, 5),
                "start_ev_per_atom": _rounded(item.start_ev_per_atom, 5),
                "gap_mev_per_atom": _rounded(gap_mev(item, references), 2),
                "best_atoms": "" if item.crystal is None else item.crystal.n_atoms,
                "best_source": item.source,
                "found": "" if hit is None else True,
                "found_core_s": "" if hit is None else round(hit.core_s, 1),
                "found_rank": "" if hit is None else hit.rank,
                "found_rms": "" if hit is None else round(hit.rms, 4),
                "closest_rms": "" if hit is None else round(hit.closest_rms, 4),
                "reached_core_s": _rounded(item.reached_s, 1),
                "failures": sum(item.failures.values()),
            }
        )
    return rows


def speed_table(results: Sequence[RunResult], *, rng: np.random.Generator) -> list[Row]:
    """Return core seconds per structure and the speed-up against fgen (paper: Tables 1 and 3).

    Of all structures of a run, and of its initial population alone.
    """
    published = paper_speedups()
    groups = _groups(results)
    bases = {compound: group for compound, experiment, group in groups if experiment == BASE}
    rows = []
    for compound, experiment, group in groups:
        base = bases.get(compound, [])
        times = _known(item.s_per_structure for item in group)
        if not times:
            continue
        low, high = bootstrap_interval(times, rng=rng)
        start_s = _known(item.start_s for item in group)
        whole = [item.core_s / item.structures for item in group if item.structures]
        rows.append(
            {
                "compound": compound,
                "experiment": experiment,
                "runs": len(group),
                "structures": sum(item.structures for item in group),
                "of these by the last tier": sum(item.relaxed for item in group),
                "core s per structure": f"{np.mean(times):.2f}",
                "95 %": f"{low:.2f}-{high:.2f}",
                "with pool": f"{np.mean(whole):.2f}",
                "speed-up": _ratio(_known(item.s_per_structure for item in base), times),
                "paper": published.get((compound, experiment), ""),
                "core s per start": _mean((item.start_s for item in group), 2),
                START_SPEEDUP: _ratio(_known(item.start_s for item in base), start_s),
                "evaluations per start": _mean((item.start_evaluations for item in group), 0),
                "evaluations later": _mean((item.later_evaluations for item in group), 0),
            }
        )
    return rows


def mean_speedups(results: Sequence[RunResult]) -> list[Row]:
    """Return the mean speed-up of each experiment over the compounds that have it and fgen."""
    published = paper_speedups()
    rows: dict[str, list[Row]] = {}
    for row in speed_table(results, rng=np.random.default_rng(0)):
        if row["speed-up"]:
            rows.setdefault(row["experiment"], []).append(row)
    means = []
    for name, group in rows.items():
        values = [float(row["speed-up"]) for row in group]
        starts = [float(row[START_SPEEDUP]) for row in group if row[START_SPEEDUP]]
        means.append(
            {
                "experiment": name,
                "compounds": len(values),
                "mean speed-up": f"{np.mean(values):.2f}",
                "range": f"{min(values):.2f}-{max(values):.2f}",
                "paper": published.get(("mean", name), ""),
                "of the start": f"{np.mean(starts):.2f}" if starts else "",
            }
        )
    return means


def energy_table(
    results: Sequence[RunResult],
    references: Mapping[str, RelaxedStructure],
    *,
    rng: np.random.Generator,
) -> list[Row]:
    """Return the lowest energies (paper: Tables 2 and 4) with the gap to the reference."""
    published = paper_energies()
    rows = []
    for compound, experiment, group in _groups(results):
        best = [value for item in group if (value := item.best_ev_per_atom) is not None]
        if not best:
            continue
        low, high = bootstrap_interval(best, rng=rng)
        reference = references.get(compound)
        gap = None if reference is None else 1000.0 * (min(best) - reference.energy_ev_per_atom)
        rows.append(
            {
                "compound": compound,
                "experiment": experiment,
                "lowest eV/atom": f"{min(best):.4f}",
                "mean": f"{np.mean(best):.4f}",
                "95 % of the mean": f"{low:.4f} to {high:.4f}",
                "gap meV/atom": "" if gap is None else f"{gap:+.1f}",
                "reference": _verdict(group, gap),
                "core min": f"{np.mean([item.core_s for item in group]) / 60.0:.1f}",
                "paper (PBE)": published.get((compound, _in_the_paper(experiment, group)), ""),
            }
        )
    return rows


def success_table(
    results: Sequence[RunResult], references: Mapping[str, RelaxedStructure]
) -> list[Row]:
    """Return how often the reference, or something at or below its energy, was found."""
    rows = []
    for compound, experiment, group in _groups(results):
        if compound not in references:
            continue
        hits = [item for item in group if item.hit is not None]
        reached = [item.reached_s for item in group if item.reached_s is not None]
        low, high = wilson_interval(len(hits), len(group))
        rows.append(
            {
                "compound": compound,
                "experiment": experiment,
                "runs": len(group),
                "reference found": len(hits),
                "95 %": f"{low:.2f}-{high:.2f}",
                "median core s": _median([item.hit.core_s for item in hits if item.hit]),
                "at or below its energy": len(reached),
                "median core s to that": _median(reached),
            }
        )
    return rows


def _in_the_paper(experiment: str, group: Sequence[RunResult]) -> str:
    """Return the paper's name of an experiment: with a tier after CHGNet it is another one."""
    return f"{experiment}-CHGNet" if len(group[0].tiers) > 1 else experiment


def gain_summary(results: Sequence[RunResult]) -> list[Row]:
    """Return how many runs with the graph network's pool improved on it, beside the paper's."""
    gains = [
        1000.0 * (item.start_ev_per_atom - item.best_ev_per_atom)
        for item in results
        if item.cell.experiment in ("mlgen", "mlgen-SPP")
        and item.start_ev_per_atom is not None
        and item.best_ev_per_atom is not None
    ]
    if not gains:
        return []
    ours = {
        "side": "this benchmark",
        "runs": len(gains),
        "improved": sum(gain > 1000.0 * SAME_ENERGY for gain in gains),
        "mean gain meV/atom": f"{np.mean(gains):.0f}",
        "s.d.": f"{np.std(gains):.0f}",
    }
    return [ours, {"side": "paper", **PAPER_GAIN}]


def gain_table(results: Sequence[RunResult], *, rng: np.random.Generator) -> list[Row]:
    """Return what the search gained over its initial population (paper: Table 6)."""
    rows = []
    for compound, experiment, group in _groups(results):
        gains = [
            1000.0 * (item.start_ev_per_atom - item.best_ev_per_atom)
            for item in group
            if item.start_ev_per_atom is not None and item.best_ev_per_atom is not None
        ]
        if not gains:
            continue
        low, high = bootstrap_interval(gains, rng=rng)
        rows.append(
            {
                "compound": compound,
                "experiment": experiment,
                "runs": len(gains),
                "improved": sum(gain > 1000.0 * SAME_ENERGY for gain in gains),
                "mean gain meV/atom": f"{np.mean(gains):.1f}",
                "95 %": f"{low:.1f}-{high:.1f}",
                "largest": f"{max(gains):.1f}",
            }
        )
    return rows


def failure_table(results: Sequence[RunResult]) -> list[Row]:
    """Return failures by reason."""
    rows = []
    for compound, experiment, group in _groups(results):
        structures = sum(item.structures for item in group)
        totals: dict[str, int] = {}
        for item in group:
            for reason, count in item.failures.items():
                totals[reason] = totals.get(reason, 0) + count
        rows += [
            {
                "compound": compound,
                "experiment": experiment,
                "reason": reason,
                "structures": count,
                "of": structures,
            }
            for reason, count in sorted(totals.items(), key=lambda pair: -pair[1])
        ]
    return rows


def compared_table(
    structures: Sequence[tuple[str, str, RelaxedStructure]],
    results: Sequence[RunResult],
    references: Mapping[str, RelaxedStructure],
) -> list[Row]:
    """Return other structures relaxed by the same tier beside what the runs found.

    Parameters
    ----------
    structures
        Set, compound and structure.
    results, references
        Of the benchmark.
    """
    rows = []
    for label, compound, item in structures:
        ours = [
            value
            for result in results
            if result.cell.compound == compound
            and result.cell.experiment not in BASELINES
            and (value := result.best_ev_per_atom) is not None
        ]
        reference = references.get(compound)
        energy = item.energy_ev_per_atom
        gap = None if reference is None else 1000.0 * (energy - reference.energy_ev_per_atom)
        below = 1000.0 * (min(ours) - energy) if ours else None
        rows.append(
            {
                "compound": compound,
                "set": label,
                "structure": item.file,
                "atoms": item.crystal.n_atoms,
                "eV/atom": f"{energy:.4f}",
                "gap meV/atom": "" if gap is None else f"{gap:+.1f}",
                "nucleate less this": "" if below is None else f"{below:+.1f}",
                "converged": "yes" if item.converged else "no",
            }
        )
    return sorted(rows, key=lambda row: (_place(row["compound"]), float(row["eV/atom"])))


def judged_table(
    energies: Mapping[tuple[str, str], float],
    results: Sequence[RunResult],
    references: Mapping[str, RelaxedStructure],
) -> list[Row]:
    """Return gaps of the lowest structures by the tier of the runs and by another model.

    Parameters
    ----------
    energies
        By the other model in eV/atom, by compound and ``lowest`` or ``reference``.
    results, references
        Of the benchmark.
    """
    rows = []
    for compound in sorted({name for name, _ in energies}, key=_place):
        pair = [energies.get((compound, kind)) for kind in ("lowest", "reference")]
        gaps = [gap_mev(item, references) for item in results if item.cell.compound == compound]
        ours = min(gap for gap in gaps if gap is not None)
        lowest, target = pair
        theirs = None if lowest is None or target is None else 1000.0 * (lowest - target)
        rows.append(
            {
                "compound": compound,
                "gap meV/atom": f"{ours:+.1f}",
                "by the other model": "failed" if theirs is None else f"{theirs:+.1f}",
            }
        )
    return rows


def gap_mev(item: RunResult, references: Mapping[str, RelaxedStructure]) -> float | None:
    """Return the lowest energy less that of the reference in meV/atom; None where one lacks."""
    reference, best = references.get(item.cell.compound), item.best_ev_per_atom
    if reference is None or best is None:
        return None
    return 1000.0 * (best - reference.energy_ev_per_atom)


def _groups(results: Sequence[RunResult]) -> list[tuple[str, str, list[RunResult]]]:
    """Return the runs of each compound and experiment, in the order of the benchmark."""
    groups: dict[tuple[str, str], list[RunResult]] = {}
    for item in results:
        groups.setdefault((item.cell.compound, item.cell.experiment), []).append(item)
    names = [*(item.name for item in EXPERIMENTS), *BASELINES]
    order = sorted(groups, key=lambda key: (_place(key[0]), names.index(key[1])))
    return [(*key, groups[key]) for key in order]


def _place(compound: str) -> int:
    names = [item.name for item in COMPOUNDS]
    return names.index(compound) if compound in names else len(names)


def _verdict(group: Sequence[RunResult], gap: float | None) -> str:
    if gap is None:
        return "none"
    hits = [item.hit for item in group if item.hit is not None]
    if hits:
        closest = min(hit.closest_rms for hit in hits)
        return f"found, rms {closest:.3f}, rank {min(hit.rank for hit in hits)}"
    return "lower" if gap < -1000.0 * SAME_ENERGY else "not found"


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _ratio(base: Sequence[float], times: Sequence[float]) -> str:
    return f"{np.mean(base) / np.mean(times):.2f}" if len(base) and len(times) else ""


def _mean(values: Iterable[float | None], digits: int) -> str:
    known = _known(values)
    return f"{np.mean(known):.{digits}f}" if known else ""


def _median(values: Sequence[float]) -> str:
    return f"{np.median(values):.0f}" if values else ""


def _rounded(value: float | None, digits: int) -> float | str:
    return "" if value is None else round(value, digits)
