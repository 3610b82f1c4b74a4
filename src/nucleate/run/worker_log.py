"""What a worker writes to standard error: kept to a size, and gone with it unless it has a name."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from nucleate.writing import refuse_link

if TYPE_CHECKING:
    from pathlib import Path

SHOWN_BYTES = 3000
LONGEST_BYTES = 1 << 20


class WorkerLog:
    """A file that a process appends to.

    Parameters
    ----------
    path
        Its name, replaced if it exists; None for a file without a name, which no crash can leave
        behind.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is None:
            self.stream: IO[bytes] = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        else:
            refuse_link(path.parent)
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            self.stream = path.open("x+b")
        self._append_only()

    def cap(self) -> None:
        """Drop what was written if it is more than a megabyte."""
        with suppress(OSError, ValueError):
            if os.fstat(self.stream.fileno()).st_size > LONGEST_BYTES:
                self.stream.truncate(0)

    def end(self) -> str:
        """Return the end of what was written."""
        with suppress(OSError, ValueError):
            number = self.stream.fileno()
            size = os.fstat(number).st_size
            start = max(size - SHOWN_BYTES, 0)
            self.stream.seek(start)
            return self.stream.read(SHOWN_BYTES).decode(errors="replace").strip()
        return ""

    def close(self) -> None:
        """Close it; an empty one is removed."""
        with suppress(OSError, ValueError):
            is_empty = os.fstat(self.stream.fileno()).st_size == 0
            self.stream.close()
            if is_empty and self._path is not None:
                self._path.unlink(missing_ok=True)

    def _append_only(self) -> None:
        """Let all who have it open write to its end, wherever that is after :meth:`cap`."""
        with suppress(ImportError, OSError):
            import fcntl

            number = self.stream.fileno()
            flags = fcntl.fcntl(number, fcntl.F_GETFL)
            fcntl.fcntl(number, fcntl.F_SETFL, flags | os.O_APPEND)
