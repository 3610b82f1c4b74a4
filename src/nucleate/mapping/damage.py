"""Runs of a map that cannot be used: each is a gap in the map, with a sentence, and no more."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.text import label

if TYPE_CHECKING:
    from pathlib import Path

UNREADABLE = (InputError, sqlite3.DatabaseError, ValueError, KeyError, TypeError, IndexError)
"""What reading a store raises whose content was destroyed. Trouble of the machine, which passes, is
a :class:`nucleate.trouble.MachineError` and not among them."""


def damage_of(folder: Path, error: BaseException) -> str:
    """Return what is wrong with the run of a composition, and the remedy.

    Parameters
    ----------
    folder
        Its run folder.
    error
        What reading it has raised, one of :data:`UNREADABLE`.
    """
    text = str(error) if isinstance(error, InputError) else ""
    text = text or f"{folder / 'run.db'} is damaged ({label(error) or type(error).__name__})."
    return (
        f"{text} The map continues without it. Delete the folder {folder} or move it elsewhere, "
        "and this composition is searched from the beginning."
    )
