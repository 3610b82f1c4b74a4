"""Files that are whole or absent: written under another name, then renamed.

A file that is replaced so is never half written, whatever kills the process. A link that stands in
its place is replaced, not followed.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

UNFINISHED = ".unfinished-"
"""Beginning of the names of folders that hold what is being written."""


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Give a new folder to write into; what is in it at the end takes its place in ``folder``.

    Subfolders are merged, files replaced. Nothing is changed if an error ends the block.

    Parameters
    ----------
    folder
        Where the files are to be; created if necessary.

    Raises
    ------
    InputError
        If the folder cannot be written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=UNFINISHED, dir=folder, ignore_cleanup_errors=True
        ) as name:
            yield Path(name)
            _move(Path(name), folder)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror or error}). Make room there, or choose "
            "another folder with --out."
        ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name to write to; the file takes the place of ``path`` at the end."""
    with whole_files(path.parent) as folder:
        yield folder / path.name


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left behind in a folder."""
    for path in folder.glob(f"{UNFINISHED}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def refuse_link(path: Path) -> None:
    """Refuse a name that stands for another place.

    Raises
    ------
    InputError
        If the path is a symbolic link.
    """
    if path.is_symlink():
        raise InputError(
            f"{path} is a link to {str(path.readlink())!r}; nucleate does not write through it. "
            "Remove it, or choose another folder with --out."
        )


def _move(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        place = target / path.name
        if path.is_dir():
            refuse_link(place)
            place.mkdir(exist_ok=True)
            _move(path, place)
        else:
            path.replace(place)
