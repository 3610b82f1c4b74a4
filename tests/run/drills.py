"""Drills: a search that is killed, again and again, and what must be true afterwards.

As a script: ``python -m tests.run.drills driver 30`` or ``... worker 20`` prints the counts.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path

import numpy as np

MARK = "NUCLEATE_DRILL"
MAIN = "from nucleate.cli import main; main()"
COMMAND = (
    "predict",
    "CaTiO3",
    "--max-atoms",
    "10",
    "--tier",
    "spp",
    "--workers",
    "1",
    "--seed",
    "3",
)

LONGER = (*COMMAND[:3], "30", *COMMAND[4:])
"""The same with larger cells, of which there is no end."""


def start(folder, structures, mark, *, command=COMMAND):
    """Start a search in a process of its own."""
    words = [sys.executable, "-c", MAIN, *command, "--structures", str(structures)]
    return subprocess.Popen(
        [*words, "--out", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, MARK: mark},
    )


def marked(mark):
    """Return the processes that inherited a mark and are no zombies."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state = (folder / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0]
                if state != "Z" and wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def workers_of(mark, driver):
    """Return the workers of a search."""
    return [pid for pid in marked(mark) if pid != driver.pid]


def until_gone(mark, limit_s=5.0):
    """Wait for the processes of a mark; return those that survive."""
    end = time.monotonic() + limit_s
    while (alive := marked(mark)) and time.monotonic() < end:
        time.sleep(0.05)
    return alive


def rows(folder):
    """Return records with their candidates and energies; checks that the file is whole."""
    path = folder / "run.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=30.0)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute(
            "SELECT c.number, c.cell, c.scaled, o.status, o.reason, o.energy_ev FROM record r "
            "JOIN candidate c ON c.number = r.candidate "
            "LEFT JOIN outcome o ON o.candidate = c.number ORDER BY c.number, o.position"
        ).fetchall()


def kill_drivers(folder, kills, *, structures=400, seed=0, longest_s=6.0):
    """Kill a search ``kills`` times at random moments, then let it come to its end."""
    rng = np.random.default_rng(seed)
    counts = {"kills": 0, "survivors": 0, "lost": 0, "errors": 0, "failed": 0}
    known = {}
    for _ in range(kills):
        mark = uuid.uuid4().hex
        process = start(folder, structures, mark)
        time.sleep(float(rng.uniform(0.3, longest_s)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        counts["kills"] += 1
        counts["survivors"] += len(until_gone(mark))
        found = {row[0]: row for row in rows(folder)}
        counts["lost"] += sum(found.get(number) != row for number, row in known.items())
        known = {**known, **found}
    return finish(folder, structures, counts)


def kill_workers(folder, kills, *, structures=100_000, seed=0, longest_s=3.0):
    """Kill the worker of a search at random moments, also while it loads."""
    rng = np.random.default_rng(seed)
    counts = {"kills": 0, "survivors": 0, "lost": 0, "errors": 0, "failed": 0}
    mark = uuid.uuid4().hex
    process = start(folder, structures, mark, command=LONGER)
    while counts["kills"] < kills and process.poll() is None:
        time.sleep(float(rng.uniform(0.2, longest_s)))
        for pid in workers_of(mark, process)[:1]:
            os.kill(pid, signal.SIGKILL)
            counts["kills"] += 1
    until = time.monotonic() + 120.0
    while process.poll() is None and time.monotonic() < until and not rows(folder):
        time.sleep(0.5)  # nobody is killed any more, so a worker loads
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    counts["status"] = process.returncode
    counts["errors"] += process.returncode not in (0, 143)
    if counts["errors"]:
        print(error.decode()[-2000:], file=sys.stderr)
    counts["survivors"] += len(until_gone(mark))
    found = rows(folder)
    counts["records"] = len(found)
    counts["failed"] = sum(row[3] == "failed" and row[4] == "crashed" for row in found)
    return counts


def finish(folder, structures, counts):
    """Continue to the end; compare with a search that nothing has disturbed."""
    process = start(folder, structures, "end")
    _, error = process.communicate(timeout=600)
    counts["errors"] += process.returncode != 0
    if process.returncode:
        print(error.decode()[-2000:], file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        other = Path(name) / "run"
        start(other, structures, "other").communicate(timeout=600)
        ours, theirs = rows(folder), rows(other)
    common = min(len(ours), len(theirs))
    counts["records"] = len(ours)
    counts["different"] = sum(a != b for a, b in zip(ours[:common], theirs[:common], strict=True))
    counts["failed"] = sum(row[3] == "failed" and row[4] == "crashed" for row in ours)
    return counts


if __name__ == "__main__":
    drill = {"driver": kill_drivers, "worker": kill_workers}[sys.argv[1]]
    with tempfile.TemporaryDirectory() as where:
        print(json.dumps(drill(Path(where) / "run", int(sys.argv[2]))))
