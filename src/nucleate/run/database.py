"""One edge for what SQLite raises: waiting for those who read, sentences instead of tracebacks."""

from __future__ import annotations

import sqlite3
import time
import warnings
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.text import label
from nucleate.trouble import FULL, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from typing import Any

BUSY_TIMEOUT_S = 0.5
"""SQLite waits this long by itself; signals are answered between its attempts."""

PATIENCE_S = 600.0
"""How long one who reads may keep the writer waiting."""

WORDS_AFTER_S = 30.0


class Database:
    """A connection whose writing waits for readers, and whose errors are of this package.

    Parameters
    ----------
    path
        The file.
    mode
        ``rw`` or ``rwc``.
    """

    def __init__(self, path: Path, *, mode: str) -> None:
        self.path = path
        uri = f"{path.resolve().as_uri()}?mode={mode}"
        self._db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        self._db.execute("PRAGMA synchronous = FULL")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Execute a statement; raises MachineError or InputError for what SQLite raises."""
        return self._patiently(lambda: self._db.execute(statement, values))

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each of some rows."""
        listed = list(rows)
        self._patiently(lambda: self._db.executemany(statement, listed))

    def executescript(self, script: str) -> None:
        """Execute several statements."""
        self._patiently(lambda: self._db.executescript(script))

    def commit(self) -> None:
        """Make everything permanent."""
        self._patiently(self._db.commit)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _patiently(self, action: Callable[[], Any]) -> Any:
        started = time.monotonic()
        warned = False
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - started
                if not _is_busy(error) or waited > PATIENCE_S:
                    raise self._of_this_package(error) from error
                if waited > WORDS_AFTER_S and not warned:
                    warned = True
                    warnings.warn(f"{self.path} is in use by another program", stacklevel=4)
                time.sleep(0.02)
            except sqlite3.Error as error:
                raise self._of_this_package(error) from error

    def _of_this_package(self, error: sqlite3.Error) -> MachineError | InputError:
        if "full" in str(error):
            return MachineError(
                f"{self.path} cannot be written: {FULL}. Nothing that was written is lost; make "
                "room, and the same command continues."
            )
        if isinstance(error, sqlite3.OperationalError) and not _is_of_content(error):
            return MachineError(
                f"{self.path} cannot be used now ({label(error)}). Nothing that was written is "
                "lost; the same command continues."
            )
        return InputError(
            f"{self.path} cannot be read as the store of a run ({label(error)}). Put a copy of it "
            "there, or choose another folder."
        )


def _is_busy(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _is_of_content(error: sqlite3.Error) -> bool:
    return any(word in str(error) for word in ("no such", "syntax", "malformed", "has no column"))
