"""Compiled code on the disk that is older than the source code that it was made from.

Numba keeps compiled functions beside their source files and compiles one again when *its own* file
has changed. A function that calls another one, in another file, holds the code of that one too, and
would continue to compute with what it was. Therefore all compiled functions that are older than the
newest source file of any of them are forgotten when the package is imported. A package installed by
pip has new times everywhere; this is for sources that an editor or git changes.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

INDEX = ".nbi"
"""Ending of numba's list of what is compiled of one function; without it all is compiled again."""

CACHE = "__pycache__"


def forget_outdated(folder: str) -> int:
    """Remove the lists of compiled functions in a package that its sources may contradict.

    Parameters
    ----------
    folder
        The folder of the package.

    Returns
    -------
    int
        How many were removed; 0 where the folder cannot be written.
    """
    lists: list[os.DirEntry[str]] = []
    newest, now = 0, time.time_ns()
    for path, caches in _caches(folder):
        mine = [entry for entry in caches if entry.name.endswith(INDEX)]
        for module in {entry.name.partition(".")[0] for entry in mine}:
            with suppress(OSError):
                changed = os.stat(f"{path}{os.sep}{module}.py").st_mtime_ns  # noqa: PTH116
                newest = max(newest, changed if changed <= now else 0)
        lists += mine
    removed = 0
    for entry in lists:
        with suppress(OSError):
            if entry.stat().st_mtime_ns < newest:
                os.unlink(entry.path)  # noqa: PTH108
                removed += 1
    return removed


def _caches(folder: str) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Yield the folders of a package with what is in their folders of compiled code."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == CACHE:
                with suppress(OSError), os.scandir(entry.path) as caches:
                    yield folder, list(caches)
            elif "." not in entry.name and entry.is_dir(follow_symlinks=False):
                yield from _caches(entry.path)
