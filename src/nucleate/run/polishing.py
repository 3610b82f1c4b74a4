"""The final phase of a run: relaxations of its best structures, under the same loop as all others.

Each relaxation has a start of its own, and its outcome is written to a record of the run under the
name of a tier. What was done in an earlier start is not done again.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.relax.ladder import Ladder
from nucleate.relax.settings import under_pressure
from nucleate.run.campaign import Campaign
from nucleate.run.events import Silent
from nucleate.run.journal import RefinementJournal
from nucleate.run.lock import locked
from nucleate.run.old_keys import stored_tier
from nucleate.run.pressure import compression_of
from nucleate.run.starting import start_executor
from nucleate.run.store import Store
from nucleate.search.listed import COMPLETE, ListSearch
from nucleate.search.search import Trial
from nucleate.search.stop import Stop
from nucleate.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome
    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor
    from nucleate.run.starting import Where
    from nucleate.search.record import Record, SearchUpdate

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A geometry to relax for a record.

    Attributes
    ----------
    record : int
        Number of the record.
    tier : str
        Under which its outcome is written.
    crystal : Crystal
        Where the relaxation starts.
    """

    record: int
    tier: str
    crystal: Crystal


@dataclass(frozen=True, slots=True)
class PhaseSummary:
    """How a phase ended.

    Attributes
    ----------
    n_starts, n_done : int
        Relaxations that were wanted, and that are done, those of earlier starts included.
    core_s : float
        Processor time in seconds of this start.
    reason : str
        Why it stopped before its end; empty if it is complete.
    """

    n_starts: int
    n_done: int
    core_s: float = 0.0
    reason: str = ""


def relax_starts(
    folder: Path,
    tier: TierSettings,
    starts: Sequence[Start],
    *,
    source: str,
    where: Where,
    budget_s: float | None = None,
    on_done: Callable[[int, int], None] = lambda *_: None,
    executor: Executor | None = None,
) -> PhaseSummary:
    """Relax geometries for records of a run, and write the outcomes to its store.

    Ctrl-C and SIGTERM end it after what is being written; the same call continues.

    Parameters
    ----------
    folder
        The run folder.
    tier
        Engine and criteria.
    starts
        The most important first.
    source
        What the tiers of the starts are said to be made by.
    where
        Input that says where it is computed.
    budget_s
        Processor time in seconds after which it stops.
    on_done
        Called with how many are done, and how many there are.
    executor
        Who relaxes; default: worker processes.

    Raises
    ------
    InputError
        If the folder is in use.
    WorkerStartError
        If the engine cannot be loaded.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        store = stack.enter_context(Store.append_to(folder))
        left = _not_done(store, tier, starts, source)
        n_before = len(starts) - len(left)
        on_done(n_before, len(starts))
        if not left:
            return PhaseSummary(len(starts), n_before)
        if executor is None:
            executor = start_executor(
                where,
                under_pressure([tier], compression_of(store)),
                folder,
                pressure_gpa=store.meta["input"]["problem"]["pressure_gpa"],
                most=len(left),
            )
            stack.callback(executor.close)
        seen = _Counting(n_before, len(starts), on_done)
        campaign = Campaign(
            PhaseJournal(store, left, source),
            ListSearch(_trial(place, start) for place, start in enumerate(left)),
            Ladder([tier]),
            executor,
            stop=Stop(core_s=budget_s),
            callback=seen,
        )
        stack.enter_context(stopping_on_signals(campaign.request_stop))
        summary = campaign.run()
        reason = "" if summary.reason == COMPLETE else summary.reason
        _log.info("%s: %d of %d, %s", source, seen.done, len(starts), reason or COMPLETE)
        return PhaseSummary(len(starts), seen.done, summary.progress.core_s, reason)


class PhaseJournal(RefinementJournal):
    """Writes the outcome of each trial to the record and tier of its start.

    Parameters
    ----------
    store : Store
        Of the run.
    starts : sequence of Start
        In the order of the numbers of their trials.
    source : str
        What the phase is called in the log.
    """

    def __init__(self, store: Store, starts: Sequence[Start], source: str) -> None:
        super().__init__(store)
        self._starts = starts
        self._source = source

    def append_outcome(self, number: int, tier: str, outcome: Outcome) -> None:
        """Write an outcome to its record."""
        del tier
        start = self._starts[number]
        self._store.append_outcome(start.record, start.tier, outcome)

    def add_event(self, time_s: float, kind: str, data: Mapping[str, Any]) -> None:
        """Write something that happened, as a part of the phase."""
        self._store.add_event(time_s, f"{self._source}-{kind}", {"of": dict(data)})


def _not_done(
    store: Store, tier: TierSettings, starts: Sequence[Start], source: str
) -> list[Start]:
    """Return the starts without an energy of these settings; add their tiers to the run."""
    settings = tier.model_dump(mode="json")
    known = store.added_tiers() | store.judges()
    elapsed_s = max((time_s for time_s, *_ in store.events()), default=0.0)
    left = []
    for name in dict.fromkeys(start.tier for start in starts):
        is_new = stored_tier(known.get(name, {}).get("settings", {})) != settings
        if is_new:
            store.add_tier(elapsed_s, name, {"source": source, "settings": settings})
        done = {} if is_new else store.statuses(name)
        left += [
            start
            for start in starts
            if start.tier == name and done.get(start.record, "failed") == "failed"
        ]
    store.commit()
    places = {id(start): place for place, start in enumerate(starts)}
    return sorted(left, key=lambda start: places[id(start)])


def _trial(number: int, start: Start) -> Trial:
    return Trial(number, Candidate(start.crystal, Origin(start.tier)))


class _Counting(Silent):
    """Counts what is done."""

    def __init__(self, done: int, whole: int, on_done: Callable[[int, int], None]) -> None:
        self.done = done
        self._whole = whole
        self._on_done = on_done

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Count it."""
        del record, update, replayed
        self.done += 1
        self._on_done(self.done, self._whole)
