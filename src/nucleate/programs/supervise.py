"""Run one command and leave nothing behind: a script of the standard library only.

:mod:`nucleate.programs.process` starts it in a session of its own, and writes a line to its
standard input: a JSON object that says what to run. It runs the command in another session, ends
the command with all its descendants when the time is up, and prints a JSON object that says how it
ended. Its standard input is the life line: when that closes, because the caller gave up or died,
it ends the command and removes the scratch folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 10.0
GAP_S = 5.0


def main() -> None:
    """Run the command that standard input names and report on standard output."""
    spec = json.loads(_first_line())
    _adopt_orphans()
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, lambda *_: None)
    started = time.monotonic()
    try:
        child = _start(spec)
    except OSError as error:
        _report(error=error.strerror or str(error))
        return
    status, timed_out, abandoned = _watch(child, wake, started + spec["wall_s"])
    _end_all(child)
    if abandoned:
        shutil.rmtree(spec["scratch"], ignore_errors=True)
        return
    _report(status=status, timed_out=timed_out, wall_s=time.monotonic() - started)


def _first_line() -> bytes:
    """Read a line and nothing behind it, past all buffers: the rest is the life line."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 65536)
        if not chunk:
            sys.exit(1)
        line += chunk
    return line


def _start(spec: dict) -> subprocess.Popen:
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open(spec["output"], "wb"))  # noqa: PTH123
        source = subprocess.DEVNULL
        if spec["input"]:
            source = stack.enter_context(open(spec["input"], "rb"))  # noqa: PTH123
        return subprocess.Popen(
            spec["command"],
            stdin=source,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **spec["environment"]},
            start_new_session=True,
        )


def _watch(child: subprocess.Popen, wake: int, deadline: float) -> tuple[int | None, bool, bool]:
    """Return the exit status, whether the time was up, and whether the caller is gone."""
    while child.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0.0:
            return None, True, False
        before, patience = time.monotonic(), min(left, 1.0)
        ready, _, _ = select.select([0, wake], [], [], patience)
        late = time.monotonic() - before - patience
        if late > GAP_S:
            deadline += late  # the job was suspended
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready and not os.read(0, 4096):
            return None, False, True
    return child.returncode, False, False


def _end_all(child: subprocess.Popen) -> None:
    """End the command's process group and every descendant, also those that left the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE_S)
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        alive = _descendants()
        if not alive:
            return
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _descendants() -> list[int]:
    """Return the processes below this one; none where the system has no ``/proc``."""
    parents: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208
            if name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    with open(f"/proc/{name}/stat", errors="replace") as file:  # noqa: PTH123
                        parent = int(file.read().rsplit(")", 1)[1].split()[1])
                    parents.setdefault(parent, []).append(int(name))
    found, queue = [], [os.getpid()]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _adopt_orphans() -> None:
    """Make orphaned descendants children of this process (Linux)."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _report(**values: object) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(values), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
