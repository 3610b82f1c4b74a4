"""What the library says of the formula of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.run.settings import RunSettings
    from nucleate.run.store import Store

SHOWN = 3
"""Known structures that are named."""

EVENT = "known"
"""Kind of the event that holds the line."""


def known_line(settings: RunSettings) -> str:
    """Return the known structures of the formula in a line, or "" where there are none.

    A library that cannot be read has no known structure: the generator that needs it warns.
    """
    use = getattr(settings.search, "known", "off")
    if use == "off":
        return ""
    from nucleate.library.library import Library

    try:
        library = Library.load(getattr(settings.search, "library", ("shipped",)))
        entries = library.known_structures(settings.problem.composition())
    except InputError:
        return ""
    if not entries:
        return ""
    shown = [f"{entry.space_group}, {entry.name}" for entry in entries[:SHOWN]]
    more = f"; and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    held_out = "" if use == "all" else f" (not used: known = {use!r})"
    return f"known: {'; '.join(shown)}{more}{held_out}"


def keep_known(store: Store, line: str) -> None:
    """Write the line into the store of a run that does not hold one yet."""
    if line and not any(store.events(EVENT)):
        store.add_event(0.0, EVENT, {"line": line})
        store.commit()


def kept_known(store: Store) -> str:
    """Return the line that a run began with; empty where nothing was known."""
    return next((str(data.get("line", "")) for _, _, data in store.events(EVENT)), "")
