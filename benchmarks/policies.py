"""Policies over sources and moves: structures and seconds to the published minima of four oxides.

    python benchmarks/policies.py tune
    python benchmarks/policies.py run --seeds 0-39
    python benchmarks/policies.py report

Compositions, energies and force field are those of Zamaraeva et al., Digital Discovery 2, 1831
(2023). ``run`` appends a row to ``--out`` (default ``benchmarks/rows/policies.csv``) for every
composition, policy and seed that the table lacks, seed by seed, so that it can be interrupted at
any time and all policies have the same seeds. A run ends at 1 meV/atom above the published minimum
or below it, and is censored after 4,000 structures. It is one process; seconds are its processor
time. Known structures are off.

``tuned`` has fixed weights that ``tune`` makes from what worked in searches by fixed weights with
the seeds 1000 to 1002 of all four compositions: the weight of a source or move is proportional to
the new low minima that it gave per second, and is at least a fifth of the mean. ``run`` needs the
file (``tuned.json`` beside the table) for that policy only.

``report`` prints medians by Kaplan and Meier, the share of the structures and seconds saved
relative to ``uniform``, and the log-rank test against it.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rows import KEPT
from scipy.stats import logrank
from survival import censored, in_words, median

from nucleate.crystal.candidate import MOVE
from nucleate.policy.ledger import Ledger
from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import build_relaxer
from nucleate.run.predict import build_search
from nucleate.run.settings import RunSettings
from nucleate.search.record import Record, TierOutcome

TARGETS = {
    "Y2TiO5": -32.682202,
    "Sr4Ti3O10": -29.984896,
    "SrY2O4": -24.428313,
    "Y2Ti2O7": -35.153743,
}
"""eV/atom with the force field."""

TOLERANCE = 1e-3
"""eV/atom above the published minimum."""

FIELD = """\
name = "Sr-Ti-Y-O"

