"""The machine's trouble is not the structure's: full disks and the like end the run instead."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

from nucleate.errors import NucleateError

OF_THE_MACHINE: Final = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ENFILE", "EMFILE", "ESTALE")
    if hasattr(errno, name)
)
"""Errors of the system that say nothing about the crystal that was computed."""

OF_STARTS: Final = frozenset({errno.EAGAIN, errno.ENOMEM})
"""Errors with which a system refuses to start a process."""

FULL = "No space left on device"


class MachineError(NucleateError):
    """The machine cannot continue, for example as the disk is full; the store stays whole."""


def start_trouble(error: BaseException) -> str:
    """Return why the machine starts no more processes or threads, and the remedy, or nothing.

    Parameters
    ----------
    error
        What starting a process (`OSError`) or a thread (`RuntimeError`) raised.
    """
    is_thread = isinstance(error, RuntimeError) and "start new thread" in str(error)
    if not is_thread and not (isinstance(error, OSError) and error.errno in OF_STARTS):
        return ""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return (
        f"The machine allows no more processes or threads ({reason}). Use fewer --workers, end "
        "other programs of yours, or ask for a higher limit (ulimit -u; on a cluster, more tasks "
        "or memory)."
    )


def machine_trouble(error: BaseException | None) -> str:
    """Return what of the machine made an error, in one sentence; empty if nothing did.

    Parameters
    ----------
    error
        The error; those that caused it are looked at too.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MachineError):
            return str(error)
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            place = f" ({error.filename})" if error.filename else ""
            return f"{error.strerror}{place}"
        if isinstance(error, sqlite3.Error) and "full" in str(error):
            return FULL
        error = error.__cause__ or error.__context__
    return ""
