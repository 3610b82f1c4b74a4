"""Drills with blocks: what can be lost of a search is, again and again, and what comes of it.

As a script: ``python -m tests.run.cluster_drills KIND TIMES STRUCTURES`` prints the counts.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.run.store import Store

from .drills import MARK, marked, rows
from .driving import drive
from .simulated import slurm_environment
from .toys import HANG

PATTERNS = {
    "worker": "nucleate.run.worker",
    "manager": "process_worker_pool",
    "interchange": "interchange",
}
"""Words of the command line of each victim."""

KINDS = ("worker", "process", "manager", "interchange", "driver", "walltime", "hang")
"""What is killed, blocks that the scheduler ends before they expect it, and models that hang."""

QUICK = {"heartbeat_s": 2, "status_s": 1.0, "workers_per_node": 2}
LOCAL = {"provider": "local", **QUICK}
SLURM = {"provider": "slurm", "options": {"exclusive": False}, "walltime": "2m", **QUICK}
"""Blocks of 2 min, of which the simulated scheduler makes 40 s."""

MINUTE_S = 20.0
TIER = {"slots": 1, "delay_s": 0.02}
SLOW_TIER = {"slots": 1, "delay_s": 0.16}


def options_of(kind: str, times: int, structures: int) -> dict[str, Any]:
    """Return how the search of a drill is driven, the executor left out."""
    tier = dict(SLOW_TIER if kind == "walltime" else TIER)
    if kind == "hang":
        numbers = np.linspace(1, structures - 1, times).astype(int)
        tier["faults"] = {str(number): HANG for number in numbers}
    return {"tiers": [tier], "structures": structures, "limit_s": 2.0 if kind == "hang" else 60.0}


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def start(kind: str, folder: Path, options: dict[str, Any], mark: str) -> subprocess.Popen[bytes]:
    block = SLURM if kind == "walltime" else LOCAL
    executor = {"kind": "parsl", "block": [block], "lease_s": 3.0, "retries": 50}
    environment = {**os.environ, MARK: mark}
    if kind == "walltime":
        environment |= slurm_environment(folder.parent, minute_s=MINUTE_S)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.run.driving",
         json.dumps({"folder": str(folder), "executor": executor, **options})],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip


def victims(kind: str, mark: str, driver: int) -> list[int]:
    if kind == "driver":
        return [driver]
    if kind == "process":  # of Parsl, which has started a worker
        return [parent_of(pid) for pid in victims("worker", mark, driver)]
    words = PATTERNS[kind]
    return [pid for pid in marked(mark) if pid != driver and words in command_line(pid)]


def ended(process: subprocess.Popen[bytes], limit_s: float = 1800.0) -> bytes:
    """Return what a search says at its end; one that does not come to an end is killed."""
    try:
        return process.communicate(timeout=limit_s)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return b"it did not end\n" + process.communicate()[1]


def until_gone(mark: str, limit_s: float = 30.0) -> list[str]:
    end = time.monotonic() + limit_s
    while (alive := marked(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    return [command_line(pid) for pid in alive]


def until_at_work(kind: str, folder: Path, mark: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for three more records and a victim; return whether the search still runs."""
    before, limit = len(rows(folder)), time.monotonic() + 60.0
    while process.poll() is None and time.monotonic() < limit:
        if len(rows(folder)) >= before + 3 and victims(kind, mark, process.pid):
            return True
        time.sleep(0.2)
    return process.poll() is None


def drill(kind: str, times: int, structures: int, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Let something happen to a search again and again; return what came of it."""
    rng = np.random.default_rng(seed)
    counts: dict[str, Any] = {"kind": kind, "kills": 0, "survivors": [], "lost": 0}
    known: dict[int, Any] = {}
    mark = uuid.uuid4().hex
    options = options_of(kind, times, structures)
    process = start(kind, folder, options, mark)
    while kind in (*PATTERNS, "process", "driver") and counts["kills"] < times:
        if not until_at_work(kind, folder, mark, process):
            break
        time.sleep(float(rng.uniform(0.0, 1.0)))
        with suppress(ProcessLookupError, FileNotFoundError):
            for pid in victims(kind, mark, process.pid)[:1]:
                os.kill(pid, signal.SIGKILL)
                counts["kills"] += 1
        if kind == "driver":
            process.wait()
            counts["survivors"] += until_gone(mark)
            found = {row[0]: row for row in rows(folder)}
            counts["lost"] += sum(found.get(n) != row for n, row in known.items())
            known, mark = {**known, **found}, uuid.uuid4().hex
            process = start(kind, folder, options, mark)
    error = ended(process)
    counts["status"] = process.returncode
    if process.returncode:
        counts["error"] = error.decode()[-1500:]
    counts["survivors"] += until_gone(mark)
    if kind == "walltime":
        states = [path.read_text() for path in (folder.parent / "jobs").glob("*.state")]
        counts["kills"] = states.count("TO")
    return counts | counted(folder) | {"different": different(folder, options)}


def counted(folder: Path) -> dict[str, int]:
    """Return what is in the store of a run."""
    relaxed = [row for row in rows(folder) if row[3] is not None]
    with Store.read(folder) as store:
        losses = len(list(store.events("worker-lost")))
    return {
        "records": len(relaxed),
        "doubled": len(relaxed) - len({row[0] for row in relaxed}),
        "failed": sum(row[3] == "failed" for row in relaxed),
        "timed_out": sum(row[4] == "timeout" for row in relaxed),
        "losses_noted": losses,
    }


def different(folder: Path, options: dict[str, Any]) -> int:
    """Return how many records differ from those of a search with workers of this machine."""
    quick = [{**tier, "delay_s": 0.0} for tier in options["tiers"]]
    with tempfile.TemporaryDirectory() as name:
        drive(name, **{**options, "tiers": quick, "workers": 2})
        ours, theirs = rows(folder), rows(Path(name))
    common = min(len(ours), len(theirs))
    return sum(a != b for a, b in zip(ours[:common], theirs[:common], strict=True))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        kind, times, structures = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        print(json.dumps(drill(kind, times, structures, Path(where) / "run")))
