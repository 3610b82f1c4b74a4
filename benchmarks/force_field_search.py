"""Structures and seconds that a search on a Buckingham field needs to reach known minima.

    python benchmarks/force_field_search.py FIELD.toml --out search.csv --seeds 0-9

The compositions and energies are those of Zamaraeva et al., Digital Discovery 2, 1831 (2023),
with the force field of that paper; a run is censored after 2,000 structures. One process, so that
a run with the same seed is the same everywhere. Two counts are kept: until the energy lies within
1 meV/atom of the published one, and with ``--exact`` until it lies within 0.02 meV/atom.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import build_relaxer
from nucleate.run.predict import build_search
from nucleate.run.settings import RunSettings
from nucleate.search.record import Record, TierOutcome

TARGETS = {
    "SrY2O4": -24.428313,
    "Y2TiO5": -32.682202,
    "Y2Ti2O7": -35.153743,
    "Sr4Ti3O10": -29.984896,
}
TOLERANCE = 1e-3  # eV/atom
EXACT = 2e-5  # eV/atom
FIELDS = (
    "formula", "seed", "reached", "structures", "seconds", "cpu_s", "relax_s", "best", "target",
    "exact", "exact_structures",
)  # fmt: skip


def search_once(
    formula: str, seed: int, field: str, limit: int, generators: list[str], *, exact: bool
) -> dict:
    """Run one search until the target, or ``limit`` structures; return a row of the table."""
    data = {
        "problem": {"formula": formula, "max_atoms": 50},
        "search": {"seed": seed, "structures": limit, "rmax": limit},
        "tier": [{"name": "force-field", "engine": {"kind": "force-field", "file": field}}],
    }
    if generators:
        data["search"]["generators"] = [{"kind": kind} for kind in generators]
    settings = RunSettings.from_dict(data)
    search = build_search(settings)
    relaxer = build_relaxer(settings.tier[0])
    target = TARGETS[formula]
    best, relaxing = np.inf, 0.0
    started, cpu = time.perf_counter(), time.process_time()
    row: dict = {}

    def reached_now() -> dict:
        return {
            "structures": search.n_structures,
            "seconds": round(time.perf_counter() - started, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
            "relax_s": round(relaxing, 1),
        }

    while search.n_structures < limit and best > target + (EXACT if exact else TOLERANCE):
        trial = search.ask()
        if trial is None:
            break
        record = Record(trial.number, trial.candidate, duplicate_of=trial.duplicate_of, seed=seed)
        if trial.duplicate_of is None:
            before = time.process_time()
            relaxer.add(trial.number, trial.candidate.crystal)
            ((_, outcome),) = relaxer.step()
            relaxing += time.process_time() - before
            record = replace(record, outcomes=(TierOutcome("force-field", outcome),))
            if isinstance(outcome, Relaxed):
                best = min(best, outcome.energy_per_atom)
        search.tell(record)
        if not row and best <= target + TOLERANCE:
            row = reached_now()
    return {
        "formula": formula,
        "seed": seed,
        "reached": best <= target + TOLERANCE,
        **(row or reached_now()),
        "best": round(float(best), 6),
        "target": target,
        "exact": best <= target + EXACT,
        "exact_structures": search.n_structures,
    }


def main() -> None:
    """Run every seed of every composition and append to the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("field")
    parser.add_argument("--out", type=Path, default=Path("force_field_search.csv"))
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--structures", type=int, default=2000)
    parser.add_argument("--formulas", nargs="*", default=list(TARGETS))
    parser.add_argument("--generators", nargs="*", default=[])
    parser.add_argument("--exact", action="store_true", help="go on to within 0.02 meV/atom")
    arguments = parser.parse_args()
    low, _, high = arguments.seeds.partition("-")
    is_new = not arguments.out.exists()
    with arguments.out.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, FIELDS)
        if is_new:
            writer.writeheader()
        for seed in range(int(low), int(high or low) + 1):
            for formula in arguments.formulas:
                row = search_once(
                    formula, seed, arguments.field, arguments.structures, arguments.generators,
                    exact=arguments.exact,
                )  # fmt: skip
                writer.writerow(row)
                handle.flush()
                print(row, flush=True)


if __name__ == "__main__":
    main()
