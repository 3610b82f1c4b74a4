"""Who is shown a run: the terminal, a notebook, a benchmark."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from nucleate.search.search import SearchProgress
from nucleate.search.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.search.record import Record, SearchUpdate

READING = "reading known structures and networks"
LOADING = "loading the energy models"
COMPILING = "compiling the energy models (first use only)"
"""Phases of which nobody can say how much is done."""

LOST = "worker-lost"
"""Kind of the events in a store that say that a worker was lost."""


@dataclass(slots=True)
class Progress:
    """How far a run is, kept up to date by the campaign.

    Attributes
    ----------
    elapsed_s, session_s : float
        Running time of the run and of this start of it.
    core_s : float
        Processor time of driver and workers in seconds, all starts together.
    stop : Stop
        The rules that end the run.
    session_structures : int
        Structures finished since this start.
    in_flight : int
        Candidates that are queued or being relaxed.
    failures : Counter
        How many relaxations failed, by reason.
    screened : int
        Structures that were considered with a surrogate, and not finished.
    search : SearchProgress
        How far the search is.
    """

    elapsed_s: float = 0.0
    session_s: float = 0.0
    core_s: float = 0.0
    stop: Stop = field(default_factory=Stop)
    session_structures: int = 0
    in_flight: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    screened: int = 0
    search: SearchProgress = field(default_factory=SearchProgress)


class Callback(Protocol):
    """Someone who is shown a run while it proceeds."""

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Take note of a finished record, of this start or (``replayed``) of one before."""
        ...

    def on_progress(self, progress: Progress) -> None:
        """Show the present state; called several times per second."""
        ...

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how far a long preparation is."""
        ...

    def on_note(self, text: str) -> None:
        """Show something that is known of the problem before the search begins."""
        ...


class Silent:
    """Shows nothing; a base class for those who want to see one thing only."""

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Take no note."""

    def on_progress(self, progress: Progress) -> None:
        """Show nothing."""

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show nothing."""

    def on_note(self, text: str) -> None:
        """Show nothing."""


class Several(Silent):
    """Passes everything on to several callbacks."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_record(record, update, replayed=replayed)

    def on_progress(self, progress: Progress) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_progress(progress)

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_stage(text, done, total)

    def on_note(self, text: str) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_note(text)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """How a run ended.

    Attributes
    ----------
    reason : str
        Why it stopped.
    error : str
        The first error in full if every structure failed, else empty.
    """

    reason: str
    error: str
    n_structures: int
    n_repeats: int
    best: Record | None
    progress: Progress
