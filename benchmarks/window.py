"""What the window of a search costs and gives: structures to a target, and the use of workers.

    python benchmarks/window.py search [--seeds 40] [--formula Sr4Ti3O10]
    python benchmarks/window.py use RUN_FOLDER ... [--tier chgnet]

``search`` searches a composition of ``policies.py`` with records that are told late, by windows
from 8 to 96, and prints how many structures were finished when the published minimum was. ``use``
takes the costs of relaxations (evaluations times atoms) from run folders, draws 6,000 of them with
replacement and prints the share of the time in which 2 to 128 workers have a structure, one each,
if records are told in the order of their numbers.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import tempfile
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from policies import TARGETS, TOLERANCE, field_file, settings_of

from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import build_relaxer
from nucleate.run.predict import build_search
from nucleate.run.store import Store
from nucleate.search.record import Record, TierOutcome

WINDOWS = (8, 32, 96)
PER_WORKER = (2.5, 4, 7, 12, 16)
LIMIT = 2000


def structures_to_target(formula: str, seed: int, window: int) -> int:
    """Return how many structures a search relaxes until the target, or the limit."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(
            "lowest-minima", formula, "uniform", seed, field_file(Path(folder)), None
        )
        search: Any = build_search(settings)
        relaxer = build_relaxer(settings.tier[0])
    untold: deque[Record] = deque()
    target, best, count = TARGETS[formula] + TOLERANCE, np.inf, 0
    while best > target and count < LIMIT:
        trial = search.ask() if len(untold) < window else None
        if trial is None:
            search.tell(untold.popleft())
            continue
        record = Record(trial.number, trial.candidate, duplicate_of=trial.duplicate_of)
        if trial.duplicate_of is None:
            count += 1
            relaxer.add(trial.number, trial.candidate.crystal)
            while not (outcomes := relaxer.step()):
                pass
            outcome = outcomes[0][1]
            record = replace(record, outcomes=(TierOutcome("force-field", outcome),))
            if isinstance(outcome, Relaxed):
                best = min(best, outcome.energy_per_atom)
        untold.append(record)
    return count


def measure_search(args: argparse.Namespace) -> None:
    """Print the structures to the target of all seeds, by window."""
    with ProcessPoolExecutor(args.processes) as pool:
        for window in WINDOWS:
            found = [
                pool.submit(structures_to_target, args.formula, seed, window)
                for seed in range(args.seeds)
            ]
            counts = np.array([item.result() for item in found])
            low, middle, high = np.quantile(counts, (0.25, 0.5, 0.75))
            print(
                f"window {window}: median {middle:.0f} structures (quartiles {low:.0f} and "
                f"{high:.0f}), mean {counts.mean():.0f} +- "
                f"{counts.std(ddof=1) / np.sqrt(args.seeds):.0f}, "
                f"{(counts < LIMIT).sum()} of {args.seeds} found",
                flush=True,
            )


def costs_of(folder: str, tier: str) -> np.ndarray:
    """Return evaluations times atoms of all relaxations of a run at one tier."""
    with Store.read(Path(folder)) as store:
        found = [
            item.outcome.evaluations * record.crystal.n_atoms
            for record, _ in store.records()
            for item in record.outcomes
            if item.tier == tier and isinstance(item.outcome, Relaxed)
        ]
    return np.array([cost for cost in found if cost], dtype=float)


def use_of(workers: int, window: int, costs: np.ndarray) -> float:
    """Return the share of the time in which workers have a structure."""
    done = np.zeros(len(costs), dtype=bool)
    told = asked = 0
    now, flying = 0.0, []
    while asked < len(costs):
        while asked < len(costs) and len(flying) < workers and asked - told < window:
            heapq.heappush(flying, (now + costs[asked], asked))
            asked += 1
        now, number = heapq.heappop(flying)
        done[number] = True
        while told < len(costs) and done[told]:
            told += 1
    busy = costs.sum() - sum(end - now for end, _ in flying)
    return busy / (workers * now)


def measure_use(args: argparse.Namespace) -> None:
    """Print the use of workers by the number of them and the window."""
    for folder in args.folders:
        found = costs_of(folder, args.tier)
        costs = np.random.default_rng(0).choice(found, 6000)
        print(f"{folder}: {len(found)} relaxations, spread of ln {np.log(found).std():.2f}")
        for workers in (2, 4, 8, 32, 128):
            uses = (f"{use_of(workers, int(w * workers), costs):.2f}" for w in PER_WORKER)
            print(f"  {workers} workers, window {PER_WORKER} of each:", *uses, flush=True)


def main() -> None:
    """Measure what the first argument says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("search", "use"))
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--tier", default="chgnet")
    parser.add_argument("--formula", default="Sr4Ti3O10", choices=list(TARGETS))
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    {"search": measure_search, "use": measure_use}[args.what](args)


if __name__ == "__main__":
    main()
