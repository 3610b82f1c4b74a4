"""Starting and ending child processes: the part that workers and external programs share.

A child is the leader of a session of its own where the system has sessions, so that it can be
ended together with everything it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, cast

from nucleate.trouble import MachineError, start_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HAS_SESSIONS = hasattr(os, "killpg") and hasattr(os, "setsid")


def spawn(
    command: Sequence[str],
    *,
    stderr: int | IO[bytes],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child with pipes for standard input and output.

    Parameters
    ----------
    command
        Program and arguments.
    stderr
        Where standard error goes: a file or ``subprocess.DEVNULL``.
    folder
        Where it runs; default: here.
    environment
        All of its variables; default: those of this process.
    """
    options: dict[str, Any] = {"start_new_session": True} if HAS_SESSIONS else {}
    with starting():
        child = subprocess.Popen(
            list(command),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=None if environment is None else dict(environment),
            **options,
        )
    return cast("subprocess.Popen[bytes]", child)


@contextmanager
def starting() -> Iterator[None]:
    """Turn the machine's refusal to start one more process into a sentence with the remedy.

    Raises
    ------
    MachineError
        If a limit on processes or memory is reached.
    """
    try:
        yield
    except OSError as error:
        if trouble := start_trouble(error):
            raise MachineError(trouble) from error
        raise


def write(child: subprocess.Popen[bytes], data: bytes) -> None:
    """Write to the standard input of a child; that it is gone is noticed where it is read from."""
    assert child.stdin is not None
    with suppress(BrokenPipeError, OSError):
        child.stdin.write(data)
        child.stdin.flush()


def end(child: subprocess.Popen[bytes]) -> int:
    """End a child and what it started; return its exit status."""
    with suppress(ProcessLookupError, PermissionError):
        if HAS_SESSIONS:
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    return close(child)


def close(child: subprocess.Popen[bytes]) -> int:
    """Close the pipes of a child, wait for its end and return its exit status."""
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with suppress(BrokenPipeError, OSError):
                stream.close()
    return child.wait()


def end_own_group() -> None:
    """End this process with everything in its group."""
    if HAS_SESSIONS:
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def describe_exit(status: int) -> str:
    """Return an exit status in words."""
    if status < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else (os.cpu_count() or 1)
