r"""Every search and three peers on 17 compositions: core-seconds to the reference.

    python benchmarks/searches.py run TABLE.parquet --out RUNS --seeds 1-5 --budget 180
    python benchmarks/searches.py table --budget 180 --figure docs/images/searches.svg

Seven compounds of the benchmark, and ten entries on the hull of the ``val`` split with 10 to 28
atoms in the primitive cell, drawn at random. Every side is given the cell size of the reference,
CHGNet, one process or worker, and the same processor time; known structures are off. ``lowest-
minima`` is the default of ``predict``. The peers are PyXtal's random crystals, the genetic
algorithm of ASE and the evolutionary algorithm of CrySPY: their operators and selection, with the
relaxer of nucleate, which is many times faster than their own ways to CHGNet.

A search ends when it has a structure at most 2 meV/atom above the reference as the same model
relaxes it, whatever its type, or when its core-seconds are spent. Li4OBrCl has no reference: the
lowest that earlier searches found takes its place. ``run`` appends a row to ``--rows`` (default
``benchmarks/rows/searches.jsonl``) for each search that has ended, seed by seed, so that it can be
interrupted at any time; ``--sides`` and ``--formulas`` choose some. With a larger ``--budget`` it
continues the searches that have not come there; ``table`` reads rows of any budget that is at least
its own.

``table`` prints for each composition and side how many seeds came there and the median by Kaplan
and Meier; over all compositions the share that came there after parts of the budget, the median,
and the mean of the time up to the budget relative to the default (geometric mean over compositions,
bootstrap interval over compositions).
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from known_structures import targets
from rows import append, rows_of, run_and_table
from scipy.stats import ecdf
from survival import censored, in_words

from nucleate.benchmark.baselines.baseline import BASELINES, run_baseline
from nucleate.benchmark.experiments import SEARCHES
from nucleate.benchmark.metrics import rate
from nucleate.benchmark.references import relaxed_references, relaxed_structures
from nucleate.benchmark.report import markdown_table
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.run.listed_files import FileCrystal
from nucleate.run.predict import opened
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store
from nucleate.search.stop import TARGET_FOUND
from nucleate.search.target import NEAR_EV_PER_ATOM
from nucleate.signals import is_request, stopping_on_signals

DEFAULT = "lowest-minima"
SIDES = (DEFAULT, *SEARCHES, *BASELINES)
COMPOUNDS = ("CoAs2", "WCl2", "YWB4", "Cu7S4", "Ca3Ti2O7", "Pb5As3O12Cl", "Li4OBrCl")
HYPOTHETICAL = {"Li4OBrCl": (4, -4.3029)}
"""Formula units, and the lowest energy in eV/atom that earlier searches found."""

ENTRIES, ATOMS, DRAWN = 10, (10, 28), 27
TIERS = [{"name": "chgnet"}]
NEVER = 10**9
PARTS = (0.1, 0.25, 0.5, 1.0)


class Level:
    """An energy to stop at, whatever the structure."""

    def __init__(self, energy: float) -> None:
        self._energy = energy
        self.found_s: float | None = None
        self.above = np.inf

    def is_found(self, record: Any) -> bool:
        """Return whether a record is low enough; keep when, and how near the lowest came."""
        if record.relaxed is None:
            return False
        above = record.relaxed.energy_per_atom - self._energy
        self.above = min(above, self.above)
        if above > NEAR_EV_PER_ATOM:
            return False
        self.found_s = record.core_s if self.found_s is None else min(record.core_s, self.found_s)
        return True

    def distance_in_words(self) -> str:
        """Return how near it came."""
        return f"the lowest structure is {1000.0 * self.above:.1f} meV/atom above the reference"


def run(arguments: argparse.Namespace) -> None:
    """Search, and append a row for each search that the table lacks."""
    done = set(decided(rows_of(arguments.rows), arguments.budget))
    problems = problems_of(arguments.table, arguments.out, arguments.formulas)
    for seed in seeds_of(arguments.seeds):
        for formula, (units, n_atoms, energy) in problems.items():
            for side in arguments.sides:
                row = {"formula": formula, "side": side, "seed": seed, "budget_s": arguments.budget}
                if key_of(row) in done:
                    continue
                space = SearchSpace.create(
                    Composition.from_formula(formula), formula_units=(units,), max_atoms=n_atoms
                )
                folder = arguments.out / side / f"{formula}-{seed}"
                level = Level(energy)
                reason = searched(side, space, folder, seed, arguments.budget, level)
                if is_request(reason):
                    return
                row["reached"] = int(reason == TARGET_FOUND)
                with Store.read(folder) as store:
                    used_s = max(data.get("core_s", 0.0) for _, _, data in store.events())
                    row["structures"] = sum(1 for _ in store.records())
                row["seconds"] = round(used_s if level.found_s is None else level.found_s, 2)
                row["lowest_mev"] = round(1000.0 * level.above, 1)
                append(arguments.rows, row)
                print(row, flush=True)


def seeds_of(text: str) -> range:
    """Return the seeds of a range such as ``2-5``, or one."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one search from others."""
    return tuple(row[key] for key in ("formula", "side", "seed"))


