"""The part of `ask` and `tell` that all searches for minima share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import fingerprint
from nucleate.search.known import Known
from nucleate.search.memo import Memo
from nucleate.search.missed import Finds, lineage
from nucleate.search.search import SearchProgress, Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.candidate import Candidate
    from nucleate.search.record import Record, SearchUpdate

    Draw = Callable[[int, np.random.Generator], Candidate | None]

REDRAWS = 12
"""How often `ask` draws again when the candidate repeats one already tried."""

REPEATS_IN_A_ROW = 100
"""Repeated candidates in a row, after `REDRAWS` draws each, that show that nothing new is left."""

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
    memo : Memo
        What need not be computed again when the run is continued.
    """

    duplicate_of: int | None = None
    new_minimum: bool = False
    is_best: bool = False
    was_relaxed: bool = True
    memo: Memo = field(default_factory=Memo)


class Book:
    """Numbers the trials, keeps them distinct, and counts what came of them.

    Parameters
    ----------
    seed : int
        Candidate n is drawn from the stream (seed, n).
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    patience : int
        Repeated candidates in a row that show that there is nothing new to try.
    """

    def __init__(
        self, seed: int, tiers: tuple[str, ...], *, patience: int = REPEATS_IN_A_ROW
    ) -> None:
        self.known = Known(tiers)
        self.best: Record | None = None
        self.n_structures = 0
        self.n_repeats = 0
        self.since_best = 0
        self.finds = Finds()
        self._seed = seed
        self._tiers = tiers
        self._asked: set[int] = set()
        self._drawn: tuple[Candidate, np.ndarray] | None = None
        self._starts: dict[int, bytes] = {}  # of the trials in flight
        self._next = 0
        self._repeats_in_a_row = 0
        self._patience = patience

    @property
    def next_number(self) -> int:
        """Number of the next trial."""
        return self._next

    @property
    def progress(self) -> SearchProgress:
        """How far the search is."""
        return SearchProgress(
            n_structures=self.n_structures,
            n_repeats=self.n_repeats,
            best=self.best,
            since_best=self.since_best,
            finds=self.finds,
            exhausted=self._repeats_in_a_row >= self._patience,
        )

    def ask(self, draw: Draw, *, takes_repeats: bool = False) -> Trial | None:
        """Return a trial that repeats none if there is one; None if nothing could be drawn.

        With ``takes_repeats`` a candidate that repeats another is a trial like any other.
        """
        number = self._next
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, number]))
        repeated: Trial | None = None
        for _ in range(REDRAWS):
            candidate = draw(number, rng)
            if candidate is None:
                continue
            print_ = fingerprint(candidate.crystal)
            seen = self.known.repeats(print_)
            trial = Trial(number, candidate, seen)
            is_listed = IS_ONE_OF_A_LIST in candidate.origin.detail
            if seen is None or is_listed or takes_repeats:
                self._drawn = candidate, print_
                return trial
            repeated = repeated or trial
        return repeated

    def note_trial(self, trial: Trial, *, start: bytes = b"") -> bool:
        """Take note of a trial; return False if it was noted before.

        ``start`` is the packed fingerprint of its geometry, where it is known from before.
        """
        if trial.number in self._asked:
            return False
        self._asked.add(trial.number)
        self._next = max(self._next, trial.number + 1)
        if trial.duplicate_of is None:
            print_ = start or self._print(trial.candidate)
            self._starts[trial.number] = self.known.add_start(trial.number, print_)
        return True

    def _print(self, candidate: Candidate) -> np.ndarray:
        """Return the fingerprint of a candidate; that of the last one drawn is known."""
        drawn = self._drawn
        if drawn is not None and drawn[0] is candidate:
            return drawn[1]
        return fingerprint(candidate.crystal)

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
            self._find(record, record.duplicate_of)
            return Noted(record.duplicate_of, was_relaxed=False)
        self._repeats_in_a_row = 0
        start = self._starts.pop(record.number, b"")
        if record.is_screened:
            return Noted(memo=Memo(start))
        self.n_structures += 1
        if before is None:
            duplicate_of, minimum = self.known.add(record)
        else:
            duplicate_of = before.duplicate_of
            minimum = self.known.add_again(record, duplicate_of, Memo.unpack(before.memo).minimum)
        self._find(record, duplicate_of)
        is_best = self.known.is_better(record, self.best)
        new_minimum = is_best and duplicate_of is None
        self.since_best = 0 if new_minimum else self.since_best + 1
        if is_best:
            self.best = record
        memo = Memo(start, minimum)
        return Noted(duplicate_of, new_minimum, is_best, memo=memo)

    def _find(self, record: Record, duplicate_of: int | None) -> None:
        """Count a find of a minimum."""
        origin, relaxed = record.candidate.origin, record.relaxed
        place = None
        if relaxed is not None and record.tier is not None:
            place = self._tiers.index(record.tier), relaxed.enthalpy_per_atom
        self.finds.add(record.number, lineage(origin.source, origin.parents), place, duplicate_of)


def trial_of(record: Record) -> Trial:
    """Return the trial whose record this is."""
    repeats_start = record.duplicate_of is not None and not record.outcomes
    return Trial(record.number, record.candidate, record.duplicate_of if repeats_start else None)
