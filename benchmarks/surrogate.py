r"""What the surrogate of a search is measured by; see docs/measurements/surrogate.md.

    python benchmarks/surrogate.py record   # CHGNet relaxations, every evaluation kept: an hour
    python benchmarks/surrogate.py curve    # held-out errors by the number of relaxations learned
    python benchmarks/surrogate.py minima   # how CHGNet sees the surrogate's own minima; leverage
    python benchmarks/surrogate.py speed    # ms of an evaluation beside CHGNet, of a fit; memory
    python benchmarks/surrogate.py report

All write into the folder ``--out`` and continue where they were interrupted. ``--formula`` chooses
one of the entries. Set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import surrogate_data as data
from scipy.stats import spearmanr

from nucleate.energy.model import Batch
from nucleate.relax.classical import ClassicalRelaxer
from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import TierSettings
from nucleate.surrogate.errors import Tally
from nucleate.surrogate.fit import Fit
from nucleate.surrogate.frames import thin
from nucleate.surrogate.surrogate import Surrogate
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

STAGES = (12, 25, 30, 50, 60, 80, 100, 200)
PER_RELAXATION = 8
ROUNDS = {"CoAs2": 4, "Ca3Ti2O7": 2}
"""Rounds at the surrogate's own minima; one for the others."""

TIER = TierSettings(
    name="fitted", max_steps=150, fmax_ev_per_ang=0.1, max_stress_gpa=1.0, pre_relax=False
)


def main() -> None:
    """Run one sub-command."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["record", "curve", "minima", "speed", "report"])
    parser.add_argument("--out", type=Path, default=Path("runs/surrogate"))
    parser.add_argument("--formula", choices=list(data.ENTRIES), action="append")
    arguments = parser.parse_args()
    commands = {"record": data.record, "curve": curve, "minima": minima, "speed": speed}
    if arguments.command == "report":
        print(report(arguments.out))
        return
    for formula in arguments.formula or data.ENTRIES:
        commands[arguments.command](formula, arguments.out)


def split(formula: str, out: Path) -> tuple[list[data.Recorded], list[data.Recorded]]:
    """Return the relaxations to learn from, and those held out."""
    items, held = data.load(formula, out), data.ENTRIES[formula][2]
    return items[:-held], items[-held:]


def fitted(items: list[data.Recorded]) -> tuple[Fit, Any]:
    """Return a fit to some relaxations, and what solving it gave."""
    fit = Fit(items[0].frames[0].crystal.numbers)
    for item in items:
        fit.add(item.training(PER_RELAXATION))
    return fit, fit.solve()


def curve(formula: str, out: Path) -> None:
    """Fit to growing numbers of relaxations; errors on those held out, on whole trajectories."""
    train, test = split(formula, out)
    for count in STAGES:
        if count > len(train) or written(out, "curve", formula, count):
            continue
        started = time.process_time()
        fit, surrogate = fitted(train[:count])
        fit_s = time.process_time() - started
        if not isinstance(surrogate, Surrogate):
            write(out, "curve", formula, count, {"reason": surrogate.reason})
            continue
        row = held_out(surrogate, test) | {
            "frames": fit.n_frames, "refused": fit.n_refused, "fit_core_s": fit_s,
            "chgnet_core_s": sum(item.core_s for item in train[:count]), "ridge": fit._ridge,
            "columns": surrogate.layout.n_columns, "bytes": len(surrogate.to_bytes()),
        }  # fmt: skip
        write(out, "curve", formula, count, row)
        print(formula, count, row, flush=True)


def held_out(surrogate: Surrogate, items: list[data.Recorded]) -> dict[str, Any]:
    """Return errors on frames of relaxations never learned, and at their ends."""
    lowest = min(item.frames[-1].energy_per_atom for item in items if item.good)
    tally, ends = Tally(), []
    for item in items:
        if not item.good:
            continue
        for frame in thin(item.frames, PER_RELAXATION):
            found, n = surrogate.evaluate(frame.crystal), frame.crystal.n_atoms
            if frame.energy_per_atom > lowest + 1.0:
                continue
            missed = found.stress * GPA_PER_EV_A3 - frame.stress_gpa
            tally.add(
                predicted=found.energy / n, true=frame.energy_per_atom,
                force=float(((found.forces - frame.forces_ev_per_ang) ** 2).mean()),
                stress=float((missed**2).mean()), is_at_rest=False,
            )  # fmt: skip
        end = item.frames[-1]
        ends.append((surrogate.evaluate(end.crystal).energy / n, end.energy_per_atom))
    found, true = np.array(ends).T
    errors, half = tally.errors(), true <= np.median(true)
    return {
        "energy": errors.energy_mev_per_atom, "force": errors.force_ev_per_ang,
        "stress": errors.stress_gpa, "ends": rms(1e3 * (found - true)),
        "lower_half": rms(1e3 * (found - true)[half]), "spread": float(1e3 * true.std()),
        "spearman": float(spearmanr(found, true).statistic), "n_test": len(ends),
    }  # fmt: skip


def rms(values: np.ndarray) -> float:
    """Return a root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def minima(formula: str, out: Path) -> None:
    """Relax the starts held out with the surrogate, then rounds of learning at its own minima."""
    train, test = split(formula, out)
    rounds = ROUNDS.get(formula, 1)
    if written(out, "minima", formula, rounds - 1):
        return
    model, fit = data.chgnet(), Fit(train[0].frames[0].crystal.numbers)
    for item in train[:50]:
        fit.add(item.training(PER_RELAXATION))
    surrogate = fit.solve()
    unseen = iter(item.frames[0].crystal for item in train[50:])
    for number in range(rounds):
        started = time.process_time()
        row = at_minima(surrogate, fit, test, model)
        test_s = time.process_time() - started
        started, learned = time.process_time(), 0
        for crystal in [next(unseen, None) for _ in range(25)]:
            if crystal is None:
                break
            end, half = relaxed(surrogate, crystal), relaxed(surrogate, crystal, most=4)
            frames = [evaluated(model, item) for item in (half, end) if item is not None]
            learned += fit.add([frame for frame in frames if frame is not None]).learned
        surrogate = fit.solve() if learned else surrogate
        row |= {"learned": learned, "round_core_s": time.process_time() - started,
                "test_core_s": test_s}  # fmt: skip
        write(out, "minima", formula, number, row)
        print(formula, number, row, flush=True)


