"""One external command in a scratch folder of its own, ended with all its children.

Nothing here changes the working folder of this process or uses a fixed name in a shared folder.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate import processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUPERVISOR = Path(__file__).with_name("supervise.py")
LONGEST_S = 1e7
TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended.

    Attributes
    ----------
    status : int or None
        Exit status; negative for a signal, None if it was ended at the limit or never started.
    timed_out : bool
        Whether it was ended at the wall limit.
    error : str
        Why it could not be started, empty if it was.
    wall_s : float
        Seconds that it ran.
    """

    status: int | None = None
    timed_out: bool = False
    error: str = ""
    wall_s: float = 0.0


class ExternalProcess:
    """A command that runs in its own session under a supervisor.

    The supervisor outlives this process if that is killed: it then ends the command with its
    descendants and removes the scratch folder.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Where it runs.
    scratch
        What the supervisor removes if this process dies; default: the folder.
    wall_s
        Seconds after which it is ended; None for no limit.
    environment
        Variables in addition to those of this process.
    output
        File of the folder that takes standard output and standard error.
    stdin
        File of the folder for standard input, if any.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        scratch: Path | None = None,
        wall_s: float | None = None,
        environment: Mapping[str, str] | None = None,
        output: str = "output",
        stdin: str | None = None,
    ) -> None:
        spec = {
            "command": list(command),
            "scratch": str(scratch or folder),
            "wall_s": LONGEST_S if wall_s is None else wall_s,
            "output": output,
            "input": stdin,
            "environment": dict(environment or {}),
        }
        self._started = time.monotonic()
        self._received = b""
        self._supervisor = processes.spawn(
            [sys.executable, "-I", "-S", str(SUPERVISOR)], stderr=subprocess.DEVNULL, folder=folder
        )
        processes.write(self._supervisor, json.dumps(spec).encode() + b"\n")

    def ended(self, timeout_s: float) -> Ending | None:
        """Return how it ended, waiting at most ``timeout_s`` seconds; None while it runs."""
        assert self._supervisor.stdout is not None
        stream = self._supervisor.stdout.fileno()
        limit = time.monotonic() + timeout_s
        while select.select([stream], [], [], max(limit - time.monotonic(), 0.0))[0]:
            chunk = os.read(stream, 65536)
            self._received += chunk
            if not chunk:
                return self._ending()
        return None

    def kill(self) -> None:
        """End the command and its descendants; the supervisor removes the scratch folder."""
        processes.close(self._supervisor)

    def _ending(self) -> Ending:
        processes.close(self._supervisor)
        wall_s = time.monotonic() - self._started
        try:
            report = json.loads(self._received)
        except ValueError:
            return Ending(status=self._supervisor.returncode or 1, wall_s=wall_s)
        return Ending(**{"wall_s": wall_s, **report})


def run_command(
    command: Sequence[str],
    folder: Path,
    *,
    wall_s: float,
    environment: Mapping[str, str] | None = None,
) -> Ending:
    """Run a command to its end, or to the wall limit; its output is the file ``output``."""
    process = ExternalProcess(command, folder, wall_s=wall_s, environment=environment)
    ending = process.ended(LONGEST_S)
    assert ending is not None
    return ending


def tail(*paths: Path) -> str:
    """Return the end of the last of the files that holds anything, in at most 2000 bytes."""
    for path in reversed(paths):
        with suppress(OSError), path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
            text = file.read().decode(errors="replace").strip()
            if text:
                return "".join(c for c in text if c.isprintable() or c in "\n\t")
    return ""
