"""Starts Parsl's manager of a node, and ends it when one of its processes was killed.

The processes of a manager share queues with locks. One that is killed while it waits for a task
never gives the lock back. Those started in its place wait too, the manager seems to be well, and
the tasks of the node never come back. When the manager is ended, the driver hears of the loss and
asks for another block.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from nucleate.run.isolation import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil

WORKERS = "parsl.executors.high_throughput.process_worker_pool"
LOOK_S = 2.0

GRACE_S = 10.0
"""Seconds that a manager has to end by itself when its processes do."""


def main(arguments: Sequence[str], module: str = WORKERS) -> int:
    """Run a manager to its end; return its exit status, 1 if it had to be ended."""
    command = [sys.executable, "-m", module, *arguments]
    manager = subprocess.Popen(command, preexec_fn=end_with_parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: manager.send_signal(received))
    known: set[tuple[int, float]] = set()
    missing_since: float | None = None
    while (status := _status(manager)) is None:
        alive = _processes(manager.pid)
        if missing_since is None and known - alive:
            missing_since = time.monotonic()
        known |= alive
        if missing_since is not None and time.monotonic() - missing_since > GRACE_S:
            sys.stderr.write("a process of this node was killed, and its queue with it\n")
            _end(manager)
            return 1
    return status if status >= 0 else 128 - status


def _status(manager: subprocess.Popen[bytes]) -> int | None:
    try:
        return manager.wait(timeout=LOOK_S)
    except subprocess.TimeoutExpired:
        return None


def _processes(pid: int) -> set[tuple[int, float]]:
    """Return number and beginning of the processes of a manager that take tasks."""
    import psutil

    found: set[tuple[int, float]] = set()
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            with suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE and _takes_tasks(child):
                    found.add((child.pid, child.create_time()))
    return found


def _takes_tasks(child: psutil.Process) -> bool:
    line = " ".join(child.cmdline())
    return "multiprocessing" in line and "resource_tracker" not in line


def _end(manager: subprocess.Popen[bytes]) -> None:
    import psutil

    below: list[psutil.Process] = []
    with suppress(psutil.Error):
        below = psutil.Process(manager.pid).children(recursive=True)
    manager.kill()
    for process in below:
        with suppress(psutil.Error):
            process.kill()
    manager.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