def evaluated(model: Any, crystal: Crystal) -> Any:
    """Return CHGNet's evaluation of a crystal as a frame; None where atoms nearly coincide."""
    from nucleate.crystal.distances import nearest_neighbour_distances

    if nearest_neighbour_distances(crystal).min() < 0.8:
        return None
    return data.frame_of(crystal, model.evaluate(Batch.of([crystal])))


def relaxed(surrogate: Surrogate, crystal: Crystal, most: int = 150) -> Crystal | None:
    """Return where the surrogate takes a crystal; None where it is unphysical."""
    relaxer = ClassicalRelaxer(
        surrogate.classical(), TIER.model_copy(update={"max_steps": most}), 0.0
    )
    relaxer.add(0, crystal)
    outcome = relaxer.step()[0][1]
    return outcome.crystal if isinstance(outcome, Relaxed) else outcome.last


def at_minima(
    surrogate: Surrogate, fit: Fit, test: list[data.Recorded], model: Any
) -> dict[str, Any]:
    """Return what CHGNet says of the surrogate's minima of the starts held out."""
    rows, failed, evaluations = [], 0, []
    for item in test:
        relaxer = ClassicalRelaxer(surrogate.classical(), TIER, 0.0)
        relaxer.add(0, item.frames[0].crystal)
        outcome = relaxer.step()[0][1]
        if not isinstance(outcome, Relaxed) or not item.good:
            failed += not isinstance(outcome, Relaxed)
            continue
        evaluations.append(outcome.evaluations)
        end = outcome.crystal
        frame = data.frame_of(end, model.evaluate(Batch.of([end])))
        then, _ = data.relaxed(end, model)
        rows.append(
            (outcome.energy_per_atom, frame.energy_per_atom, then.frames[-1].energy_per_atom,
             item.frames[-1].energy_per_atom, fit.leverage(end), surrogate.leverage(end),
             frame.max_force, len(then.frames), len(item.frames))
        )  # fmt: skip
    found, there, then, direct, exact, short, force, after, before = np.array(rows).T
    error = 1e3 * (found - there)
    sure = short <= np.median(short)
    return {
        "failed": failed, "n": len(rows), "evaluations": float(np.mean(evaluations)),
        "rms": rms(error), "median": float(np.median(np.abs(error))),
        "spearman_there": float(spearmanr(found, there).statistic),
        "spearman_final": float(spearmanr(found, then).statistic),
        "leverage_exact": float(spearmanr(exact, np.abs(error)).statistic),
        "leverage_message": float(spearmanr(short, np.abs(error)).statistic),
        "leverage_agree": float(spearmanr(short, exact).statistic),
        "rms_sure": rms(error[sure]), "rms_unsure": rms(error[~sure]),
        "median_sure": float(np.median(np.abs(error[sure]))),
        "median_unsure": float(np.median(np.abs(error[~sure]))),
        "max_force": float(np.median(force)), "evaluations_after": float(after.mean()),
        "evaluations_direct": float(before.mean()),
        "gap": float(1e3 * np.median(then - direct)),
        "same": float(np.mean(np.abs(then - direct) < 2e-3)),
    }  # fmt: skip