def decided(rows: list[dict[str, Any]], budget_s: float) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return by key, as after a budget, the searches that came there or had at least the budget."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["reached"] and row["seconds"] <= budget_s:
            found[key_of(row)] = row
        elif row["budget_s"] >= budget_s:
            found[key_of(row)] = row | {"reached": 0, "seconds": budget_s}
    return found


def problems_of(table: Path, out: Path, chosen: list[str]) -> dict[str, tuple[int, int, float]]:
    """Return formula units, atoms and eV/atom of the reference of each composition."""
    drawn: dict[str, FileCrystal] = {}
    for entry in targets(table, 2 * ENTRIES, DRAWN, ATOMS):
        drawn.setdefault(entry.formula, FileCrystal(entry.name, entry.formula, entry.crystal))
    items = list(islice(drawn.values(), ENTRIES))
    relaxed = relaxed_references(out, TIERS)
    relaxed |= {item.name: item for item in relaxed_structures(out / "entries", items, TIERS)}
    found = {}
    for formula in chosen or (*COMPOUNDS, *(item.name for item in items)):
        composition = Composition.from_formula(formula)
        if formula in HYPOTHETICAL:
            units, energy = HYPOTHETICAL[formula]
            found[formula] = (units, units * composition.n_atoms, energy)
            continue
        reference = relaxed[formula]
        units = composition.formula_units_of(reference.crystal.numbers)
        assert units is not None
        found[formula] = (units, reference.crystal.n_atoms, reference.energy_ev_per_atom)
    return found


def searched(
    side: str, space: SearchSpace, folder: Path, seed: int, budget_s: float, level: Level
) -> str:
    """Run or continue a search; return why it stopped."""
    [units] = space.formula_units
    if side in BASELINES:
        return run_baseline(
            folder, side, space, units=units, seed=seed, core_time_s=budget_s, target=level
        )
    settings = RunSettings.from_dict(
        {
            "problem": {
                "formula": space.composition.formula,
                "formula_units": [units],
                "max_atoms": space.max_atoms,
            },
            "search": {"kind": side, "seed": seed, "known": "off"},
            "stop": {"without_improvement": NEVER, "core_time": budget_s},
            "final": {"best": 0, "judge": "off"},
            "run": {"workers": 1},
        }
    )
    with opened(settings, folder) as campaign, stopping_on_signals(campaign.request_stop):
        campaign.progress.stop.target = level
        return campaign.run().reason


def table(arguments: argparse.Namespace) -> None:
    """Print the tables, and draw the curves."""
    seeds = seeds_of(arguments.seeds)
    found = decided(rows_of(arguments.rows), arguments.budget).values()
    rows = [row for row in found if row["seed"] in seeds]
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        groups.setdefault(row["formula"], {}).setdefault(row["side"], []).append(row)
    sides = [side for side in SIDES if any(side in own for own in groups.values())]
    print(
        markdown_table(
            [
                {"composition": formula} | {side: of_seeds(own.get(side, [])) for side in sides}
                for formula, own in groups.items()
            ]
        )
    )
    print()
    print(markdown_table([over_all(side, groups, arguments.budget) for side in sides]))
    if arguments.figure is not None:
        curves(rows, sides, arguments.budget, arguments.figure)


