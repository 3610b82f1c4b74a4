"""A manager of a node whose process was killed is ended, and one that ends by itself is left be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).resolve().parent

MANAGER = """
import multiprocessing, sys, time
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=time.sleep, args=(float(sys.argv[1]),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    print("ready", flush=True)
    for worker in workers:
        worker.join()
    time.sleep(float(sys.argv[2]))
    sys.exit(7)
"""


def start(folder: Path, lasts_s: float, stays_s: float) -> subprocess.Popen[bytes]:
    (folder / "stand_in.py").write_text(MANAGER)
    code = (
        "import sys; from nucleate.run.remote import manager as m; m.LOOK_S, m.GRACE_S = 0.2, 2.0; "
        "sys.exit(m.main(sys.argv[1:], 'stand_in'))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(lasts_s), str(stays_s)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{folder}"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found by their command lines")
def test_a_manager_with_a_killed_process_is_ended(tmp_path: Path) -> None:
    process = start(tmp_path, 100.0, 0.0)
    time.sleep(1.0)
    family = below(process)
    worker = next(p for p in family if "spawn_main" in " ".join(p.cmdline()))
    worker.kill()
    _, error = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"was killed" in error
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found by their command lines")
def test_a_manager_that_ends_by_itself_keeps_its_status(tmp_path: Path) -> None:
    process = start(tmp_path, 1.0, 0.5)
    process.communicate(timeout=30)
    assert process.returncode == 7


def test_signals_reach_the_manager(tmp_path: Path) -> None:
    process = start(tmp_path, 100.0, 0.0)
    family = below(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    for left in family:  # real ones end when their manager does
        with suppress(psutil.Error):
            left.kill()
