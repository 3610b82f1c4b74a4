"""What a worker does so that it can hurt neither its driver nor the machine.

Everything here is left out quietly where the system does not have it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

MARK = "NUCLEATE_WORKER"
"""Variable that every process below a worker inherits: by it they are found when it is gone."""

MEMORY = "NUCLEATE_MEMORY_MB"
"""Variable with the memory limit of a worker in MB."""

_PR_SET_PDEATHSIG = 1


def take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the standard streams for messages, and put harmless ones in their place.

    What a library or a program below reads from standard input is empty; what it prints goes to
    standard error. Returns the streams from and to the driver.
    """
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if null > 2:
        os.close(null)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return source, target


def end_with_parent() -> None:
    """Ask the system to end this process when its parent ends (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit_memory() -> None:
    """Keep to the memory that the driver allows: what needs more raises MemoryError."""
    megabytes = os.environ.get(MEMORY, "")
    if not megabytes.isdigit():
        return
    with suppress(ImportError, OSError, ValueError):
        import resource

        wanted = int(megabytes) << 20
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def memory_of_machine_mb() -> int | None:
    """Return the memory that this process may use in MB: of the machine, or of its group."""
    found = []
    with suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path(name).read_text()))
    sizes = [size for size in found if size > 0]
    return min(sizes) >> 20 if sizes else None


def end_marked(mark: str) -> int:
    """End every process that inherited a worker's mark, whatever session it is in (Linux).

    Returns how many there were.
    """
    wanted = f"{MARK}={mark}".encode()
    count = 0
    with suppress(OSError):
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)
                    count += 1
    return count


def is_stopped(pid: int) -> bool:
    """Return whether a process has been suspended (Linux; False elsewhere)."""
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return text.rsplit(")", 1)[1].split()[0] in ("T", "t")
    return False
