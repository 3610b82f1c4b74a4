"""What a run had to say when it started, kept for those who look later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.run.store import Store
    from nucleate.search.search import Search

NOTES = "notes"
"""Kind of the event that holds the notes of a start."""


def notes_of_search(search: Search, capacity: int) -> tuple[str, ...]:
    """Return what a search says of its input and the workers, if it does.

    Parameters
    ----------
    search
        Which may have a method ``notes(capacity)``.
    capacity
        Crystals that the workers relax at a time.
    """
    says = getattr(search, "notes", None)
    return () if says is None else tuple(str(line) for line in says(capacity))


def keep_notes(store: Store, lines: Sequence[str]) -> None:
    """Write the notes of a start into the store, unless the last start had the same."""
    if list(lines) != notes_of(store):
        store.add_event(0.0, NOTES, {"lines": list(lines)})
        store.commit()


def notes_of(store: Store) -> list[str]:
    """Return the notes of the last start."""
    last = [data.get("lines") for _, _, data in store.events(NOTES)][-1:]
    lines = last[0] if last and isinstance(last[0], list) else []
    return [clean(str(line)) for line in lines]
