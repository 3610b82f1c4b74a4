"""Ends what an executor has started on this machine and in its queue when its driver is gone.

Started as ``python -m nucleate.run.remote.guard MARK COMMAND`` with a pipe from the driver: a line
is the numbers of the jobs that are in the queue now. When the pipe ends without the line ``end``,
the driver was killed: jobs are cancelled by the command, and then every process that inherited the
mark is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

VARIABLE = "NUCLEATE_EXECUTOR"
"""Variable that every process below an executor inherits."""

LIMIT_S = 60.0


class Guard:
    """The driver's end of the pipe.

    Parameters
    ----------
    mark
        Value of :data:`VARIABLE` in what is started.
    cancel
        Command that takes numbers of jobs; empty where there are none.
    """

    def __init__(self, mark: str, cancel: str = "") -> None:
        command = [sys.executable, "-P", "-m", "nucleate.run.remote.guard", mark, cancel]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._last = ""

    def tell(self, line: str) -> None:
        """Send a line, unless it is the same as before."""
        if line != self._last and self._process.stdin is not None:
            self._last = line
            with suppress(OSError, ValueError):
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def end(self) -> None:
        """Say that all jobs are cancelled; what is left of the processes is ended."""
        self.tell("end")
        with suppress(OSError, subprocess.TimeoutExpired):
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.wait(timeout=LIMIT_S)


def end_all(mark: str) -> int:
    """End every process of this machine that inherited a mark; return how many there were."""
    wanted = f"{VARIABLE}={mark}".encode()
    count = 0
    for folder in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)
                    count += 1
    return count


def main() -> None:
    """Wait for the end of the driver, then clear up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark, cancel = sys.argv[1:3]
    last = ""
    for line in sys.stdin:
        last = line.strip()
    if last not in ("", "end") and cancel:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run([*cancel.split(), *last.split()], timeout=LIMIT_S, check=False)
    end_all(mark)


if __name__ == "__main__":
    main()
