"""What a folder holds, found out without reading it."""

from __future__ import annotations

from pathlib import Path

MANY = "many.json"
"""File of a folder that says which searches are in it."""


def holds_run(folder: str | Path) -> bool:
    """Return whether a folder holds a search or relaxed files."""
    from nucleate.run.store import Store

    return Store.exists(folder)


def holds_map(folder: str | Path) -> bool:
    """Return whether a folder holds a map."""
    from nucleate.mapping.store import MapStore

    return MapStore.exists(folder)


def holds_many(folder: str | Path) -> bool:
    """Return whether a folder holds the searches of a table."""
    return (Path(folder) / MANY).is_file()
