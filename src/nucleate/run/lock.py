"""One driver for a run folder at a time."""

from __future__ import annotations

import errno
import os
import platform
import warnings
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.writing import refuse_link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

LOCK_NAME = "run.lock"
HOLDER_NAME = "run.holder"
"""File that says which process holds the lock."""

TICK = ", start tick "
"""Precedes what tells the process from a later one of the same number."""

_CANNOT_LOCK = tuple(
    getattr(errno, name) for name in ("ENOSYS", "ENOLCK", "ENOTSUP", "EOPNOTSUPP", "EINVAL")
)
"""Errors of file systems (Lustre, NFS, FUSE) that have no locks."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder, which is created if necessary, for one driver.

    The lock goes with the process, however it ends. On a file system that cannot lock, a file
    stands for the lock.

    Raises
    ------
    InputError
        If another driver holds it, or the folder cannot be written.
    """
    from filelock import Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (LOCK_NAME, f"{LOCK_NAME}.soft", HOLDER_NAME):
            refuse_link(folder / name)
        lock = _acquired(folder)
        (folder / HOLDER_NAME).write_text(_own_name(), encoding="utf-8")
    except Timeout:
        raise InputError(
            f"{folder} is in use by another run ({_shown(_holder(folder))}). Wait for its end, or "
            "choose another folder with --out."
        ) from None
    except OSError as error:
        raise InputError(
            f"{folder}: the run folder cannot be written ({error.strerror}). Choose another one "
            "with --out."
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER_NAME).unlink()
        lock.release()


def is_locked(folder: Path) -> bool:
    """Return whether a driver is using the folder now.

    The lock itself is tried only if the process that says it holds it is on another machine: a
    reader must never stand in the way of a driver that starts.
    """
    holder = _holder(folder)
    if not holder or _is_gone(holder):
        return False
    return _is_alive_here(holder) or _lock_is_held(folder)


def _lock_is_held(folder: Path) -> bool:
    """Try the lock of a holder of another machine, of which nothing else can be known."""
    from filelock import FileLock, Timeout

    path = folder / LOCK_NAME
    if path.is_symlink():
        return True
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return True


def _acquired(folder: Path) -> BaseFileLock:
    from filelock import FileLock, SoftFileLock, Timeout

    lock: BaseFileLock = FileLock(folder / LOCK_NAME, timeout=0)
    try:
        lock.acquire()
    except (NotImplementedError, OSError) as error:
        if isinstance(error, Timeout) or (
            isinstance(error, OSError) and error.errno not in _CANNOT_LOCK
        ):
            raise
        warnings.warn(
            f"{folder}: the file system cannot lock files; do not start a second run there",
            stacklevel=4,
        )
        soft = folder / f"{LOCK_NAME}.soft"
        if _is_gone(_holder(folder)):
            soft.unlink(missing_ok=True)
        lock = SoftFileLock(soft, timeout=0)
        lock.acquire()
    return lock


def _own_name() -> str:
    began = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    name = f"process {os.getpid()} on {platform.node()} since {began}"
    ticks = start_time(os.getpid())
    return f"{name}{TICK}{ticks}\n" if ticks else f"{name}\n"


def _shown(holder: str) -> str:
    """Return a holder as a message names it."""
    words = holder.partition(TICK)[0].split()
    if len(words) == 6 and words[5].isdigit():
        words = words[:4]  # a version that wrote no date
    return " ".join(words) or "unknown process"


def _holder(folder: Path) -> str:
    try:
        return (folder / HOLDER_NAME).read_text(encoding="utf-8", errors="replace")[:200].strip()
    except OSError:
        return ""


def _is_alive_here(holder: str) -> bool:
    """Return whether a holder is a running process of this machine and a driver."""
    return _process_here(holder) is not None and not _is_gone(holder)


def _process_here(holder: str) -> int | None:
    words = holder.split()
    if len(words) < 4 or words[3] != platform.node() or not words[1].isdigit():
        return None
    return int(words[1]) if os.name == "posix" else None


def start_time(pid: int) -> str:
    """Return when a process started, in ticks of the system; empty where it does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""


def _is_gone(holder: str) -> bool:
    """Return whether a holder is known to be dead; one of another machine never is."""
    pid = _process_here(holder)
    if pid is None:
        return False
    words = holder.split()
    return process_is_gone(pid, words[-1] if len(words) >= 6 and words[-1].isdigit() else "")


def process_is_gone(pid: int, started: str) -> bool:
    """Return whether a process of this machine is known to be dead.

    Parameters
    ----------
    pid
        Its number.
    started
        Its :func:`start_time`; empty where it is not known.
    """
    if os.name != "posix":
        return False
    now = start_time(pid)
    if started and now and started != now:
        return True  # its number belongs to another process now
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
