"""The part of `ask` and `tell` that all searches for minima share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import fingerprint
from nucleate.search.known import Known
from nucleate.search.search import SearchProgress, Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.candidate import Candidate
    from nucleate.search.record import Record, SearchUpdate

    Draw = Callable[[int, np.random.Generator], Candidate | None]

REDRAWS = 12
"""How often `ask` draws again when the candidate repeats one already tried."""

REPEATS_IN_A_ROW = 100
"""Repeated candidates in a row that show that there is nothing new to try."""

IS_ONE_OF_A_LIST = "order"
"""Key in the detail of candidates that are given once, which are recorded even if they repeat."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What is new with a record.

    Attributes
    ----------
    duplicate_of : int or None
        The record that it repeats, at the start or as relaxed.
    new_minimum : bool
        It is the best so far, and no copy.
    is_best : bool
        It stands for the best now.
    was_relaxed : bool
        It went to a tier.
    """

    duplicate_of: int | None = None
    new_minimum: bool = False
    is_best: bool = False
    was_relaxed: bool = True


class Book:
    """Numbers the trials, keeps them distinct, and counts what came of them.

    Parameters
    ----------
    seed : int
        Candidate n is drawn from the stream (seed, n).
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    """

    def __init__(self, seed: int, tiers: tuple[str, ...]) -> None:
        self.known = Known(tiers)
        self.best: Record | None = None
        self.n_structures = 0
        self.n_repeats = 0
        self.since_best = 0
        self._seed = seed
        self._asked: set[int] = set()
        self._next = 0
        self._repeats_in_a_row = 0

    @property
    def progress(self) -> SearchProgress:
        """How far the search is."""
        return SearchProgress(
            n_structures=self.n_structures,
            n_repeats=self.n_repeats,
            best=self.best,
            since_best=self.since_best,
            exhausted=self._repeats_in_a_row >= REPEATS_IN_A_ROW,
        )

    def ask(self, draw: Draw) -> Trial | None:
        """Return a trial that repeats none if there is one; None if nothing could be drawn."""
        number = self._next
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, number]))
        repeated: Trial | None = None
        for _ in range(REDRAWS):
            candidate = draw(number, rng)
            if candidate is None:
                continue
            seen = self.known.repeats(fingerprint(candidate.crystal))
            trial = Trial(number, candidate, seen)
            if seen is None or IS_ONE_OF_A_LIST in candidate.origin.detail:
                return trial
            repeated = repeated or trial
        return repeated

    def note_trial(self, trial: Trial) -> bool:
        """Take note of a trial; return False if it was noted before."""
        if trial.number in self._asked:
            return False
        self._asked.add(trial.number)
        self._next = max(self._next, trial.number + 1)
        if trial.duplicate_of is None:
            self.known.add_start(trial)
        return True

    def note(self, record: Record, *, before: SearchUpdate | None = None) -> Noted:
        """Take note of a finished record.

        Parameters
        ----------
        record
            The record.
        before
            What was made of it in an earlier start; then it is not compared again.
        """
        if record.duplicate_of is not None and not record.outcomes:
            self.n_repeats += 1
            self._repeats_in_a_row += 1
            return Noted(record.duplicate_of, was_relaxed=False)
        self.n_structures += 1
        self._repeats_in_a_row = 0
        if before is None:
            duplicate_of = self.known.add(record)
        else:
            duplicate_of = before.duplicate_of
            self.known.add_again(record, duplicate_of)
        is_best = self.known.is_better(record, self.best)
        new_minimum = is_best and duplicate_of is None
        self.since_best = 0 if new_minimum else self.since_best + 1
        if is_best:
            self.best = record
        return Noted(duplicate_of, new_minimum, is_best)


def trial_of(record: Record) -> Trial:
    """Return the trial whose record this is."""
    repeats_start = record.duplicate_of is not None and not record.outcomes
    return Trial(record.number, record.candidate, record.duplicate_of if repeats_start else None)
