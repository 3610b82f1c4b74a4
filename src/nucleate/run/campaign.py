"""The campaign: a search, a ladder, an executor and a journal together are one run.

It is the one loop of the package: searches for structures, series of files, refinements and
baselines all run in it.

A search that learns is told of its records in the order of their numbers, and only when no more
may be asked: at most ``window`` candidates are asked for ahead of the last one told. What the
search knows when it is asked for candidate n is therefore a function of n and the seed, and
neither the speed of the workers nor an interruption changes the candidates.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from nucleate.run.events import LOST, Progress, Silent, Summary
from nucleate.run.executor import Job
from nucleate.run.folder import now, surroundings
from nucleate.run.log import log_outcome
from nucleate.run.promotions import Promotions
from nucleate.run.stopwatch import Stopwatch
from nucleate.run.tally import Tally
from nucleate.run.window import QUEUED_PER_WORKER, WINDOW, window_for
from nucleate.search.book import trial_of
from nucleate.search.checked import CheckedSearch
from nucleate.search.record import Record, TierOutcome
from nucleate.search.stop import NOTHING_DRAWN, Stop
from nucleate.signals import given_up_on_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace
    from nucleate.relax.ladder import Ladder
    from nucleate.run.events import Callback
    from nucleate.run.executor import Executor, Finished
    from nucleate.run.journal import Journal
    from nucleate.search.record import SearchUpdate
    from nucleate.search.search import Search, Trial

POLL_S = 0.2
_log = logging.getLogger(__name__)


class Campaign:
    """One run: keeps every worker busy and writes down everything that comes of it.

    Parameters
    ----------
    journal : Journal
        Empty, or that of the run to continue.
    search, ladder
        Both new; a run that is continued is told to them again.
    executor : Executor
        Who relaxes; ready.
    stop : Stop, optional
        When to stop.
    seed : int, optional
        Of the run, for its records.
    space : SearchSpace, optional
        What candidates must keep; not checked by default.
    watch : Stopwatch, optional
        Started with the pools of the run; default now.
    noted : iterable of Record, optional
        Records of others, which the rules of promotion compare with.
    callback : Callback, optional
        Who is shown the run.
    prepare : callable, optional
        Makes pools that are due before a candidate is asked for; see ``GeneratorMix.prepare_late``.
    """

    def __init__(
        self,
        journal: Journal,
        search: Search,
        ladder: Ladder,
        executor: Executor,
        *,
        stop: Stop | None = None,
        seed: int = 0,
        space: SearchSpace | None = None,
        watch: Stopwatch | None = None,
        noted: Iterable[Record] = (),
        callback: Callback | None = None,
        fixed: Mapping[int, NDArray[np.bool_]] | None = None,
        prepare: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._journal, self._prepare = journal, prepare
        self._search = CheckedSearch(search, space)
        self._ladder = ladder
        self._executor = executor
        self._seed = seed
        self._callback = callback or Silent()
        self._fixed = fixed or {}
        self._learns = self._search.learns
        self._pending: dict[int, Record] = {}
        self._done: dict[int, Record] = {}
        self._untold: deque[int] = deque()
        self._untold_repeats = 0
        self._promotions = Promotions(ladder)
        self.watch = watch or Stopwatch()
        self._stop_request: str | None = None
        self._is_dry = False
        self._is_dirty = False
        self._window = 0
        self.progress = Progress(stop=stop or Stop())
        self._tally = Tally(self.progress.failures)
        for record in noted:
            self._note(record)

    def request_stop(self, reason: str) -> None:
        """Let :meth:`run` end soon; may be called by a signal handler or another thread."""
        self._stop_request = reason

    @property
    def n_finished(self) -> int:
        """Structures that are finished, whether the search was told of them or not."""
        return self._tally.n_finished

    def run(self) -> Summary:
        """Run until the search is over, a rule of ``stop`` holds or a stop was requested."""
        if not self.begin():
            return self._summary(str(self._stop_request), "")
        while (reason := self.stop_reason()) is None:
            self.turn()
        return self.end(reason)

    def begin(self) -> bool:
        """Take up what the journal holds; :meth:`turn` and :meth:`end` come after it.

        Returns False if a stop was requested meanwhile; then it is over.
        """
        if not self._resume():
            return False
        prepared = {"time": now(), "core_s": self._core_s(), **surroundings()}
        self._journal.add_event(self.watch.before_s, "start", prepared)
        self._set_window()
        self._journal.commit()
        _log.info("started with %d records, window %d", self._tally.n_finished, self._window)
        self._settle()
        self.progress.session_structures = 0
        return True

    def end(self, reason: str) -> Summary:
        """Write down why the run ends, and return what came of it."""
        self._tell_rest()
        error = self._error_of_all()
        self._update_progress()
        stopped = {"reason": reason, "error": error, "core_s": self.progress.core_s}
        target = self.progress.stop.target
        if target is not None and not self.progress.stop.is_found:
            stopped["target"] = target.distance_in_words()
        if self.progress.stop.proven is not None:
            stopped["proven"] = self.progress.stop.proven.in_words()
        self._journal.add_event(self.progress.elapsed_s, "stop", stopped)
        self._journal.commit()
        _log.info("stopped: %s", reason)
        self._callback.on_progress(self.progress)
        return self._summary(reason, error)

    def _summary(self, reason: str, error: str) -> Summary:
        return Summary(
            reason=reason,
            error=error,
            n_structures=self._tally.n_finished,
            n_repeats=self.progress.search.n_repeats,
            best=self.progress.search.best,
            progress=self.progress,
        )

    def _resume(self) -> bool:
        """Tell the search and the ladder what the journal holds; queue what was in flight.

        Returns False if a stop was requested meanwhile; everything is as it was.
        """
        for told, update in self._journal.told():
            if self._stop_request is not None:
                return False
            record = told.within(self._ladder.names)
            self._note(record)
            self._replay(record, update)
            self._count(record)
            self.watch.add(record.finished_s, record.core_s)
            self._callback.on_record(record, update, replayed=True)
        for asked in self._journal.unfinished():
            record = asked.within(self._ladder.names)
            self._search.restore(trial_of(record))
            self.watch.add(record.finished_s, record.core_s)
            self._take_up(record)
        for time_s, kind, data in self._journal.events():
            self.watch.add(time_s, data.get("core_s", 0.0))
            if kind == WINDOW and self._learns:
                self._window = data["candidates"]
        return True

    def _note(self, record: Record) -> None:
        for item in record.outcomes:
            self._ladder.note(item.tier, item.outcome)

    def _set_window(self) -> None:
        """Keep the window of earlier starts unless it is too small for these workers."""
        if not self._learns:
            return
        needed = window_for(self._executor.capacity(), self._executor.n_workers)
        if needed > self._window:
            self._window = needed
            first = self._untold[0] if self._untold else self._tally.n_finished
            data = {"candidates": needed, "from": first}
            self._journal.add_event(self.watch.before_s, WINDOW, data)

    def turn(self) -> None:
        """Take up what has ended, ask for new candidates and hand them out; at most 0.2 s."""
        for item in self._executor.poll(POLL_S):
            self._advance(item)
        self._settle()
        self._draw(self._executor.wants())
        self._executor.feed()
        ready = QUEUED_PER_WORKER * self._executor.n_workers
        self._draw(ready - self._executor.n_queued(0))
        self._executor.feed()
        while self._executor.losses:
            loss = self._executor.losses.pop(0)
            _log.warning("worker lost: %s", loss.message)
            self._journal.add_event(self.watch.elapsed_s, LOST, asdict(loss))
            self._is_dirty = True
        if self._is_dirty:
            self._journal.commit()
            self._is_dirty = False
        self._update_progress()
        self._callback.on_progress(self.progress)

    def _draw(self, count: int) -> None:
        """Ask for this many candidates to relax; tell the search of the next one in between."""
        while count > 0 and not self._holds_back() and self.stop_reason() is None:
            if self._is_open():
                with given_up_on_stop():
                    self.watch.add_elsewhere(self._prepare())
                if self.stop_reason() is not None:
                    return
                trial = self._search.ask()
                if trial is None:
                    self._is_dry = True
                    continue
                self._take(trial)
                count -= trial.duplicate_of is None
            elif not self._tell_next():
                return

    def _holds_back(self) -> bool:
        """Return whether no candidate is to be drawn now, whatever the search would say."""
        limit, n_open = self.progress.stop.structures, len(self._pending)
        waits = n_open > 0 and self.progress.stop.waits(self.watch.session_s)
        if waits or (limit is not None and self._tally.n_finished + n_open >= limit):
            return True
        return self._executor.backlog >= QUEUED_PER_WORKER * self._executor.n_workers

    def _is_open(self) -> bool:
        """Return whether the search may be asked before it is told of another record."""
        if self._is_dry or self._search.progress.exhausted:
            return False
        repeats = self._untold_repeats
        return not self._learns or (
            len(self._untold) - repeats < self._window and repeats < self._window
        )

    def _take(self, trial: Trial) -> None:
        record = Record(
            number=trial.number,
            candidate=trial.candidate,
            outcomes=trial.outcomes,
            duplicate_of=trial.duplicate_of,
            seed=self._seed,
            asked_s=self.watch.elapsed_s,
        )
        self._is_dirty = True
        self._journal.add_candidate(record)
        self._take_up(record)
        if trial.outcomes:
            self._settle()

    def _take_up(self, record: Record) -> None:
        """Send a candidate on its way, or take note that it repeats another."""
        if self._learns:
            self._untold.append(record.number)
        if record.duplicate_of is not None:
            self._untold_repeats += 1
            self._finish(record)
            return
        self._pending[record.number] = record
        self._promotions.add(record.number)
        if record.within(self._ladder.names).outcomes:
            self._promotions.arrive(record)
        else:
            self._executor.submit(self._job(record, 0))

    def _job(self, record: Record, tier: int) -> Job:
        return Job(record.number, tier, record.crystal, self._fixed.get(record.number))

    def _advance(self, item: Finished) -> None:
        """Write down an outcome and add it to its record."""
        number, tier = item.job.key, self._ladder.names[item.job.tier]
        self._journal.append_outcome(number, tier, item.outcome)
        self._is_dirty = True
        record = self._pending[number]
        outcomes = (*record.outcomes, TierOutcome(tier, item.outcome))
        self._pending[number] = replace(record, outcomes=outcomes)
        self._promotions.arrive(self._pending[number])
        log_outcome(number, tier, item.outcome)

    def _settle(self) -> None:
        """Queue the crystals that climb, and finish those that do not."""
        for record, tier, is_known in self._promotions.decide():
            if tier is None:
                del self._pending[record.number]
                self._finish(record)
            elif not is_known:
                self._executor.submit(self._job(record, tier))

    def _finish(self, record: Record) -> None:
        if not record.finished_s:
            record = replace(record, finished_s=self.watch.elapsed_s, core_s=self._core_s())
        self._done[record.number] = record
        self._count(record)
        if not self._learns:
            self._tell(record.number)

    def _tell_next(self) -> bool:
        """Tell the search of the record with the smallest number that it does not know."""
        if not self._untold or self._untold[0] not in self._done:
            return False
        self._tell(self._untold.popleft())
        return True

    def _tell_rest(self) -> None:
        """Tell the search of what is finished; the next start takes this back."""
        for number in sorted(self._done):
            self._tell(number, provisional=True)

    def _tell(self, number: int, *, provisional: bool = False) -> None:
        record = self._done.pop(number)
        self._untold_repeats -= record.duplicate_of is not None and not record.outcomes
        update = self._search.tell(record)
        is_target = self.progress.stop.is_found_by(number)
        update = replace(update, is_target=is_target) if is_target else update
        self._journal.add_record(record, update, provisional=provisional)
        self._is_dirty = True
        self._is_dry = False
        self._callback.on_record(record, update, replayed=False)

    def _replay(self, record: Record, update: SearchUpdate) -> None:
        """Tell the search of a record of an earlier start; keep its memo where there is none."""
        memo = self._search.replay(record, update)
        if memo and not update.memo:
            self._journal.add_memo(record.number, memo)
            self._is_dirty = True

    def _count(self, record: Record) -> None:
        self.progress.stop.note(record)
        self.progress.session_structures += self._tally.count(record)

    def stop_reason(self) -> str | None:
        """Return why the run is over, or None."""
        if self._stop_request is not None:
            return self._stop_request
        if self._error_of_all():
            return f"the first {self._tally.n_finished} structures all failed"
        reason = self._search.stop_reason() or self.progress.stop.reason(
            self._search.progress,
            n_finished=self._tally.n_finished,
            n_failed=sum(self.progress.failures.values()),
            n_relaxed=self._tally.n_relaxed,
            session_s=self.watch.session_s,
            used_core_s=self._core_s(),
        )
        if reason is not None or self._pending or self._done:
            return reason
        if self._search.progress.exhausted:
            return "every new candidate repeats one already tried"
        if self._is_dry:
            return NOTHING_DRAWN
        return None

    def _error_of_all(self) -> str:
        """Return the first error if all the first structures of a search failed, else nothing."""
        return self._tally.error_of_all() if self._learns else ""

    def _core_s(self) -> float:
        return self.watch.core_s(self._executor.core_s)

    def _update_progress(self) -> None:
        self.progress.core_s, self.progress.session_s = self._core_s(), self.watch.session_s
        self.progress.elapsed_s = self.watch.elapsed_s
        self.progress.in_flight, self.progress.screened = len(self._pending), self._tally.n_screened
        self.progress.search = self._search.progress
