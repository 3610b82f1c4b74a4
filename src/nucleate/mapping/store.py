"""What a map keeps besides the runs of its compositions: its input and what it did when."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nucleate.errors import InputError
from nucleate.run.database import Database
from nucleate.run.folder import check_same_input, now, surroundings
from nucleate.run.new_keys import with_new_keys
from nucleate.run.trust import own_mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nucleate.mapping.settings import MapSettings

STORE_NAME = "map.db"
VERSION = 1

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    elapsed_s REAL NOT NULL,
    core_s REAL NOT NULL,
    kind TEXT NOT NULL,
    formula TEXT,
    data TEXT NOT NULL
);
"""

MAY_CHANGE = ("stop", "run", "executor", "final", "allocation")
"""Sections of the input that may differ when a map is continued."""

MAY_CHANGE_OF_FIELD = (
    "windows", "lines", "points", "max_ratio", "max_atoms_per_formula", "references", "polymorphs",
    "known_elements",
)  # fmt: skip
"""Keys of ``[field]`` that may differ: compositions and known structures come or are left alone,
none is changed."""


class MapStore:
    """The store of a map: open it with :meth:`open` (the driver) or :meth:`read`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    def exists(cls, folder: str | Path) -> bool:
        """Return whether a folder holds a map."""
        return (Path(folder) / STORE_NAME).exists()

    @classmethod
    def open(cls, folder: Path, settings: MapSettings) -> MapStore:
        """Open the store of a new map, or of the one that the folder holds.

        Raises
        ------
        InputError
            If the folder holds a map of another input; the message lists the differences.
        """
        if not cls.exists(folder):
            return cls._create(folder, settings)
        store = cls.read(folder)
        old, new = store.check_same(folder, settings), settings.to_dict()
        if old != new:
            store.remember("input", new)
            store.remember("mark", own_mark(new))
        return store

    def check_same(self, folder: Path, settings: MapSettings) -> dict[str, Any]:
        """Return the stored input; raises InputError if it is of another map than the settings."""
        old, new = with_new_keys(self.meta["input"], settings), settings.to_dict()
        check_same_input(_fixed(old), _fixed(new), folder / STORE_NAME)
        return old

    @classmethod
    def _create(cls, folder: Path, settings: MapSettings) -> MapStore:
        path = folder / STORE_NAME
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        meta = {
            "version": VERSION,
            "input": settings.to_dict(),
            "mark": own_mark(settings.to_dict()),
            "created": now(),
            **surroundings(),
        }
        database = Database(unfinished, mode="rwc")
        database.executescript(TABLES)
        rows = [(key, json.dumps(value)) for key, value in meta.items()]
        database.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        database.commit()
        database.close()
        unfinished.rename(path)
        return cls(Database(path, mode="rw"))

    @classmethod
    def read(cls, folder: str | Path) -> MapStore:
        """Open the store of a map; raises InputError if there is none that can be read."""
        path = Path(folder) / STORE_NAME
        if not path.exists():
            raise InputError(f"{folder} holds no map. Make one with `nucleate map`.")
        store = None
        try:
            store = cls(Database(path, mode="rw"))
            version = store.meta["version"]
        except (InputError, KeyError, ValueError, sqlite3.DatabaseError):
            if store is not None:
                store.close()
            raise InputError(
                f"{path} is damaged, or not the store of a map. The runs of its compositions can "
                "still be opened one by one."
            ) from None
        if version != VERSION:
            store.close()
            raise InputError(
                f"{path} is of version {version} and this is version {VERSION}. Use the nucleate "
                "that made it."
            )
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def meta(self) -> dict[str, Any]:
        """Input, versions and machine."""
        rows = self._db.execute("SELECT key, value FROM meta").fetchall()
        return {key: json.loads(value) for key, value in rows}

    def remember(self, key: str, value: Any) -> None:
        """Write a value of :attr:`meta`, for good."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))
        self._db.commit()

    def add_event(
        self,
        elapsed_s: float,
        core_s: float,
        kind: str,
        formula: str | None,
        data: Mapping[str, Any],
    ) -> None:
        """Write something that happened, at these seconds of running and processor time."""
        row = (elapsed_s, core_s, kind, formula, json.dumps(dict(data)))
        self._db.execute(
            "INSERT INTO event (elapsed_s, core_s, kind, formula, data) VALUES (?, ?, ?, ?, ?)",
            row,
        )

    def commit(self) -> None:
        """Make everything permanent."""
        self._db.commit()

    def events(self, *kinds: str) -> Iterator[tuple[float, float, str, str | None, dict[str, Any]]]:
        """Yield elapsed and processor time in seconds, kind, formula and data, in order."""
        rows = self._db.execute(
            "SELECT elapsed_s, core_s, kind, formula, data FROM event ORDER BY number"
        ).fetchall()
        for elapsed_s, core_s, kind, formula, data in rows:
            if not kinds or kind in kinds:
                yield elapsed_s, core_s, kind, formula, json.loads(data)

    def times(self) -> tuple[float, float]:
        """Return the running time and the processor time in seconds of all starts so far."""
        row = self._db.execute("SELECT max(elapsed_s), max(core_s) FROM event").fetchone()
        return (row[0] or 0.0), (row[1] or 0.0)


def _fixed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an input that must stay."""
    kept = {key: value for key, value in data.items() if key not in MAY_CHANGE}
    kept["field"] = {
        key: value for key, value in data["field"].items() if key not in MAY_CHANGE_OF_FIELD
    }
    return kept
