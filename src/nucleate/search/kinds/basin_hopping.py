"""Basin hopping: a Metropolis walk from minimum to minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, field_validator

from nucleate.crystal.cells import reduced_cell
from nucleate.search.acceptance import Thermostat
from nucleate.search.book import Book, trial_of
from nucleate.search.known import PRECISION
from nucleate.search.memo import Memo
from nucleate.search.proposals import Parent, Proposals
from nucleate.search.record import SearchUpdate
from nucleate.search.settings import MoveChoice, MovingSettings, known_moves

if TYPE_CHECKING:
    from nucleate.crystal.candidate import Candidate
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.record import Record
    from nucleate.search.search import SearchProgress, Trial


class BasinHopping(MovingSettings):
    """Moves start from one structure after the other by the Metropolis rule (FUSE's search).

    A step to a known minimum is judged by its enthalpy like any other. Method: doi
    10.1039/d4fd00094c.
    """

    temperature: float = Field(
        0.02, gt=0.0, description="Metropolis temperature in eV/atom in the normal phase."
    )
    melt_after: int = Field(
        150, ge=1, description="Structures without one downhill after which the walk melts."
    )
    melt_step: float = Field(
        0.01, ge=0.0, description="Largest rise of the temperature in eV/atom by one rejection."
    )
    melt_ceiling: float = Field(
        0.2, gt=0.0, description="Highest temperature of the melted walk in eV/atom."
    )
    melted_moves: MoveChoice = Field(
        "fuse2", description="Weights of the moves in the melted phase."
    )

    @field_validator("melted_moves")
    @classmethod
    def _known_melted_moves(cls, choice: MoveChoice) -> MoveChoice:
        return known_moves(choice)

    def build(self, context: SearchContext) -> BasinHoppingSearch:
        """Return the search."""
        return BasinHoppingSearch(self, context)


class BasinHoppingSearch:
    """Asks for new structures and for children of the structure that the walk stands on.

    While the initial population is not complete the walk stands on its best.

    Parameters
    ----------
    settings : BasinHopping
        Seed, population, moves, temperatures.
    context : SearchContext
        What the run gives.
    """

    learns = True

    def __init__(self, settings: BasinHopping, context: SearchContext) -> None:
        self.settings = settings
        self._generator = context.generator
        self._book = Book(settings.seed, context.tiers)
        self._proposals = Proposals(
            context, settings.new_fraction, settings.moves, settings.melted_moves
        )
        self._weights = self._proposals.weights(settings.moves)
        self._melted_weights = self._proposals.weights(settings.melted_moves)
        self._thermostat = Thermostat(
            temperature=settings.temperature,
            rest_temperature=settings.temperature,
            melt_after=settings.melt_after,
            melt_step=settings.melt_step,
            melt_ceiling=settings.melt_ceiling,
            precision=PRECISION,
        )
        self._parent: Parent | None = None

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

    def tell(self, record: Record) -> SearchUpdate:
        """Take note of a finished record and decide whether the walk steps to it."""
        return self._note(record, None)

    def replay(self, record: Record, update: SearchUpdate) -> bytes:
        """Take note of a record again, trusting what was found out about it before."""
        return self._note(record, update).memo

    def _note(self, record: Record, before: SearchUpdate | None) -> SearchUpdate:
        memo = Memo() if before is None else Memo.unpack(before.memo)
        self._restore(trial_of(record), memo)
        noted = self._book.note(record, before=before)
        accepted = noted.was_relaxed and self._accepts(record, noted)
        relaxed = record.relaxed
        if accepted and relaxed is not None:
            self._parent = Parent(record.number, reduced_cell(relaxed.crystal))
        best = self._book.best
        return SearchUpdate(
            accepted=accepted,
            new_minimum=noted.new_minimum,
            duplicate_of=noted.duplicate_of,
            melted=self._thermostat.melted,
            temperature=self._thermostat.temperature,
            current=None if self._parent is None else self._parent.number,
            best=None if best is None else best.number,
            memo=noted.memo.pack(),
        )

    def stop_reason(self) -> str | None:
        """Return None: the search has no end of its own."""
        return None

    def _accepts(self, record: Record, noted: Noted) -> bool:
        if self._parent is None or record.number < self.settings.population:
            if noted.is_best:
                self._thermostat.restore()
            return noted.is_best
        difference = self._book.known.difference(record, self._parent.number)
        stream = np.random.SeedSequence([self.settings.seed, record.number, 1])
        return self._thermostat.accepts(difference, rng=np.random.default_rng(stream))

    def _draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        parent = self._parent
        if number < self.settings.population or parent is None or self._proposals.wants_new(rng):
            return self._proposals.new(None, rng=rng)
        weights = self._melted_weights if self._thermostat.melted else self._weights
        return self._proposals.child(parent, weights, None, rng=rng)
