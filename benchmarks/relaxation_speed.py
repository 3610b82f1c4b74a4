"""Whole relaxations: core-seconds, throughput, batches, processes and threads, other devices."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from relaxation_starts import CLASSES, Journal, headline_starts, starts

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, fingerprint, fingerprint_distance
from nucleate.energy.model import Batch
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer

if TYPE_CHECKING:
    from nucleate.energy.model import BatchedModel
    from nucleate.relax.relaxer import Relaxer

WITHIN = 0.3
"""eV/atom above the best, within which a screened crystal is relaxed to the end."""


def tier_of(**changes: Any) -> TierSettings:
    """Return the default tier with changes, limits in time off."""
    return TierSettings.model_validate({"wall_s": None, **changes})


def relax_headline(items: list[tuple[str, Crystal]], path: Path, rattle: float) -> Journal:
    """Relax the headline starts, a class at a time in one batched relaxer."""
    journal = Journal(path)
    warm = build_relaxer(tier_of(max_steps=2))
    list(relax_all(warm, [(0, items[0][1])]))
    for kind in CLASSES:
        mine = [(key, crystal) for key, crystal in items if key.startswith(kind)]
        if all(key in journal for key, _ in mine):
            continue
        begin = time.process_time()
        relaxer = build_relaxer(tier_of(rattle_ang=rattle))
        outcomes = dict(relax_all(relaxer, enumerate([item for _, item in mine])))
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


@dataclass(frozen=True, slots=True)
class Share:
    """What one process relaxes: `count` random crystals of a formula, on a device.

    ``staged``: to 0.3 eV/Å first, then what lies within 0.3 eV/atom of the best to the end.
    """

    formula: str
    count: int
    seed: int
    threads: int = 1
    n_atoms: int = 20
    device: str = "cpu"
    slots: int | None = None
    fuse: bool = False
    staged: bool = False

    @property
    def engine(self) -> dict[str, Any]:
        """Settings of the tier's engine."""
        return {"kind": "chgnet", "device": self.device, "fuse": self.fuse}


def one_share(share: Share, ready: Path | None = None) -> dict[str, Any]:
    """Relax random crystals in this process; return what it cost.

    Processes that share a folder `ready` wait there until all have loaded their model.
    """
    import numba

    numba.set_num_threads(min(share.threads, numba.config.NUMBA_NUM_THREADS))
    crystals = starts(share.formula, share.count, seed=share.seed, n_atoms=share.n_atoms)
    settings = {"engine": share.engine, "slots": share.slots}
    stages = [{}]
    if share.staged:
        stages = [
            {"fmax_ev_per_ang": 0.3, "max_stress_gpa": 2.0},
            {"pre_relax": False},
        ]
    relaxers = [build_relaxer(tier_of(**settings, **stage)) for stage in stages]
    list(relax_all(build_relaxer(tier_of(**settings, max_steps=2)), [(0, crystals[0])]))
    if ready is not None:
        wait_for_all(ready)
    begin, cpu = time.perf_counter(), time.process_time()
    relaxed = _relax_within(relaxers[0], crystals)
    n_relaxed, evaluations = len(relaxed), sum(item.evaluations for item in relaxed)
    for relaxer in relaxers[1:]:
        best = min(item.energy_per_atom for item in relaxed)
        near = [item.crystal for item in relaxed if item.energy_per_atom < best + WITHIN]
        relaxed = _relax_within(relaxer, near)
        evaluations += sum(item.evaluations for item in relaxed)
    return {
        "wall_s": time.perf_counter() - begin,
        "core_s": time.process_time() - cpu,
        "relaxed": n_relaxed,
        "evaluations": evaluations,
        "mean_ev_per_atom": float(np.mean([item.energy_per_atom for item in relaxed])),
    }


def _relax_within(relaxer: Relaxer, crystals: list[Crystal]) -> list[Relaxed]:
    """Relax crystals; return those that gave an energy."""
    outcomes = dict(relax_all(relaxer, enumerate(crystals))).values()
    return [outcome for outcome in outcomes if isinstance(outcome, Relaxed)]


def wait_for_all(folder: Path) -> None:
    """Return when as many processes have come here as the file ``processes`` says."""
    (folder / str(os.getpid())).touch()
    expected = int((folder / "processes").read_text())
    while len(list(folder.iterdir())) <= expected:
        time.sleep(0.02)


