"""The campaign: search, ladder, workers and store together are one run."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from nucleate.relax.outcome import Failed
from nucleate.run.folder import now, surroundings
from nucleate.run.outcomes import with_outcome
from nucleate.run.process import Job
from nucleate.search.basin_hopping import Trial
from nucleate.search.record import Record, Verdict

if TYPE_CHECKING:
    from nucleate.relax.ladder import Ladder
    from nucleate.run.pool import Finished, Pool
    from nucleate.run.store import Store
    from nucleate.search.basin_hopping import BasinHopping

POLL_S = 0.2
FIRST_FAILURES = 10
"""If so many structures fail before one succeeds, the run stops."""

QUEUED_PER_WORKER = 1
"""Candidates kept ready, so that no worker waits for one to be drawn. If as many wait for a later
tier, no more are drawn: a search learns from what has come to its end."""

CORE_TIME_SPENT = "the core time is spent"
"""Why a run stopped at its limit of processor time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run may take.

    Attributes
    ----------
    time_s : float or None
        Running time of one start.
    core_s : float or None
        Processor time of driver and workers, all starts together.
    """

    time_s: float | None = None
    core_s: float | None = None


NO_LIMITS = Limits()


@dataclass(slots=True)
class Progress:
    """How far a run is, kept up to date by the campaign.

    Attributes
    ----------
    elapsed_s, session_s : float
        Running time of the run and of this start of it.
    core_s : float
        Processor time of driver and workers in seconds, all starts together.
    limits : Limits
        Of ``session_s`` and of ``core_s``.
    session_structures : int
        Structures finished since this start.
    in_flight : int
        Relaxations queued or going on.
    failures : Counter
        How many relaxations failed, by reason.
    """

    elapsed_s: float = 0.0
    session_s: float = 0.0
    core_s: float = 0.0
    limits: Limits = NO_LIMITS
    session_structures: int = 0
    in_flight: int = 0
    failures: Counter[str] = field(default_factory=Counter)


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


class Watcher(Protocol):
    """Someone who is shown the run as it goes on."""

    def record(self, record: Record, verdict: Verdict, *, replayed: bool) -> None:
        """Take note of a finished record, of this start or (``replayed``) of one before."""
        ...

    def tick(self, progress: Progress, search: BasinHopping) -> None:
        """Show the present state; called several times a second."""
        ...


class Campaign:
    """One run: keeps every worker busy and writes down everything that comes of it.

    Parameters
    ----------
    store : Store
        Empty, or that of the run to continue.
    search, ladder
        Both new; a run that is continued is told to them again.
    pool : Pool
        The workers.
    limits : Limits
        When to stop.
    started_core_s : float, optional
        ``time.process_time()`` from which the driver's processor time counts; default now.
    watcher : Watcher, optional
        Who is shown the run.
    """

    def __init__(
        self,
        store: Store,
        search: BasinHopping,
        ladder: Ladder,
        pool: Pool,
        *,
        limits: Limits = NO_LIMITS,
        started_core_s: float | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self._store = store
        self._search = search
        self._ladder = ladder
        self._pool = pool
        self._watcher = watcher
        self._pending: dict[int, Record] = {}
        self._start = time.monotonic()
        self._start_core_s = time.process_time() if started_core_s is None else started_core_s
        self._elapsed_before = 0.0
        self._core_before = 0.0
        self._stop_request: str | None = None
        self._n_relaxed = 0
        self._first_failure: Failed | None = None
        self._out_of_candidates = False
        self._is_dirty = False
        self.progress = Progress(limits=limits)

    def request_stop(self, reason: str) -> None:
        """Let :meth:`run` end soon; may be called by a signal handler."""
        self._stop_request = reason

    def run(self) -> Summary:
        """Go on until the search is over, the time is up or a stop was requested."""
        self._resume()
        prepared = {"time": now(), "core_s": self._core_s(), **surroundings()}
        self._store.add_event(self._elapsed_before, "start", prepared)
        self._store.commit()
        while (reason := self._stop_reason()) is None:
            self._turn()
        error = self._error_of_all()
        self._update_progress()
        stopped = {"reason": reason, "error": error, "core_s": self.progress.core_s}
        self._store.add_event(self.progress.elapsed_s, "stop", stopped)
        self._store.commit()
        return Summary(
            reason=reason,
            error=error,
            n_structures=self._search.n_structures,
            n_repeats=self._search.n_repeats,
            best=self._search.best,
            progress=self.progress,
        )

    def _resume(self) -> None:
        """Tell the search and the ladder what the store holds; queue what was in flight."""
        for told, verdict in self._store.records():
            record = told.within(self._ladder.names)
            for item in record.outcomes:
                self._ladder.note(item.tier, item.outcome)
            self._search.tell(record)
            self._count(record)
            self._elapsed_before = max(self._elapsed_before, record.finished_s)
            self._core_before = max(self._core_before, record.core_s)
            if self._watcher is not None:
                self._watcher.record(record, verdict, replayed=True)
        for record in self._store.unfinished():
            self._search.restore(Trial(record.number, record.candidate, record.duplicate_of))
            for item in record.outcomes:
                self._ladder.note(item.tier, item.outcome)
            self._pending[record.number] = record
            self._go_on(record.number)
        for time_s, _, data in self._store.events():
            self._elapsed_before = max(self._elapsed_before, time_s)
            self._core_before = max(self._core_before, data.get("core_s", 0.0))
        self.progress.session_structures = 0

    def _turn(self) -> None:
        for item in self._pool.poll(POLL_S):
            self._advance(item)
        self._ask_for(self._pool.wants())
        self._pool.feed()
        self._ask_for(QUEUED_PER_WORKER * self._pool.n_workers - self._pool.n_queued(0))
        while self._pool.losses:
            loss = self._pool.losses.pop(0)
            self._store.add_event(self._elapsed_s(), "worker-lost", {"message": loss})
            self._is_dirty = True
        if self._is_dirty:
            self._store.commit()
            self._is_dirty = False
        self._update_progress()
        if self._watcher is not None:
            self._watcher.tick(self.progress, self._search)

    def _ask_for(self, count: int) -> None:
        while count > 0 and self._may_ask():
            trial = self._search.ask()
            if trial is None:
                self._out_of_candidates = True
                return
            record = Record(
                number=trial.number,
                candidate=trial.candidate,
                duplicate_of=trial.duplicate_of,
                seed=self._search.settings.seed,
                asked_s=self._elapsed_s(),
            )
            self._is_dirty = True
            self._store.add_candidate(
                trial.number,
                trial.candidate,
                asked_s=record.asked_s,
                duplicate_of=trial.duplicate_of,
            )
            self._pending[trial.number] = record
            if trial.duplicate_of is None:
                count -= 1
            self._go_on(trial.number)

    def _may_ask(self) -> bool:
        limit = self._search.settings.structures
        if limit is not None and self._search.n_structures + len(self._pending) >= limit:
            return False
        if self._out_of_candidates or self._search.is_exhausted:
            return False
        if self._pool.backlog >= QUEUED_PER_WORKER * self._pool.n_workers:
            return False
        return self._search.stop_reason() is None

    def _advance(self, item: Finished) -> None:
        """Write down an outcome and send the crystal to its next tier, if any."""
        number = item.job.key
        self._pending[number] = with_outcome(
            self._pending[number], item, ladder=self._ladder, store=self._store
        )
        self._is_dirty = True
        self._go_on(number)

    def _go_on(self, number: int) -> None:
        """Queue a candidate for its next tier, or finish it."""
        record = self._pending[number]
        tier = None if record.duplicate_of is not None else self._ladder.next_tier(record.outcomes)
        if tier is None:
            self._finish(record)
        else:
            self._pool.submit(Job(number, tier, record.crystal))

    def _finish(self, record: Record) -> None:
        del self._pending[record.number]
        done = replace(record, finished_s=self._elapsed_s(), core_s=self._core_s())
        verdict = self._search.tell(done)
        self._store.add_record(done, verdict)
        self._is_dirty = True
        self._out_of_candidates = False
        self._count(done)
        if self._watcher is not None:
            self._watcher.record(done, verdict, replayed=False)

    def _count(self, record: Record) -> None:
        if not record.outcomes:
            return
        self.progress.session_structures += 1
        if record.relaxed is not None:
            self._n_relaxed += 1
        failure = record.failure
        if failure is not None and isinstance(failure.outcome, Failed):
            self.progress.failures[str(failure.outcome.reason)] += 1
            self._first_failure = self._first_failure or failure.outcome

    def _stop_reason(self) -> str | None:
        if self._stop_request is not None:
            return self._stop_request
        if self._error_of_all():
            return f"the first {self._search.n_structures} structures all failed"
        reason = self._search.stop_reason()
        if reason is not None:
            return reason
        limits = self.progress.limits
        if limits.time_s is not None and time.monotonic() - self._start >= limits.time_s:
            return "the time is up"
        if limits.core_s is not None and self._core_s() >= limits.core_s:
            return CORE_TIME_SPENT
        if not self._pending:
            if self._search.is_exhausted:
                return "every new candidate repeats one already tried"
            if self._out_of_candidates:
                return "no candidate could be drawn that keeps the limits of the search space"
        return None

    def _error_of_all(self) -> str:
        """Return the first error if all the first structures failed, else an empty text."""
        if self._n_relaxed or self._search.n_structures < FIRST_FAILURES:
            return ""
        failure = self._first_failure
        return "" if failure is None else f"{failure.reason}: {failure.message}"

    def _elapsed_s(self) -> float:
        return self._elapsed_before + time.monotonic() - self._start

    def _core_s(self) -> float:
        driver = time.process_time() - self._start_core_s
        return self._core_before + driver + self._pool.core_s

    def _update_progress(self) -> None:
        self.progress.core_s = self._core_s()
        self.progress.session_s = time.monotonic() - self._start
        self.progress.elapsed_s = self._elapsed_s()
        self.progress.in_flight = len(self._pending)