def speed(formula: str, out: Path) -> None:
    """Time evaluations of both models alternately, relaxations, rows, and the memory of a fit."""
    if written(out, "speed", formula, 0):
        return
    train, test = split(formula, out)
    fit, surrogate = fitted(train[:50])
    model = data.chgnet()
    crystals = [item.frames[len(item.frames) // 2].crystal for item in test[:10]]
    compiled, times = surrogate.model(crystals[0].numbers), {"surrogate": [], "chgnet": []}
    compiled.evaluate(crystals[0])
    model.evaluate(Batch.of(crystals[:1]))
    for crystal in crystals * 3:
        batch, ten = Batch.of([crystal]), [crystal] * 10
        times["surrogate"].append(timed(partial(list, map(compiled.evaluate, ten))))
        times["chgnet"].append(timed(partial(model.evaluate, batch)))
    starts = [item.frames[0].crystal for item in test[:20]]
    relaxed(surrogate, starts[0])
    relax_s = timed(lambda: [relaxed(surrogate, crystal) for crystal in starts]) / len(starts)
    solve_s = timed(fit.solve)
    frames = [frame for item in train[:10] for frame in item.training(PER_RELAXATION)]
    add_s = timed(lambda: fit.add(frames)) / len(frames)
    row = {
        "atoms": crystals[0].n_atoms, "columns": surrogate.layout.n_columns,
        "surrogate_ms": 100.0 * float(np.median(times["surrogate"])),
        "chgnet_ms": 1e3 * float(np.median(times["chgnet"])),
        "relaxation_ms": 1e3 * relax_s, "frame_ms": 1e3 * add_s, "solve_ms": 1e3 * solve_s,
        "leverage_ms": 1e3 * timed(lambda: [surrogate.leverage(c) for c in crystals]) / 10,
        "bytes": len(surrogate.to_bytes()), "fit_bytes": len(fit.to_bytes()),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    write(out, "speed", formula, 0, row)
    print(formula, row, flush=True)


def timed(function: Any) -> float:
    """Return core seconds."""
    started = time.process_time()
    function()
    return time.process_time() - started


def written(out: Path, kind: str, formula: str, number: int) -> dict[str, Any] | None:
    """Return a row that is there, or None."""
    path = out / f"{kind}-{formula}-{number}.json"
    return json.loads(path.read_text()) if path.exists() else None


def write(out: Path, kind: str, formula: str, number: int, row: dict[str, Any]) -> None:
    """Write a row."""
    (out / f"{kind}-{formula}-{number}.json").write_text(json.dumps(row))


def report(out: Path) -> str:
    """Return every row as tables."""
    lines = []
    for kind in ("curve", "minima", "speed"):
        rows = [
            (formula, number, row)
            for formula in data.ENTRIES
            for number in range(300)
            if (row := written(out, kind, formula, number)) is not None
        ]
        keys = list(dict.fromkeys(key for _, _, row in rows for key in row))
        lines += ["", f"## {kind}", "", "| entry | number | " + " | ".join(keys) + " |"]
        lines.append("|---" * (len(keys) + 2) + "|")
        for formula, number, row in rows:
            values = [row.get(key, "") for key in keys]
            texts = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
            lines.append(f"| {formula} | {number} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
