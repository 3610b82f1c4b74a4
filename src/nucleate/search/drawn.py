"""A base for searches that need to say no more than how their candidates are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.search.book import REPEATS_IN_A_ROW, Book, trial_of
from nucleate.search.memo import Memo
from nucleate.search.record import SearchUpdate

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.guide import Guide
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
    seed : int, optional
        Seed of all random numbers; default that of the context.
    patience : int, optional
        Repeated candidates in a row that show that there is nothing new to try.

    Attributes
    ----------
    takes_repeats : bool
        Whether the next candidate, if it repeats another, is a trial like any other, which
        :meth:`repeat` judges; else another one is drawn in its place.
    """

    learns = True
    takes_repeats = False

    def __init__(
        self,
        context: SearchContext,
        seed: int | None = None,
        *,
        patience: int = REPEATS_IN_A_ROW,
    ) -> None:
        self.context = context
        self.memo = Memo()
        """What was kept of the record that is replayed; empty for a new one."""
        seed = context.seed if seed is None else seed
        self._book = Book(seed, context.tiers, patience=patience)
        self.guide: Guide | None = None
        """The policy at work, of a search that has sources and moves."""

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

    def accept(self, record: Record, noted: Noted) -> bool:
        """Return whether the search uses a record that was relaxed: by default a new minimum."""
        is_new = record.relaxed is not None and noted.duplicate_of is None
        return is_new and self.learn(record)

    def pass_over(self, record: Record) -> None:
        """Take note that a candidate was considered with a surrogate and not finished.

        It has no energy: for a walk it is no step, neither accepted nor refused.
        """

    def repeat(self, record: Record, known: int) -> bool:
        """Return whether the search uses a record that repeats a known one and was not relaxed."""
        del record, known
        return False

    def begin(self, trial: Trial) -> None:
        """Take note of a trial that was asked for, in this session or before an interruption."""

    def remember(self, memo: Memo) -> Memo:
        """Return what is kept of the last record until the run is continued."""
        return memo

    def state(self) -> dict[str, Any]:
        """Return what updates say of the search besides, such as ``current``."""
        return {}

    @property
    def progress(self) -> SearchProgress:
        """How far the search is."""
        return self._book.progress

    @property
    def policy_facts(self) -> dict[str, Any]:
        """Arms and start of the policy over sources and moves; empty where there is none."""
        return {} if self.guide is None else self.guide.facts

    def ask(self) -> Trial | None:
        """Return what to try next, or None if nothing valid could be drawn."""
        trial = self._book.ask(self.draw, takes_repeats=self.takes_repeats)
        if trial is not None:
            self.restore(trial)
        return trial

    def restore(self, trial: Trial) -> None:
        """Take note of a trial."""
        self._restore(trial, b"")

    def _restore(self, trial: Trial, start: bytes) -> None:
        if self._book.note_trial(trial, start=start):
            self.context.generator.note(trial.candidate.origin)
            self.begin(trial)

    def tell(self, record: Record) -> SearchUpdate:
        """Take note of a finished record."""
        return self._note(record, None)

    def replay(self, record: Record, update: SearchUpdate) -> bytes:
        """Take note of a record again, trusting what was found out about it before."""
        return self._note(record, update).memo

    def _note(self, record: Record, before: SearchUpdate | None) -> SearchUpdate:
        self.memo = Memo() if before is None else Memo.unpack(before.memo)
        self._restore(trial_of(record), self.memo.start)
        noted = self._book.note(record, before=before)
        if self.guide is not None and self.guide.policy.learns:
            self.guide.credit(record, noted.duplicate_of)
        if record.is_screened:
            self.pass_over(record)
            accepted = False
        elif noted.was_relaxed:
            accepted = self.accept(record, noted)
        else:
            assert noted.duplicate_of is not None
            accepted = self.repeat(record, noted.duplicate_of)
        memo = self.remember(noted.memo).pack() if noted.was_relaxed else b""
        best = self._book.best
        return SearchUpdate(
            accepted=accepted,
            new_minimum=noted.new_minimum,
            duplicate_of=noted.duplicate_of,
            best=None if best is None else best.number,
            memo=memo,
            **self.state(),
        )

    def stop_reason(self) -> str | None:
        """Return None: the search has no end of its own."""
        return None
