"""What the library says of the formula of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.run.settings import RunSettings

SHOWN = 3
"""Known structures that are named."""


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
