"""Children of the lowest distinct minima, in cells of all sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.search.book import Book, trial_of
from nucleate.search.lowest import Minima
from nucleate.search.memo import Memo
from nucleate.search.proposals import Proposals
from nucleate.search.record import SearchUpdate
from nucleate.search.settings import MovingSettings

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate
    from nucleate.search.context import SearchContext
    from nucleate.search.record import Record
    from nucleate.search.search import SearchProgress, Trial


class LowestMinima(MovingSettings):
    """Moves start from the distinct minima found, low ones more often, at every size of the cell.

    Every trial draws an upper bound on its number of formula units, uniformly from the allowed
    values, so that no size takes all the work.
    """

    def build(self, context: SearchContext) -> LowestMinimaSearch:
        """Return the search."""
        return LowestMinimaSearch(self, context)


class LowestMinimaSearch:
    """Asks for new structures and for children of the lowest minima.

    Parameters
    ----------
    settings : LowestMinima
        Seed, population, moves.
    context : SearchContext
        What the run gives.
    """

    learns = True

    def __init__(self, settings: LowestMinima, context: SearchContext) -> None:
        self.settings = settings
        self._units = context.space.formula_units
        self._generator = context.generator
        self._book = Book(settings.seed, context.tiers)
        self._proposals = Proposals(context, settings.new_fraction, settings.moves)
        self._weights = self._proposals.weights(settings.moves)
        self._minima = Minima(context.tiers, context.space.composition.n_atoms)

    @property
    def progress(self) -> SearchProgress:
        """How far the search is."""
        return self._book.progress

    def ask(self) -> Trial | None:
        """Return what to try next, or None if nothing valid could be drawn."""
        trial = self._book.ask(self._draw)
        if trial is not None:
            self.restore(trial)
        return trial

    def restore(self, trial: Trial) -> None:
        """Take note of a trial."""
        self._restore(trial, Memo())

    def _restore(self, trial: Trial, memo: Memo) -> None:
        if self._book.note_trial(trial, start=memo.start):
            self._generator.note(trial.candidate.origin)
            for parent in trial.candidate.origin.parents:
                self._minima.note_child(parent)

    def tell(self, record: Record) -> SearchUpdate:
        """Take note of a finished record; it is accepted if it is a new minimum."""
        return self._note(record, None)

    def replay(self, record: Record, update: SearchUpdate) -> bytes:
        """Take note of a record again, trusting what was found out about it before."""
        return self._note(record, update).memo

    def _note(self, record: Record, before: SearchUpdate | None) -> SearchUpdate:
        old = Memo() if before is None else Memo.unpack(before.memo)
        self._restore(trial_of(record), old)
        noted = self._book.note(record, before=before)
        n_primitive = 0
        if noted.was_relaxed and noted.duplicate_of is None:
            n_primitive = self._minima.add(record, n_primitive=old.n_primitive)
        best = self._book.best
        return SearchUpdate(
            accepted=n_primitive > 0,
            new_minimum=noted.new_minimum,
            duplicate_of=noted.duplicate_of,
            current=self._minima.lowest,
            best=None if best is None else best.number,
            memo=replace(noted.memo, n_primitive=n_primitive).pack(),
        )

    def stop_reason(self) -> str | None:
        """Return None: the search has no end of its own."""
        return None

    def _draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        most_units = int(rng.choice(self._units))
        settled = number >= self.settings.population and self._minima.lowest is not None
        if not settled or self._proposals.wants_new(rng):
            return self._proposals.new(most_units, rng=rng)
        parent = self._minima.pick(most_units, rng=rng)
        if parent is None:
            return self._proposals.new(most_units, rng=rng)
        return self._proposals.child(parent, self._weights, most_units, rng=rng)
