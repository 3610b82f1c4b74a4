"""Who is shown a map while it proceeds, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.mapping.energies import Energies
    from nucleate.mapping.site import Site


@dataclass(slots=True)
class MapProgress:
    """How far a map is.

    Attributes
    ----------
    elapsed_s, session_s, core_s : float
        Running time of all starts and of this one, processor time of all, in seconds.
    decisions_s : float
        Part of the processor time of this start that went into decisions.
    n_compositions, n_visited, n_blank : int
        Compositions; those that have structures; those in which everything failed.
    n_structures, n_failed : int
        Structures of all compositions.
    now : tuple of str
        Compositions that are searched now.
    expected_change_mev : float or None
        By how much the hull is expected to change in the end, mean over the field, in meV/atom;
        None while that is not known.
    """

    elapsed_s: float = 0.0
    session_s: float = 0.0
    core_s: float = 0.0
    decisions_s: float = 0.0
    n_compositions: int = 0
    n_visited: int = 0
    n_blank: int = 0
    n_structures: int = 0
    n_failed: int = 0
    now: tuple[str, ...] = ()
    expected_change_mev: float | None = None


class MapCallback(Protocol):
    """Someone who is shown a map while it proceeds."""

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how far a preparation is."""
        ...

    def on_note(self, text: str) -> None:
        """Show a sentence."""
        ...

    def on_visit(self, site: Site, reason: str) -> None:
        """Show that a visit of a composition has ended, for this reason of the choice."""
        ...

    def on_progress(self, progress: MapProgress, energies: Energies) -> None:
        """Show the present state; called several times per second."""
        ...


class Silent:
    """Shows nothing; a base class for those who want to see one thing only."""

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show nothing."""

    def on_note(self, text: str) -> None:
        """Show nothing."""

    def on_visit(self, site: Site, reason: str) -> None:
        """Show nothing."""

    def on_progress(self, progress: MapProgress, energies: Energies) -> None:
        """Show nothing."""


class Several(Silent):
    """Passes everything on to several callbacks."""

    def __init__(self, callbacks: Sequence[MapCallback]) -> None:
        self._callbacks = tuple(callbacks)

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_stage(text, done, total)

    def on_note(self, text: str) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_note(text)

    def on_visit(self, site: Site, reason: str) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_visit(site, reason)

    def on_progress(self, progress: MapProgress, energies: Energies) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_progress(progress, energies)