def run_shares(share: Share, processes: int, script: Path) -> list[dict[str, Any]]:
    """Run a share with other seeds in each of several processes; return what they cost."""
    import json
    import tempfile

    environment = {**os.environ, "OMP_NUM_THREADS": str(share.threads)}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "processes").write_text(str(processes))
        running = []
        for k in range(processes):
            options = (
                [
                    f"--{key.replace('_', '-')}={value}"
                    for key, value in asdict(share).items()
                    if value is not None and key not in ("seed", "fuse", "staged")
                ]
                + ["--fuse"] * share.fuse
                + ["--staged"] * share.staged
            )
            command = [sys.executable, str(script), "share", *options, f"--seed={share.seed + k}"]
            running.append(
                subprocess.Popen(
                    [*command, f"--ready={folder}"],
                    stdout=subprocess.PIPE,
                    env=environment,
                    text=True,
                )
            )
        return [json.loads(item.communicate()[0].splitlines()[-1]) for item in running]


def throughput(share: Share, processes: int, script: Path) -> str:
    """Return relaxed crystals an hour with several processes; each class by default."""
    lines = []
    for kind, formula in CLASSES.items():
        if share.formula not in ("", formula):
            continue
        shares = run_shares(replace(share, formula=formula), processes, script)
        wall = max(item["wall_s"] for item in shares)
        core = sum(item["core_s"] for item in shares)
        done = sum(item["relaxed"] for item in shares)
        evaluations = sum(item["evaluations"] for item in shares)
        lines.append(
            f"{kind:14s} {share.n_atoms} atoms on {share.device}, fused: {share.fuse}, "
            f"staged: {share.staged}, "
            f"{processes} x {share.threads}: "
            f"{done} crystals, {3600 * done / wall:.0f} an hour by the clock, "
            f"{evaluations / wall:.0f} evaluations a second; {core / done:.2f} core-s each, "
            f"{3600 * processes * done / core:.0f} an hour on {processes} free cores; mean "
            f"{np.mean([item['mean_ev_per_atom'] for item in shares]):.4f} eV/atom"
        )
    return "\n".join(lines)


def batches(*, seed: int) -> str:
    """Return whether results repeat, depend on neighbours, and what batch sizes cost."""
    from nucleate.networks.chgnet.models import build_chgnet

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


def device_curve(device: str, *, seed: int) -> str:
    """Return evaluations a second and memory by batch size on a device of torch.

    Parameters
    ----------
    device
        ``cuda:0``, or ``torch-cpu`` to try the script.
    seed
        Of the crystals.
    """
    import torch

    from nucleate.networks.chgnet.models import build_chgnet

    on_gpu = device.startswith("cuda")
    sizes = (1, 16, 64, 256, 1024) if on_gpu else (1, 4)
    lines = []
    for fuse in (False, True) if on_gpu else (False,):
        model = build_chgnet(device=device, fuse=fuse)
        for n_atoms in (20, 50):
            pool = starts("SrTiO3", 16, seed=seed, n_atoms=n_atoms)
            for size in sizes:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats() if on_gpu else None
                name = f"fused: {fuse}, {n_atoms} atoms, batch {size}"
                try:
                    cost = _cost(model, Batch.of([pool[k % len(pool)] for k in range(size)]))
                except MemoryError:
                    lines.append(f"{name}: does not fit")
                    break
                memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
                lines.append(f"{name}: {cost}, {memory:.1f} GiB")
    return "\n".join(lines)


def _cost(model: BatchedModel, batch: Batch) -> str:
    first = model.evaluate(batch)
    begin = time.perf_counter()
    again = [model.evaluate(batch) for _ in range(3)]
    seconds = (time.perf_counter() - begin) / 3
    apart = max(float(np.abs(first.forces - item.forces).max()) for item in again)
    energy = max(float(np.abs(first.energies - item.energies).max()) for item in again)
    return (
        f"{batch.n_crystals / seconds:.0f} evaluations a second; repeated, within {energy:.1e} eV "
        f"a cell and {apart:.1e} eV/Å"
    )


def headline(count: int, folder: Path, *, seed: int) -> list[tuple[str, Crystal]]:
    """Return the starts that every comparison shares."""
    return headline_starts(count, folder / "starts.jsonl", seed=seed)