[charges]
Sr = 2.0
Ti = 4.0
Y = 3.0
O = -2.0
"""
PAIRS = {
    ("O", "Sr"): (1952.39, 0.33685, 19.22),
    ("O", "Ti"): (4590.7279, 0.261, 0.0),
    ("O", "O"): (1388.77, 0.36262, 175.0),
    ("O", "Y"): (23000.0, 0.24203, 0.0),
}
"""A in eV, rho in Å, C in eV Å⁶."""

POLICIES = ("uniform", "tuned", "reinforce", "bandit")
TUNING_SEEDS = (1000, 1001, 1002)
FIELDS = ("kind", "formula", "policy", "seed", "reached", "structures", "seconds", "best")


def field_file(folder: Path) -> str:
    """Write the force field; return its path."""
    blocks = [
        f'[[buckingham]]\npair = ["{a}", "{b}"]\nA_eV = {A}\nrho_A = {rho}\nC_eV_A6 = {C}\n'
        for (a, b), (A, rho, C) in PAIRS.items()
    ]
    path = folder / "field.toml"
    path.write_text("\n".join([FIELD, *blocks]), encoding="utf-8")
    return str(path)


def settings_of(
    kind: str, formula: str, policy: str, seed: int, field: str, tuned: dict[str, Any] | None
) -> RunSettings:
    """Return the input of one search."""
    search: dict[str, Any] = {"kind": kind, "seed": seed, "known": "off"}
    if policy == "tuned":
        assert tuned is not None
        search |= tuned
    else:
        search["policy"] = "fixed" if policy == "uniform" else policy
    return RunSettings.from_dict(
        {
            "problem": {"formula": formula, "max_atoms": 50},
            "search": search,
            "tier": [{"name": "force-field", "engine": {"kind": "force-field", "file": field}}],
        }
    )


def search_once(settings: RunSettings, target: float, limit: int, ledger: Worked | None) -> dict:
    """Run one search until the target, or ``limit`` structures; return what came of it."""
    search: Any = build_search(settings)
    relaxer = build_relaxer(settings.tier[0])
    best, started = np.inf, time.process_time()
    while search.progress.n_structures < limit and best > target + TOLERANCE:
        trial = search.ask()
        if trial is None:
            break
        record = Record(trial.number, trial.candidate, duplicate_of=trial.duplicate_of)
        before = time.process_time()
        if trial.duplicate_of is None:
            relaxer.add(trial.number, trial.candidate.crystal)
            outcomes = []
            while not outcomes:
                outcomes = relaxer.step()
            ((_, outcome),) = outcomes
            record = replace(record, outcomes=(TierOutcome("force-field", outcome),))
            if isinstance(outcome, Relaxed):
                best = min(best, outcome.energy_per_atom)
        update = search.tell(record)
        if ledger is not None:
            ledger.note(search, record, update.duplicate_of, time.process_time() - before)
    return {
        "reached": int(best <= target + TOLERANCE),
        "structures": search.progress.n_structures,
        "seconds": round(time.process_time() - started, 2),
        "best": round(float(best), 6),
    }


class Worked:
    """New low minima and seconds of every source and move, over several searches."""

    def __init__(self) -> None:
        self.low: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self._ledgers: dict[int, Ledger] = {}
        self.arms: dict[str, float] = {}

    def note(self, search: Any, record: Record, duplicate_of: int | None, seconds: float) -> None:
        """Take note of a record."""
        facts = search.policy_facts
        self.arms = dict(zip(facts["arms"], facts["weights"], strict=True))
        ledger = self._ledgers.setdefault(id(search), Ledger(facts["arms"], facts["costs"]))
        relaxed, origin = record.relaxed, record.candidate.origin
        pull = ledger.pull(
            record.number,
            origin.source,
            origin.detail,
            origin.parents,
            after={} if relaxed is None else {0: relaxed.enthalpy_per_atom},
            evaluations={0: (1, 1)} if record.outcomes else {},
            duplicate_of=duplicate_of,
        )
        if pull is not None:
            self.low[origin.source] += pull.reward  # type: ignore[assignment]
            self.seconds[origin.source] += seconds  # type: ignore[assignment]

    def tuned(self) -> dict[str, Any]:
        """Return settings of a search whose fixed weights follow the rates."""
        rates = {
            arm: self.low[arm] / self.seconds[arm] if self.seconds[arm] else 0.0
            for arm in self.arms
        }
        mean = float(np.mean(list(rates.values())))
        weights = {arm: max(rate / mean, 0.2) for arm, rate in rates.items()}
        new = {arm: w for arm, w in weights.items() if not arm.startswith(MOVE)}
        moves = {arm.removeprefix(MOVE): w for arm, w in weights.items() if arm not in new}
        share = sum(new.values()) / sum(weights.values())
        return {
            "new_fraction": round(share, 4),
            "generators": [{"kind": arm, "weight": round(w, 4)} for arm, w in new.items()],
            "moves": {name: round(w, 4) for name, w in moves.items()},
        }


def tune(arguments: argparse.Namespace, field: str) -> None:
    """Write the weights of the policy ``tuned``."""
    worked = Worked()
    for seed in TUNING_SEEDS:
        for formula, target in TARGETS.items():
            settings = settings_of(arguments.kind, formula, "uniform", seed, field, None)
            row = search_once(settings, target, arguments.tuning_structures, worked)
            print(formula, seed, row, flush=True)
    path = arguments.out.with_name("tuned.json")
    path.write_text(json.dumps(worked.tuned(), indent=1) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table; empty where there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def run(arguments: argparse.Namespace, field: str) -> None:
    """Append what the table lacks."""
    low, _, high = arguments.seeds.partition("-")
    tuned_file = arguments.out.with_name("tuned.json")
    tuned = json.loads(tuned_file.read_text("utf-8")) if tuned_file.exists() else None
    policies = [p for p in arguments.policies if p != "tuned" or tuned is not None]
    done = {(r["kind"], r["formula"], r["policy"], int(r["seed"])) for r in read(arguments.out)}
    is_new = not arguments.out.exists()
    with arguments.out.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, FIELDS)
        if is_new:
            writer.writeheader()
        for seed in range(int(low), int(high or low) + 1):
            for formula in arguments.formulas:
                for policy in policies:
                    key = (arguments.kind, formula, policy, seed)
                    if key in done:
                        continue
                    settings = settings_of(arguments.kind, formula, policy, seed, field, tuned)
                    found = search_once(settings, TARGETS[formula], arguments.structures, None)
                    row = dict(zip(FIELDS, key, strict=False)) | found
                    writer.writerow(row)
                    handle.flush()
                    print(row, flush=True)


def report(arguments: argparse.Namespace) -> None:
    """Print medians, savings and tests; only seeds that all policies of a composition have."""
    rows = [row for row in read(arguments.out) if row["kind"] == arguments.kind]
    print("| composition | policy | reached | structures | seconds | saved | log-rank p |")
    print("|---|---|---|---|---|---|---|")
    for formula in TARGETS:
        own = [row for row in rows if row["formula"] == formula]
        policies = [p for p in POLICIES if any(row["policy"] == p for row in own)]
        seeds = [{int(r["seed"]) for r in own if r["policy"] == p} for p in policies]
        common = set.intersection(*seeds) if seeds else set()
        data = {
            p: [r for r in own if r["policy"] == p and int(r["seed"]) in common] for p in policies
        }
        for policy in policies:
            print("| " + " | ".join(_line(formula, policy, data)) + " |")


def _line(formula: str, policy: str, data: dict[str, list[dict[str, Any]]]) -> list[str]:
    rows, base = data[policy], data.get("uniform", [])
    reached = sum(int(row["reached"]) for row in rows)
    medians = {key: median(censored(rows, key)) for key in ("structures", "seconds")}
    saved, test = "", ""
    if policy != "uniform" and base:
        reference = {key: median(censored(base, key)) for key in medians}
        saved = ", ".join(
            f"{100 * (1 - medians[key] / reference[key]):.0f} %"
            if np.isfinite(medians[key]) and np.isfinite(reference[key])
            else "?"
            for key in medians
        )
        found = logrank(censored(rows, "structures"), censored(base, "structures"))
        test = f"{found.pvalue:.2g}"
    return [
        formula, policy, f"{reached} of {len(rows)}", in_words(rows, "structures"),
        in_words(rows, "seconds"), saved, test,
    ]  # fmt: skip


def main() -> None:
    """Run, tune or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "tune", "report"))
    parser.add_argument("--out", type=Path, default=KEPT / "policies.csv")
    parser.add_argument("--seeds", default="0-39")
    parser.add_argument("--kind", default="lowest-minima")
    parser.add_argument("--structures", type=int, default=4000)
    parser.add_argument("--tuning-structures", type=int, default=300)
    parser.add_argument("--formulas", nargs="*", default=list(TARGETS))
    parser.add_argument("--policies", nargs="*", default=list(POLICIES))
    arguments = parser.parse_args()
    if arguments.what == "report":
        report(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        field = field_file(Path(folder))
        {"run": run, "tune": tune}[arguments.what](arguments, field)


if __name__ == "__main__":
    main()