def of_seeds(rows: list[dict[str, Any]]) -> str:
    """Return how many seeds came there, and the median of the core-seconds."""
    if not rows:
        return "not run"
    count = f"{sum(row['reached'] for row in rows)} of {len(rows)}"
    return f"{count}, {in_words(rows, 'seconds')} s" if any(r["reached"] for r in rows) else count


def over_all(
    side: str, groups: dict[str, dict[str, list[dict[str, Any]]]], budget_s: float
) -> dict[str, Any]:
    """Return success after parts of the budget, and times relative to the default."""
    rows = [row for own in groups.values() for row in own.get(side, [])]
    line: dict[str, Any] = {"search": side, "searches": len(rows)}
    for part in PARTS:
        came = sum(row["reached"] and row["seconds"] <= part * budget_s for row in rows)
        line[f"by {part * budget_s:g} s, %"] = str(rate(came, len(rows)))
    line["median, s"] = in_words(rows, "seconds")
    ratios = []
    for own in groups.values():
        seeds = {row["seed"] for row in own.get(side, [])}
        seeds &= {row["seed"] for row in own.get(DEFAULT, [])}
        if seeds:
            means = [mean_s(own[name], seeds, budget_s) for name in (side, DEFAULT)]
            ratios.append(np.log(means[0] / means[1]))
    if ratios:
        random = np.random.default_rng(0)
        drawn = random.choice(ratios, size=(4000, len(ratios))).mean(axis=1)
        low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
        line["time, times that of the default"] = (
            f"{np.exp(np.mean(ratios)):.1f} ({low:.1f}-{high:.1f})"
        )
    return line


def mean_s(rows: list[dict[str, Any]], seeds: set[int], budget_s: float) -> float:
    """Return the mean of the core-seconds to the reference, the budget where it was not reached."""
    times = [r["seconds"] if r["reached"] else budget_s for r in rows if r["seed"] in seeds]
    return float(np.mean(np.clip(times, 0.1, budget_s)))


def curves(rows: list[dict[str, Any]], sides: list[str], budget_s: float, path: Path) -> None:
    """Draw the share of the searches that came there (Kaplan and Meier).

    The default and the peers have 95 % intervals; those of the other searches would cover them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for number, side in enumerate(sides):
        own = [row for row in rows if row["side"] == side]
        survival = ecdf(censored(own, "seconds")).cdf
        times = np.array([0.1, *survival.quantiles, budget_s])
        share = np.array([0.0, *survival.probabilities])
        style = "--" if side in BASELINES else "-"
        axes.step(
            times, [*share, share[-1]], where="post", color=f"C{number}", ls=style,
            label=f"{side} ({len(own)})",
        )  # fmt: skip
        if side != DEFAULT and side not in BASELINES:
            continue
        with suppress(ValueError):
            interval = survival.confidence_interval(method="log-log")
            low, high = (
                np.nan_to_num([0.0, *bound.probabilities])
                for bound in (interval.low, interval.high)
            )
            axes.fill_between(
                times, [*low, low[-1]], [*high, high[-1]], step="post", alpha=0.1,
                color=f"C{number}", lw=0.0,
            )  # fmt: skip
    axes.set(
        xlabel="core-seconds", xscale="log", xlim=(0.3, budget_s), ylim=(0.0, 1.02),
        ylabel="share of searches at the reference",
    )  # fmt: skip
    axes.legend(fontsize=8)
    figure.savefig(path)


def main() -> None:
    """Run a sub-command."""
    parser, searching, reporting = run_and_table(__doc__, run, table, "searches.jsonl")
    for command in (searching, reporting):
        command.add_argument("--budget", type=float, default=180.0, help="core-seconds")
        command.add_argument("--seeds", default="1-5")
    searching.add_argument("table", type=Path)
    searching.add_argument("--out", type=Path, required=True)
    searching.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    searching.add_argument("--formulas", nargs="+", default=[])
    reporting.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    arguments.action(arguments)


if __name__ == "__main__":
    main()
