"""Signals at random moments of every command that computes: answered within 2 s, twice at once.

As a script: ``python -m tests.cli.test_signal_drill 10`` prints counts and the longest answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

MAIN = "from nucleate.cli import main; main()"
POSCAR = "x\n1.0\n4.2 0 0\n0 4.2 0\n0 0 4.2\nMg O\n1 1\nDirect\n0 0 0\n0.4 0.5 0.5\n"
LIMIT_S = 2.0
EXPORT_S = 6.0
"""More for a run loop: what was found is exported after it has stopped."""

SEARCH = ("predict", "CaTiO3", "--max-atoms", "20", "--tier", "spp", "--workers", "1")
COMMANDS = {
    "predict": (*SEARCH, "--out", "run"),
    "predict blocks": (*SEARCH, "--generator", "blocks", "--out", "run"),
    "relax": ("relax", "in", "--tier", "spp", "--workers", "1", "--out", "relaxed"),
    "generate": ("generate", "CaTiO3", "--number", "5000", "--out", "made.extxyz"),
    "check": ("check", "CaTiO3"),
    "identify": ("identify", "in"),
    "benchmark": ("benchmark", "run", "--tier", "spp", "--out", "bench"),
}


def prepare(folder):
    """Write what the commands need."""
    (folder / "in").mkdir()
    for number in range(200):
        (folder / "in" / f"{number}.vasp").write_text(POSCAR)


def _take_signals():
    """Undo what `nohup` and shells do to programs in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def answer(words, folder, number, delay_s, *, twice=False):
    """Return seconds from the signal to the end, and status; None if it had ended before."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        text=True,
        preexec_fn=_take_signals,
    )
    time.sleep(delay_s)
    if process.poll() is not None:
        process.communicate()
        return None
    process.send_signal(number)
    if twice:
        time.sleep(0.1)
        process.send_signal(number)
    began = time.monotonic()
    try:
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert delay_s < 1.0 or "Traceback" not in error, error[-2000:]
    return time.monotonic() - began, process.returncode


def drill(rounds, *, seed=0, end=None):
    """Return counts of answers by command, the late ones and the longest time."""
    rng = np.random.default_rng(seed)
    counts = {}
    for turn in range(rounds):
        for name, words in COMMANDS.items():
            if end is not None and time.time() > end:
                return counts
            twice = bool(turn % 2)
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where:
                prepare(Path(where))
                number = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP][turn % 3]
                found = answer(words, where, number, float(rng.uniform(0.5, 8.0)), twice=twice)
            row = counts.setdefault(name, {"answered": 0, "over": 0, "late": 0, "longest": 0.0})
            if found is None:
                row["over"] += 1
                continue
            row["answered"] += 1
            limit = LIMIT_S if twice or not name.startswith("predict") else EXPORT_S
            row["late"] += found[0] > limit
            row["longest"] = max(row["longest"], round(found[0], 2))
    return counts


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_every_command_answers_signals():
    counts = drill(2)
    assert sum(row["answered"] for row in counts.values()) > 5
    assert not any(row["late"] for row in counts.values()), counts


if __name__ == "__main__":
    last = time.time() + float(sys.argv[2]) if len(sys.argv) > 2 else None
    print(json.dumps(drill(int(sys.argv[1]), end=last), indent=1))
