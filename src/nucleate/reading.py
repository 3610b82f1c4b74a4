"""One guard at the edge of each reader: whatever a damaged file raises is one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from nucleate.errors import InputError, NucleateError
from nucleate.text import clean
from nucleate.trouble import machine_trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Item = TypeVar("Item")
LONGEST_REASON = 200


@contextmanager
def guarded(what: str, remedy: str) -> Iterator[None]:
    """Turn what is raised inside into an InputError; errors of nucleate and the machine pass.

    Parameters
    ----------
    what
        The file and its key, for the beginning of the sentence.
    remedy
        What to do, a sentence.

    Raises
    ------
    InputError
        If the file is damaged or needs more memory than there is.
    """
    try:
        yield
    except (NucleateError, ImportError):
        raise
    except Exception as error:
        if machine_trouble(error):
            raise
        words = clean(str(error)).strip().partition("\n")[0][:LONGEST_REASON]
        raise InputError(
            f"{what} cannot be read ({words or type(error).__name__}). {remedy}"
        ) from error


def guarded_rows(rows: Iterable[Item], what: str, remedy: str) -> Iterator[Item]:
    """Yield rows that are read one by one, each under :func:`guarded`."""
    with guarded(what, remedy):
        iterator = iter(rows)
    while True:
        with guarded(what, remedy):
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


def database_rows(path: Path) -> Iterator[Any]:
    """Yield the rows of an ASE database; nothing is written into a file that is none.

    Raises
    ------
    InputError
        If the file is no ASE database.
    """
    import sqlite3
    from contextlib import closing

    from ase.db import connect

    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM sqlite_master WHERE name = 'systems' AND type = 'table'"
        if not database.execute(query).fetchone()[0]:
            raise InputError(f"{path} is not a database of ASE. Check what the file is.")
    yield from connect(path).select()
