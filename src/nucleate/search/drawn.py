"""A base for searches that need to say no more than how their candidates are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.search.book import Book, trial_of
from nucleate.search.record import SearchUpdate

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate
    from nucleate.search.context import SearchContext
    from nucleate.search.record import Record
    from nucleate.search.search import SearchProgress, Trial


class DrawnSearch:
    """A search whose candidates are drawn one after the other.

    A subclass has :meth:`draw`, and :meth:`learn` where it keeps more than the best. Trials are
    numbered, repeats are found and counted, and interrupted runs continue.

    Parameters
    ----------
    context : SearchContext
        What the run gives.
    """

    learns = True

    def __init__(self, context: SearchContext) -> None:
        self.context = context
        self._book = Book(context.seed, context.tiers)

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return a candidate, or None if none was found.

        Parameters
        ----------
        number
            Of the trial.
        rng
            The only source of randomness; every trial has a stream of its own.
        """
        raise NotImplementedError

    def learn(self, record: Record) -> bool:
        """Take note of a record that is relaxed and new; return whether the search uses it."""
        del record
        return False

    @property
    def progress(self) -> SearchProgress:
        """How far the search is."""
        return self._book.progress

    def ask(self) -> Trial | None:
        """Return what to try next, or None if nothing valid could be drawn."""
        trial = self._book.ask(self.draw)
        if trial is not None:
            self.restore(trial)
        return trial

    def restore(self, trial: Trial) -> None:
        """Take note of a trial."""
        if self._book.note_trial(trial):
            self.context.generator.note(trial.candidate.origin)

    def tell(self, record: Record) -> SearchUpdate:
        """Take note of a finished record."""
        self.restore(trial_of(record))
        noted = self._book.note(record)
        is_new = noted.was_relaxed and record.relaxed is not None and noted.duplicate_of is None
        accepted = is_new and self.learn(record)
        best = self._book.best
        return SearchUpdate(
            accepted=accepted,
            new_minimum=noted.new_minimum,
            duplicate_of=noted.duplicate_of,
            best=None if best is None else best.number,
        )

    def stop_reason(self) -> str | None:
        """Return None: the search has no end of its own."""
        return None
