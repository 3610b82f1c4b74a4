"""Whatever is killed of a run with blocks: no record is lost or doubled, and nothing stays behind.

As a script: ``python -m tests.run.test_cluster_faults VICTIM KILLS STRUCTURES`` prints the counts.
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
import pytest

from .drills import MARK, marked, rows
from .driving import drive

PATTERNS = {
    "worker": "nucleate.run.worker",
    "manager": "process_worker_pool",
    "interchange": "interchange",
}
"""Words of the command line of each victim."""

BLOCK = {"provider": "local", "workers_per_node": 2, "heartbeat_s": 2, "status_s": 1.0}
EXECUTOR = {"kind": "parsl", "block": [BLOCK], "lease_s": 3.0, "retries": 50}
TIER = {"slots": 1, "delay_s": 0.02}


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def start(folder: Path, structures: int, mark: str) -> subprocess.Popen[bytes]:
    options = {"folder": str(folder), "tiers": [TIER], "executor": EXECUTOR}
    data = json.dumps({**options, "structures": structures})
    return subprocess.Popen(
        [sys.executable, "-m", "tests.run.driving", data],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, MARK: mark},
    )


def victims(kind: str, mark: str, driver: int) -> list[int]:
    if kind == "driver":
        return [driver]
    if kind == "process":  # of Parsl, which has started a worker
        return [parent_of(pid) for pid in victims("worker", mark, driver)]
    words = PATTERNS[kind]
    return [pid for pid in marked(mark) if pid != driver and words in command_line(pid)]


def until_gone(mark: str, limit_s: float = 30.0) -> list[str]:
    end = time.monotonic() + limit_s
    while (alive := marked(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    return [command_line(pid) for pid in alive]


def drill(kind: str, kills: int, structures: int, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Kill a kind of process again and again in a search; return what came of it."""
    rng = np.random.default_rng(seed)
    counts: dict[str, Any] = {"victim": kind, "kills": 0, "survivors": [], "lost": 0}
    known: dict[int, Any] = {}
    mark = uuid.uuid4().hex
    process = start(folder, structures, mark)
    while counts["kills"] < kills:
        before = len(rows(folder))
        limit = time.monotonic() + 120.0
        while (
            process.poll() is None
            and time.monotonic() < limit
            and (len(rows(folder)) < before + 3 or not victims(kind, mark, process.pid))
        ):
            time.sleep(0.2)
        if process.poll() is not None:
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
            process = start(folder, structures, mark)
    _, error = process.communicate(timeout=600)
    counts["status"] = process.returncode
    if process.returncode:
        counts["error"] = error.decode()[-1500:]
    counts["survivors"] += until_gone(mark)
    found = rows(folder)
    relaxed = [row for row in found if row[3] is not None]
    counts["records"] = len(relaxed)
    counts["doubled"] = len(relaxed) - len({row[0] for row in relaxed})
    counts["failed"] = sum(row[3] == "failed" for row in relaxed)
    return counts


def different(folder: Path, structures: int) -> int:
    """Return how many records differ from those of a search with workers of this machine."""
    with tempfile.TemporaryDirectory() as name:
        drive(name, (TIER,), workers=2, structures=structures)
        ours, theirs = rows(folder), rows(Path(name))
    common = min(len(ours), len(theirs))
    return sum(a != b for a, b in zip(ours[:common], theirs[:common], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["worker", "process", "manager", "interchange", "driver"])
def test_no_record_is_lost_or_doubled_whatever_is_killed(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    structures = 40
    found = drill(kind, 2, structures, tmp_path / "run")
    assert found["status"] == 0, found
    assert found["kills"] >= 1, found
    assert found["survivors"] == []
    assert (found["lost"], found["doubled"], found["failed"]) == (0, 0, 0)
    assert found["records"] >= structures
    assert different(tmp_path / "run", structures) == 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        kind, kills, structures = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        counts = drill(kind, kills, structures, Path(where) / "run")
        counts["different"] = different(Path(where) / "run", structures)
        print(json.dumps(counts))
