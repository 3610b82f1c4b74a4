"""As much of SLURM as Parsl talks to: sbatch, squeue and scancel by the name it is called by.

Jobs run on this machine at once. State is in the folder ``SIMULATED_SLURM``; a minute of a limit
takes ``SIMULATED_MINUTE_S`` seconds. The partitions are ``normal`` and ``gpu``.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["SIMULATED_SLURM"])
MINUTE_S = float(os.environ.get("SIMULATED_MINUTE_S", "60"))
PARTITIONS = ("normal", "gpu")


def option(text, name):
    found = re.search(rf"^#SBATCH --{name}=(\S+)", text, re.MULTILINE)
    return found and found[1]


def sbatch(script):
    text = Path(script).read_text()
    partition = option(text, "partition")
    if partition not in (None, *PARTITIONS):
        sys.exit(f"sbatch: error: invalid partition specified: {partition}")
    number = str(1 + sum(1 for _ in FOLDER.glob("*.state")))
    (FOLDER / f"{number}.state").write_text("PD")
    with (
        Path(option(text, "output")).open("w") as out,
        Path(option(text, "error")).open("w") as err,
    ):
        subprocess.Popen(
            [sys.executable, __file__, "run", number, script, option(text, "time")],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
    print(f"Submitted batch job {number}")


def run(number, script, minutes):
    """Run a job to its end or its limit: SIGTERM, and SIGKILL a little later."""
    job = subprocess.Popen(["bash", script], start_new_session=True)
    (FOLDER / f"{number}.pid").write_text(str(job.pid))
    (FOLDER / f"{number}.state").write_text("R")
    try:
        code = job.wait(timeout=int(minutes) * MINUTE_S)
        state = "CD" if code == 0 else "F"
    except subprocess.TimeoutExpired:
        state = "TO"
        end(job.pid, signal.SIGTERM)
        time.sleep(2.0)
    end(job.pid, signal.SIGKILL)
    if (FOLDER / f"{number}.state").read_text() == "R":
        (FOLDER / f"{number}.state").write_text(state)


def end(group, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def squeue(*words):
    jobs = words[words.index("--job") + 1].split(",")
    for job in jobs:
        path = FOLDER / f"{job}.state"
        if path.exists() and (state := path.read_text()) in ("PD", "R"):
            print(job, state)


def scancel(*jobs):
    for job in jobs:
        (FOLDER / f"{job}.state").write_text("CA")
        pid = FOLDER / f"{job}.pid"
        if pid.exists():
            end(int(pid.read_text()), signal.SIGTERM)
            time.sleep(0.3)
            end(int(pid.read_text()), signal.SIGKILL)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"sbatch": sbatch, "run": run, "squeue": squeue, "scancel": scancel}[command](*arguments)
