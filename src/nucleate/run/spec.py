"""How the workers of a run are started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.run.isolation import memory_of_machine_mb
from nucleate.run.process import DEFAULT_STEP_LIMIT_S, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.relax.settings import TierSettings
    from nucleate.run.settings import ExecutionSettings

LEAST_MB = 2048
"""The models themselves need about as much."""


def spec_of(
    tiers: Sequence[TierSettings], pressure_gpa: float, execution: ExecutionSettings
) -> WorkerSpec:
    """Return how workers with the relaxers of these tiers are started."""
    return WorkerSpec(
        tiers=tuple(tier.model_dump(mode="json") for tier in tiers),
        pressure_gpa=pressure_gpa,
        step_limits_s=tuple(tier.wall_s or DEFAULT_STEP_LIMIT_S for tier in tiers),
        threads=execution.threads,
        search_path=plug_in_folders(tiers),
        pythons=tuple(tier.python or execution.python or sys.executable for tier in tiers),
        memory_mb=None if _uses_gpu(tiers) else worker_memory_mb(execution.n_workers),
    )


def plug_in_folders(tiers: Sequence[TierSettings]) -> tuple[str, ...]:
    """Return the folders from which workers import engines that are not installed."""
    folders: list[str] = []
    for tier in tiers:
        module = sys.modules[type(tier.engine).__module__]
        file, name = getattr(module, "__file__", None), module.__name__
        if file is None or name.partition(".")[0] == "nucleate":
            continue
        depth = name.count(".") + (Path(file).stem == "__init__")
        folder = Path(file).resolve().parents[depth]
        if "site-packages" not in folder.parts and str(folder) not in folders:
            folders.append(str(folder))
    return tuple(folders)


def worker_memory_mb(n_workers: int) -> int | None:
    """Return the memory that one worker may have: 90 % of the machine's, half among several."""
    whole = memory_of_machine_mb()
    return None if whole is None else max(int(whole * (0.9 if n_workers == 1 else 0.5)), LEAST_MB)


def _uses_gpu(tiers: Sequence[TierSettings]) -> bool:
    """Return whether any tier is on a GPU, whose driver maps more memory than it uses."""
    return any(getattr(tier.engine, "device", "cpu") != "cpu" for tier in tiers)
