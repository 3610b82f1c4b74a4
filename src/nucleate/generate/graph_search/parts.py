"""The sizes of a pool that are finished, kept on the disk until all of them are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.generate.pool_files import read_pool, write_pool

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.generate.pool import Member


class Parts:
    """One file for each finished number of formula units, beside the file of the whole pool.

    Parameters
    ----------
    pool
        The file of the whole pool; None keeps nothing.
    """

    def __init__(self, pool: Path | None = None) -> None:
        self._pool = pool

    def read(self, units: int) -> list[Member] | None:
        """Return the members of a size, None where it has to be searched."""
        file = self._file(units)
        return read_pool(file) if file is not None and file.is_file() else None

    def keep(self, units: int, members: list[Member]) -> list[Member]:
        """Write the members of a size down; return them as they will be read after an interruption.

        Files have fewer digits than what was written.
        """
        file = self._file(units)
        if file is None or not members:
            return members
        write_pool(file, members, name=f"size-{units}")
        return read_pool(file)

    def clear(self, sizes: tuple[int, ...]) -> None:
        """Remove the files of all sizes."""
        for units in sizes:
            file = self._file(units)
            if file is not None:
                file.unlink(missing_ok=True)

    def _file(self, units: int) -> Path | None:
        pool = self._pool
        return None if pool is None else pool.with_name(f"{pool.stem}-size-{units}{pool.suffix}")
