"""Opening the file of a run: what is no store of this version is refused before it is read."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError, NucleateError
from nucleate.run import schema
from nucleate.run.database import Database
from nucleate.text import label
from nucleate.writing import refuse_link

if TYPE_CHECKING:
    from pathlib import Path


def open_database(path: Path, *, writable: bool) -> tuple[Database, int]:
    """Open the store of a run; one of the version before is brought up to date for writing.

    Returns
    -------
    tuple of Database, int
        The file, and its schema version.

    Raises
    ------
    InputError
        If there is no store, or none that this version can use.
    """
    if writable:
        for name in (path.name, f"{path.name}-journal"):
            refuse_link(path.with_name(name))
    if not path.is_file():
        raise InputError(
            f"{path.parent} is not a run folder: it has no {path.name}. {_remedy(path)}"
        )
    try:
        db = Database(path, mode="rw")
        db.execute("PRAGMA trusted_schema = OFF")
        found = _version(db)
    except (sqlite3.Error, ValueError, NucleateError) as error:
        raise InputError(
            f"{path} cannot be read as the store of a run ({label(error)})."
        ) from error
    try:
        _check(db, path, found)
        if writable and found == schema.WITHOUT_MEMOS:
            found = _bring_up_to_date(db)
    except BaseException:
        db.close()
        raise
    if not writable:
        db.execute("PRAGMA query_only = ON")
    return db, found


def _remedy(path: Path) -> str:
    """Return which folder to give in place of one without a store."""
    inner = sorted(path.parent.glob(f"compositions/*/{path.name}"))
    if inner:
        return (
            f"It is the folder of a map; each of its {len(inner)} compositions is a run: give one, "
            f"such as {inner[0].parent}."
        )
    inner = sorted(path.parent.glob(f"*/{path.name}"))
    if inner:
        return f"It holds {len(inner)} runs: give one, such as {inner[0].parent}."
    return "Give the folder that a search has made, such as nucleate-SrTiO3."


def _version(db: Database) -> Any:
    rows = db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
    return json.loads(rows[0][0]) if rows else None


def _check(db: Database, path: Path, found: Any) -> None:
    others = db.execute(schema.SELECT_OTHERS).fetchall()
    if others:
        raise InputError(
            f"{path} has {', '.join(f'the {kind} {label(name)}' for kind, name in others)}, "
            "which no store of nucleate has. It was changed by another program; nothing in it "
            "was read."
        )
    if found not in (schema.SCHEMA_VERSION, schema.WITHOUT_MEMOS):
        raise InputError(
            f"{path.parent} is a run of another version of nucleate (schema version {found}, this "
            f"one reads {schema.WITHOUT_MEMOS} and {schema.SCHEMA_VERSION}); nothing in it was "
            "changed. Open it with the version that wrote it, or give another folder with --out."
        )


def _bring_up_to_date(db: Database) -> int:
    """Add the tables and indices of this version, all of them or none."""
    db.executescript(f"BEGIN IMMEDIATE;{schema.ADDITIONS}")
    db.execute(schema.UPDATE_VERSION, (json.dumps(schema.SCHEMA_VERSION),))
    db.commit()
    return schema.SCHEMA_VERSION
