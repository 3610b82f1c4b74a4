"""Temporary run folders, and those that killed processes left behind."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from nucleate.run.lock import is_locked

_NAME = re.compile(r"nucleate-(\d+)-\w+")

OLD_S = 60.0
"""Younger folders are left alone."""


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a new temporary run folder; those of killed processes are removed."""
    remove_leftovers(Path(tempfile.gettempdir()))
    return tempfile.TemporaryDirectory(prefix=f"nucleate-{os.getpid()}-")


def remove_leftovers(place: Path) -> list[Path]:
    """Remove the temporary run folders of this user whose processes have ended.

    The number of the process is in the name; the lock of the folder is asked too, since a process
    of another container has a number that is unknown here.
    """
    removed = []
    with suppress(OSError):
        for folder in place.iterdir():
            match = _NAME.fullmatch(folder.name)
            if match and _is_left(folder, int(match[1])):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
    return removed


def _is_left(folder: Path, process: int) -> bool:
    with suppress(OSError):
        facts = folder.lstat()
        is_mine = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
        if not is_mine or folder.is_symlink() or not folder.is_dir():
            return False
        return time.time() - facts.st_mtime > OLD_S and not (
            _is_alive(process) or is_locked(folder)
        )
    return False


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return True  # asking would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
