"""Schedulers that run jobs on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def slurm_environment(folder: Path, *, minute_s: float = 60.0) -> dict[str, str]:
    """Return variables that put sbatch, squeue and scancel on the path; states are in jobs/."""
    commands, states = folder / "bin", folder / "jobs"
    commands.mkdir()
    states.mkdir()
    for name in ("sbatch", "squeue", "scancel"):
        path = commands / name
        path.write_text(f'#!/bin/bash\nexec {sys.executable} {HERE / "slurm.py"} {name} "$@"\n')
        path.chmod(0o755)
    return {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "SIMULATED_SLURM": str(states),
        "SIMULATED_MINUTE_S": str(minute_s),
    }


def install_slurm(monkeypatch, folder: Path, *, minute_s: float = 60.0) -> Path:
    """Put sbatch, squeue and scancel on the path; return the folder of the states of jobs."""
    for name, value in slurm_environment(folder, minute_s=minute_s).items():
        monkeypatch.setenv(name, value)
    return folder / "jobs"
