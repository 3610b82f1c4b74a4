"""What a search is: `ask` what to try next, `tell` what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate, Origin
    from nucleate.search.missed import Finds
    from nucleate.search.record import Record, SearchUpdate, TierOutcome


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate to try.

    Attributes
    ----------
    number : int
        Candidate number; every trial of a search has another one.
    candidate : Candidate
        The crystal and its origin.
    duplicate_of : int or None
        Number of a record with this starting geometry or minimum: then it is not to be relaxed.
    outcomes : tuple of TierOutcome
        What tiers have made of it before, in the order of the ladder.
    """

    number: int
    candidate: Candidate
    duplicate_of: int | None = None
    outcomes: tuple[TierOutcome, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SearchProgress:
    """How far a search is.

    Attributes
    ----------
    n_structures, n_repeats : int
        Records that were told: those that went to a tier, and those that repeated another.
    best : Record or None
        The best structure.
    since_best : int
        Structures since the last new best one.
    exhausted : bool
        Nothing new is to be expected before another record is told.
    text : str
        More for the display; may be empty.
    finds : Finds or None
        How often each minimum was found; None for a search that does not count.
    """

    n_structures: int = 0
    n_repeats: int = 0
    best: Record | None = None
    since_best: int = 0
    exhausted: bool = False
    text: str = ""
    finds: Finds | None = None


class Search(Protocol):
    """What to try next, given what came of everything before.

    The candidates must be a function of the seed and of the order of the calls, without any other
    state: a run is continued by a new search that is told the same records in the same order.
    Several trials may be in flight, so `ask` must not wait for an answer to the trials before.

    A search that does not learn from its records says so with ``learns = False``; it is then told
    of each as soon as it is finished. All others are told in the order of the numbers, at moments
    that depend on the numbers alone.
    """

    def ask(self) -> Trial | None:
        """Return what to try next; None if there is nothing until another record is told."""
        ...

    def tell(self, record: Record) -> SearchUpdate:
        """Take note of a finished record."""
        ...

    def restore(self, trial: Trial) -> None:
        """Take note of a trial that was asked for before the run was interrupted.

        It is called for every such trial before its record is told, if that is finished.
        """
        ...

    # A search may have a method ``replay(record, update) -> bytes`` besides, which stands for
    # ``restore`` and ``tell`` when a run is continued, and may trust the update that was given
    # before. It returns the memo of the record, which is kept where the update had none.

    def stop_reason(self) -> str | None:
        """Return why the search is over by itself, or None if it is not.

        The rules that all searches have in common (``[stop]``) are not its business.
        """
        ...

    @property
    def progress(self) -> SearchProgress:
        """How far it is."""
        ...


class Source(Protocol):
    """Where new structures come from."""

    def generate(
        self,
        *,
        rng: np.random.Generator,
        max_formula_units: int | None = None,
        only: str | None = None,
    ) -> Candidate | None:
        """Return a new candidate, or None; with ``only``, of the part of this name.

        A source that has no ``shares``, the names of its parts and how often they are drawn, is
        never asked for one.
        """
        ...

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""
        ...
