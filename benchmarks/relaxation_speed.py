"""Whole relaxations: core-seconds, throughput, batches, processes and threads, other devices."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from relaxation_starts import CLASSES, Journal, headline_starts, starts

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, fingerprint, fingerprint_distance
from nucleate.relax.model import Batch
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer

if TYPE_CHECKING:
    from pathlib import Path


def tier_of(**changes: Any) -> TierSettings:
    """Return the default tier with changes, limits in time off."""
    return TierSettings.model_validate({"wall_s": None, **changes})


def relax_headline(items: list[tuple[str, Crystal]], path: Path) -> Journal:
    """Relax the headline starts, a class at a time in one batched relaxer."""
    journal = Journal(path)
    warm = build_relaxer(tier_of(max_steps=2))
    list(relax_all(warm, [(0, items[0][1])]))
    for kind in CLASSES:
        mine = [(key, crystal) for key, crystal in items if key.startswith(kind)]
        if all(key in journal for key, _ in mine):
            continue
        begin = time.process_time()
        outcomes = dict(relax_all(build_relaxer(tier_of()), enumerate([item for _, item in mine])))
        core_s = (time.process_time() - begin) / len(mine)
        for k, (key, _) in enumerate(mine):
            outcome = outcomes[k]
            if isinstance(outcome, Failed):
                journal.add(key, core_s=core_s, failed=outcome.reason.value)
                continue
            journal.add(
                key,
                core_s=core_s,
                evaluations=outcome.evaluations,
                converged=outcome.converged,
                energy_ev_per_atom=outcome.energy_per_atom,
                crystal=outcome.crystal.to_dict(),
            )
    return journal


def compare_with_package(ours: Journal, package: Journal) -> str:
    """Return core-seconds, final energies and the pairs that ended in the same basin."""
    lines, ratios, all_gaps, same_gaps = [], [], [], []
    for kind in CLASSES:
        keys = [row["key"] for row in package if row["key"].startswith(kind)]
        keys = [key for key in keys if key in ours and "failed" not in ours[key]]
        if not keys:
            continue
        theirs_s = np.array([package[key]["core_s"] for key in keys])
        ours_s = np.mean([ours[key]["core_s"] for key in keys])
        gaps = np.array(
            [ours[key]["energy_ev_per_atom"] - package[key]["energy_ev_per_atom"] for key in keys]
        )
        same = np.array([_same_basin(ours[key], package[key]) for key in keys])
        evaluations = np.mean([ours[key]["evaluations"] for key in keys])
        converged = sum(ours[key]["converged"] for key in keys)
        steps = np.mean([package[key]["steps"] for key in keys])
        theirs_converged = sum(package[key]["max_force"] <= 0.05 for key in keys)
        lines.append(
            f"{kind:14s} {len(keys)} pairs: package {theirs_s.mean():.1f} core-s (median "
            f"{np.median(theirs_s):.1f}) {steps:.0f} steps, nucleate {ours_s:.2f} core-s "
            f"{evaluations:.0f} evaluations, ratio {theirs_s.mean() / ours_s:.1f}; converged "
            f"{theirs_converged} and {converged}; energy {1e3 * gaps.mean():+.1f} meV/atom; same "
            f"basin {same.sum()}, of these no worse than 2 meV/atom "
            f"{(gaps[same] <= 0.002).sum()}"
        )
        ratios.append((theirs_s.sum(), ours_s * len(keys)))
        all_gaps.append(gaps)
        same_gaps.append(gaps[same])
    total, gaps, same = np.sum(ratios, axis=0), np.concatenate(all_gaps), np.concatenate(same_gaps)
    lines.append(
        f"all: {total[0] / total[1]:.1f} times fewer core-seconds; mean energy "
        f"{1e3 * gaps.mean():+.1f} ± {1e3 * gaps.std() / np.sqrt(gaps.size):.1f} meV/atom; of "
        f"{same.size} pairs in the same basin {np.mean(same <= 0.002):.1%} no worse than 2 meV/atom"
    )
    return "\n".join(lines)


def _same_basin(one: dict[str, Any], other: dict[str, Any]) -> bool:
    prints = [fingerprint(Crystal.from_dict(row["crystal"])) for row in (one, other)]
    return fingerprint_distance(prints[0], prints[1]) < DUPLICATE_DISTANCE


def one_share(formula: str, count: int, seed: int, settings: dict[str, Any], threads: int) -> dict:
    """Relax random crystals in this process; return what it cost."""
    import numba

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    crystals = starts(formula, count, seed=seed)
    relaxer = build_relaxer(tier_of(**settings))
    list(relax_all(build_relaxer(tier_of(max_steps=2)), [(0, crystals[0])]))
    begin, cpu = time.perf_counter(), time.process_time()
    outcomes = dict(relax_all(relaxer, enumerate(crystals)))
    relaxed = [item for item in outcomes.values() if isinstance(item, Relaxed)]
    return {
        "wall_s": time.perf_counter() - begin,
        "core_s": time.process_time() - cpu,
        "relaxed": len(relaxed),
        "evaluations": sum(item.evaluations for item in relaxed),
    }


def throughput(count: int, processes: int, threads: int, script: Path, *, seed: int) -> str:
    """Return relaxed crystals an hour with several processes of several threads, racing off."""
    import json

    lines = []
    for kind, formula in CLASSES.items():
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        commands = [
            [sys.executable, str(script), "share", "--formula", formula, "--count", str(count),
             "--seed", str(seed + k), "--threads", str(threads)]
            for k in range(processes)
        ]  # fmt: skip
        running = [
            subprocess.Popen(item, stdout=subprocess.PIPE, env=environment, text=True)
            for item in commands
        ]
        shares = [json.loads(item.communicate()[0].splitlines()[-1]) for item in running]
        wall = max(share["wall_s"] for share in shares)
        core = sum(share["core_s"] for share in shares)
        done = sum(share["relaxed"] for share in shares)
        lines.append(
            f"{kind:14s} {processes} x {threads}: {done} crystals, {3600 * done / wall:.0f} an "
            f"hour by the clock; {core / done:.2f} core-s each, "
            f"{3600 * processes * done / core:.0f} an hour on {processes} free cores"
        )
    return "\n".join(lines)


def batches(*, seed: int) -> str:
    """Return whether results repeat, depend on neighbours, and what batch sizes cost."""
    from nucleate.relax.engines.chgnet import build_chgnet

    crystals = [item for formula in CLASSES.values() for item in starts(formula, 6, seed=seed)]
    lines = []
    for device in ("cpu", "torch-cpu"):
        model = build_chgnet(device=device)
        first, again = (model.evaluate(Batch.of(crystals)) for _ in range(2))
        same = np.array_equal(first.forces, again.forces)
        same = same and np.array_equal(first.energies, again.energies)
        alone = np.array([model.evaluate(Batch.of([item])).energies[0] for item in crystals])
        sizes = np.array([item.n_atoms for item in crystals])
        apart = np.abs(alone - first.energies).max() / sizes.min()
        lines.append(
            f"{device:10s} twice the same: {same}; alone or in a batch: {apart:.1e} eV/atom"
        )
        times: dict[int, list[float]] = {}
        for _ in range(3):
            for n in (1, 2, 4, 8, 18):
                begin = time.process_time()
                for k in range(0, 18, n):
                    model.evaluate(Batch.of(crystals[k : k + n]))
                times.setdefault(n, []).append((time.process_time() - begin) / sizes.sum())
        lines.append(
            f"{device:10s} ms an atom by crystals in a batch: "
            + ", ".join(f"{n}: {1e3 * np.median(values):.3f}" for n, values in times.items())
        )
    runs = [dict(relax_all(build_relaxer(tier_of()), enumerate(crystals[:6]))) for _ in range(2)]
    lines.append(f"relaxed twice, same order: identical {_identical(*runs)}")
    return "\n".join(lines)


def _identical(one: dict, other: dict) -> bool:
    return all(
        isinstance(one[k], Relaxed)
        and isinstance(other[k], Relaxed)
        and one[k].energy == other[k].energy
        and np.array_equal(one[k].crystal.scaled, other[k].crystal.scaled)
        for k in one
    )


def device_curve(device: str, path: Path, *, seed: int, hour_on_cpu: float) -> str:
    """Return evaluations by batch size, memory, and relaxations an hour on a device of torch.

    Parameters
    ----------
    device
        ``cuda:0``, or ``torch-cpu`` to try the script.
    path
        Journal.
    seed
        Of the starts.
    hour_on_cpu
        Relaxed 20-atom crystals an hour on the CPU cores to compare with.
    """
    import torch

    from nucleate.relax.engines.chgnet import build_chgnet

    journal = Journal(path)
    on_gpu = device.startswith("cuda")
    largest = 4096 if on_gpu else 8
    lines = []
    for n_atoms, formula in ((20, "SrTiO3"), (50, "SrTiO3")):
        pool = starts(formula, 16, seed=seed, n_atoms=n_atoms)
        model = build_chgnet(device=device)
        size = 1
        while size <= largest:
            crystals = [pool[k % len(pool)] for k in range(size)]
            try:
                model.evaluate(Batch.of(crystals))
                begin = time.perf_counter()
                for _ in range(3):
                    model.evaluate(Batch.of(crystals))
            except MemoryError:
                lines.append(f"{n_atoms} atoms: {size} crystals do not fit")
                break
            seconds = (time.perf_counter() - begin) / 3
            memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
            journal.add(f"{n_atoms}/{size}", seconds=seconds, memory_gib=memory)
            lines.append(
                f"{n_atoms} atoms: batch {size}, {size / seconds:.0f} evaluations a second, "
                f"{memory:.1f} GiB"
            )
            size *= 4
        count = 4096 if on_gpu else 4
        crystals = [
            item
            for k in range(-(-count // 16))
            for item in starts(formula, 16, seed=k, n_atoms=n_atoms)
        ]
        relaxer = build_relaxer(tier_of(engine={"kind": "chgnet", "device": device}))
        begin = time.perf_counter()
        done = sum(
            isinstance(item, Relaxed) for _, item in relax_all(relaxer, enumerate(crystals[:count]))
        )
        hourly = 3600 * done / (time.perf_counter() - begin)
        journal.add(f"relaxations/{n_atoms}", count=count, hourly=hourly)
        lines.append(f"{n_atoms} atoms: {hourly:.0f} relaxations an hour")
        if n_atoms == 20 and hour_on_cpu:
            lines.append(f"   {hourly / hour_on_cpu:.1f} times the CPU's {hour_on_cpu:.0f}")
    return "\n".join(lines)


def headline(count: int, folder: Path, *, seed: int) -> list[tuple[str, Crystal]]:
    """Return the starts that every comparison shares."""
    return headline_starts(count, folder / "starts.jsonl", seed=seed)
