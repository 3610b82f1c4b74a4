"""Relaxed references, kept for the map and for every later map of the same level of theory."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from nucleate.errors import InputError, NucleateError
from nucleate.relax.outcome import Relaxed
from nucleate.run.codec import decode, encode, from_json, to_json
from nucleate.run.database import Database
from nucleate.surroundings import user_cache
from nucleate.text import in_a_line

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome

NAME = "references.db"
"""File in the folder of a map."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS outcome (key TEXT PRIMARY KEY, data TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS failed (key TEXT PRIMARY KEY, reason TEXT NOT NULL)",
)
_log = logging.getLogger(__name__)


def key_of_crystal(crystal: Crystal, level: str) -> str:
    """Return a key that is the same for the same geometry and level of theory."""
    total = hashlib.sha256(level.encode())
    for array in (crystal.numbers, crystal.cell, crystal.scaled):
        total.update(array.tobytes())
    return total.hexdigest()[:32]


class OutcomeCache:
    """Relaxations by key, in one SQLite file.

    Parameters
    ----------
    path : Path
        The file; made if necessary.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = Database(path, mode="rwc")
            for table in _TABLES:
                self._db.execute(table)
        except (InputError, sqlite3.DatabaseError):
            raise InputError(
                f"{path} is damaged. Delete it: the known compounds are relaxed again."
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, key: str) -> Relaxed | None:
        """Return a relaxation that is kept, or None."""
        row = self._db.execute("SELECT data FROM outcome WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        outcome = decode(from_json(json.loads(row[0])))
        return outcome if isinstance(outcome, Relaxed) else None

    def failure(self, key: str) -> str:
        """Return how the last relaxation failed, in a line; empty if it has not failed."""
        row = self._db.execute("SELECT reason FROM failed WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep a relaxation, and of one that failed only how it did."""
        if isinstance(outcome, Relaxed):
            data = json.dumps(to_json(encode(outcome)))
            self._db.execute("INSERT OR REPLACE INTO outcome VALUES (?, ?)", (key, data))
            self._db.execute("DELETE FROM failed WHERE key = ?", (key,))
        else:
            first = [str(outcome.reason), *outcome.message.splitlines()[:1]]
            reason = in_a_line(": ".join(filter(None, first)))
            self._db.execute("INSERT OR REPLACE INTO failed VALUES (?, ?)", (key, reason))
        self._db.commit()


class Caches:
    """The cache of a map, and behind it that of the user, where one can be written.

    Parameters
    ----------
    folder : Path
        The folder of the map.
    level : str
        The level of theory as other maps know it (:attr:`nucleate.mapping.level.Level.shared`);
        empty if nothing is shared.
    """

    def __init__(self, folder: Path, level: str = "") -> None:
        self._own = OutcomeCache(folder / NAME)
        self._level = level
        self._shared: OutcomeCache | None = None
        if not level:
            return
        try:
            self._shared = OutcomeCache(user_cache() / "nucleate" / NAME)
        except (OSError, NucleateError) as error:
            _log.warning("references are not kept for other maps: %s", error)

    def __enter__(self) -> Caches:
        return self

    def __exit__(self, *_: object) -> None:
        self._own.close()
        if self._shared is not None:
            self._shared.close()

    def get(self, key: str) -> Relaxed | None:
        """Return a relaxation that is kept, or None."""
        found = self._own.get(key)
        if found is None and self._shared is not None:
            with suppress(OSError, NucleateError, ValueError, KeyError):
                found = self._shared.get(self._known_as(key))
            if found is not None:
                self._own.put(key, found)
        return found

    def failure(self, key: str) -> str:
        """Return how a relaxation has failed in this map; empty if it has not failed."""
        return self._own.failure(key)

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep a relaxation; that it failed is kept for this map alone."""
        self._own.put(key, outcome)
        if self._shared is not None and isinstance(outcome, Relaxed):
            with suppress(OSError, NucleateError):
                self._shared.put(self._known_as(key), outcome)

    def _known_as(self, key: str) -> str:
        """Return the key under which other maps of the same versions find a relaxation."""
        return hashlib.sha256(f"{self._level}:{key}".encode()).hexdigest()[:32]
