"""Puts a surrogate before the first tier: an executor around the one that relaxes.

A candidate goes to the minimum of the surrogate; what is promising, and a random share, is finished
by the first tier from there. The others come back as not finished. What is learned, decided and
fitted is written down as soon as it is known.
"""

from __future__ import annotations

import base64
import logging
from bisect import insort
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.events import Silent
from nucleate.run.executor import Finished, Job
from nucleate.run.learning.tables import FINISHES, Considered, Decision
from nucleate.surrogate.frames import Frame, compressed
from nucleate.surrogate.packing import pack

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.run.executor import Executor, Report
    from nucleate.run.learning.lessons import Lessons
    from nucleate.run.learning.screening import Screening
    from nucleate.run.learning.tables import LearningTables
    from nucleate.run.learning.walks import Walks
    from nucleate.search.record import Record, SearchUpdate

SURROGATE, FIRST = 0, 1
"""Places of the surrogate and the first tier among those of the executor inside."""

HELD = 1.5
"""Candidates that are held for each that the tiers can take at a time: many are not finished. What
is learned is used only after as many candidates, as the search receives no record before."""

_log = logging.getLogger(__name__)


class LearningExecutor(Silent):
    """An :class:`~nucleate.run.executor.Executor` with a surrogate before its first tier.

    It is shown the records as a callback, in the order in which the search receives them.

    Parameters
    ----------
    inner : Executor
        Relaxes on the tiers of :func:`~nucleate.run.learning.settings.tiers_with_surrogate`.
    n_tiers : int
        Tiers of the run without the surrogate.
    screening : Screening
        Decides what is finished and learned.
    lessons : Lessons
        Which evaluations make which fit.
    tables : LearningTables
        Where everything is kept.
    walks : Walks
        Says with what chance steps of walks are finished.
    """

    def __init__(
        self,
        inner: Executor,
        n_tiers: int,
        screening: Screening,
        lessons: Lessons,
        tables: LearningTables,
        walks: Walks,
    ) -> None:
        self._inner = inner
        self._points = FIRST + n_tiers
        self._screening = screening
        self._lessons = lessons
        self._tables = tables
        self._walks = walks
        self.n_workers = inner.n_workers
        self.losses = inner.losses
        self._is_live = False
        self._starts: dict[int, Crystal] = {}
        self._held: list[int] = []  # candidates whose fit is not ready
        self._undecided: list[int] = []
        self._considered: dict[int, Considered] = {}
        self._ended: dict[int, Finished] = {}  # waiting for an evaluation
        self._doubted: dict[int, Considered] = {}
        self._settled: dict[int, Decision] = {}  # of those that were doubted
        self._frames: dict[int, list[bytes]] = {}  # written together with the outcome
        self._ready: list[Finished] = []
        self._at_point = tables.points()
        self._with_frames = tables.with_frames()
        for found in tables.considered():
            self._considered[found.number] = replace(found, crystal=None)
            screening.note(found)
            walks.note(found)
        for review in screening.reviews:
            self._teach(review.number)

    @property
    def levels(self) -> list[dict[str, str]] | None:
        """Levels of theory of the tiers of the run, once their engines are loaded."""
        levels = self._inner.levels
        return None if levels is None else levels[FIRST : self._points]

    def wait_until_ready(self, report: Report = lambda *_: None) -> list[dict[str, str]]:
        """Return the levels of theory of the tiers of the run as soon as they are loaded."""
        return self._inner.wait_until_ready(report)[FIRST : self._points]

    @property
    def core_s(self) -> float:
        """Processor time in seconds that was spent in other processes, on fits too."""
        return self._inner.core_s

    @property
    def backlog(self) -> int:
        """How many jobs are queued for the tiers of the run."""
        return self._inner.backlog

    def capacity(self) -> int:
        """Return how many candidates are held at a time."""
        return int(HELD * self._inner.capacity())

    def n_queued(self, tier: int) -> int:
        """Return how many jobs are queued for a tier; for the first, candidates that wait."""
        if tier == 0:
            return self._inner.n_queued(SURROGATE) + len(self._held)
        return self._inner.n_queued(tier + FIRST)

    def wants(self) -> int:
        """Return how many more candidates could be started now."""
        return max(self._inner.wants() - len(self._held), 0)

    def feed(self) -> None:
        """Hand out queued jobs."""
        self._inner.feed()

    def close(self) -> None:
        """End everything."""
        self._inner.close()

    def submit(self, job: Job) -> None:
        """Take a job; one for the first tier begins with the surrogate where there is one."""
        if job.tier or job.key < 0:  # a tier above, or no candidate of the search
            self._inner.submit(replace(job, tier=job.tier + FIRST))
            return
        number = job.key
        if self._is_live:
            for review in self._screening.start(number):
                self._tables.add_review(review)
                self._teach(review.number)
        self._starts[number] = job.crystal
        known = self._considered.get(number)
        if known is not None:
            self._follow(replace(known, crystal=self._tables.minimum(number)))
        elif self._screening.fit_for(number) is None:
            self._relax(number, job.crystal)
        else:
            insort(self._undecided, number)
            self._held.append(number)
            self._release()

    def poll(self, timeout_s: float) -> list[Finished]:
        """Wait for what ends, at most about ``timeout_s`` seconds, and return it."""
        self._is_live = True
        for item in self._inner.poll(0.0 if self._ready else timeout_s):
            self._take(item)
        ready, self._ready = self._ready, []
        return ready

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Take note of a record that the search has received, from which reviews follow."""
        if not record.outcomes:
            return
        self._walks.told(record)
        number, first = record.number, record.outcomes[0].outcome
        self._screening.told(
            number,
            self._considered.pop(number, None),
            first.enthalpy_per_atom if isinstance(first, Relaxed) else None,
            learns=number in self._with_frames,
            point=self._at_point.pop(number, None),
        )
        self._with_frames.discard(number)

    def _take(self, item: Finished) -> None:
        job = item.job
        if "learn" in job.options:
            self._learned(item)
        elif job.tier == SURROGATE:
            self._consider(item)
        elif job.tier == self._points and job.key in self._doubted:
            self._settle(self._doubted.pop(job.key), item)
        elif job.tier == self._points:
            self._keep_frames(job.key, item)
            ended = self._ended.pop(job.key)
            if isinstance(ended.outcome, Failed) and isinstance(item.outcome, Relaxed):
                self._at_point[job.key] = item.outcome.enthalpy_per_atom  # not of a compressed copy
            self._return(ended)
        elif job.tier == FIRST and job.key >= 0:
            self._finish(item)
        else:
            self._ready.append(_outside(item))

    def _teach(self, number: int) -> None:
        job = self._lessons.job_of(number)
        if job is not None:
            self._inner.submit(job)

    def _learned(self, item: Finished) -> None:
        """Keep a fit, and start the candidates that wait for it."""
        again = self._lessons.take(item)
        if again is not None:
            self._inner.submit(again)
        self._release()

    def _release(self) -> None:
        """Start the candidates whose fit is ready."""
        held, self._held = self._held, []
        for number in held:
            fit = self._screening.fit_for(number)
            assert fit is not None
            if not self._lessons.is_ready(fit):
                self._held.append(number)
            elif (found := self._lessons.model_for(fit)) is None:
                self._undecided.remove(number)
                self._relax(number, self._starts[number])
            else:
                options = {"fit": found[0], "model": found[1]}
                job = Job(number, SURROGATE, self._starts[number], options=options)
                self._inner.submit(job)
        self._decide()

    def _consider(self, item: Finished) -> None:
        """Take a minimum of the surrogate, about which is to be decided."""
        outcome, number = item.outcome, item.job.key
        is_relaxed = isinstance(outcome, Relaxed)
        found = Considered(
            number=number,
            fit=item.job.options["fit"],
            enthalpy=outcome.enthalpy_per_atom if is_relaxed else None,
            leverage=item.extra.get("leverage"),
            crystal=outcome.crystal if is_relaxed else outcome.last,
            message="" if is_relaxed else f"{outcome.reason}: {outcome.message}",
            evaluations=outcome.evaluations if is_relaxed else 0,
            wall_s=outcome.wall_s,
        )
        self._considered[number] = found
        self._decide()

    def _decide(self) -> None:
        """Decide about candidates in the order of their numbers, as far as they are known."""
        while self._undecided and (found := self._considered.get(self._undecided[0])) is not None:
            self._undecided.pop(0)
            decided = self._screening.decide(found, self._walks.chance(found))
            self._walks.note(found)
            self._tables.add(decided)
            self._considered[found.number] = replace(decided, crystal=None)
            self._follow(decided)

    def _follow(self, found: Considered) -> None:
        """Do what was decided."""
        number = found.number
        if found.decision in FINISHES:
            minimum = None if found.enthalpy is None else found.crystal
            self._relax(number, minimum or self._starts[number])
            return
        if found.decision in (Decision.DOUBTED, Decision.REFUTED) and found.crystal is not None:
            self._doubted[number] = found
            self._point(number, found.crystal)
            return
        ended = self._not_finished(found)
        if found.decision is Decision.POINT and found.crystal is not None:
            self._ended[number] = ended
            self._point(number, found.crystal)
        else:
            self._ready.append(ended)

    def _settle(self, found: Considered, item: Finished) -> None:
        """Finish a doubted candidate unless the first tier, asked once, finds it too high."""
        number, outcome = found.number, item.outcome
        has_failed = not isinstance(outcome, Relaxed)
        if has_failed or self._screening.confirms(number, outcome.enthalpy_per_atom):
            self._settled[number] = Decision.CONFIRMED
            self._relax(number, found.crystal or self._starts[number])
        else:
            self._settled[number] = Decision.REFUTED
            self._at_point[number] = outcome.enthalpy_per_atom
            self._keep_frames(number, item)
            self._return(self._not_finished(found))

    def _not_finished(self, found: Considered) -> Finished:
        words = found.message or f"by fit {found.fit} not among the promising ones"
        if self._settled.get(found.number) is Decision.REFUTED:
            words = f"promising by fit {found.fit}, but not by one evaluation of the first tier"
        if found.repeats is not None:
            words = (
                f"by fit {found.fit} of the surrogate the same minimum as record {found.repeats}"
            )
        failed = Failed(FailReason.SCREENED, words, None, found.wall_s)
        return Finished(Job(found.number, 0, self._starts.pop(found.number)), failed)

    def _relax(self, number: int, crystal: Crystal) -> None:
        frames = self._screening.frames(number)
        options = {"frames": frames} if frames else {}
        self._inner.submit(Job(number, FIRST, crystal, options=options))

    def _point(self, number: int, crystal: Crystal) -> None:
        self._inner.submit(Job(number, self._points, crystal, options={"frames": 1}))

    def _finish(self, item: Finished) -> None:
        """Keep the evaluations of a relaxation, and ask for that of a compressed copy."""
        number, outcome = item.job.key, item.outcome
        self._keep_frames(number, item)
        ended = _outside(replace(item, job=replace(item.job, crystal=self._starts.pop(number))))
        if isinstance(outcome, Relaxed) and self._screening.is_compressed(number):
            rng = self._screening.rng(number)
            self._ended[number] = ended
            self._point(number, compressed(outcome.crystal, rng=rng))
        else:
            self._return(ended)

    def _return(self, ended: Finished) -> None:
        """Return an outcome to the run, and write the evaluations that belong to it."""
        number = ended.job.key
        if number in self._settled:
            self._tables.settle(number, self._settled.pop(number))
        if number in self._at_point:
            self._tables.add_point(number, self._at_point[number])
        for data in self._frames.pop(number, ()):
            self._tables.add_frames(number, data)
            self._with_frames.add(number)
        self._ready.append(ended)

    def _keep_frames(self, number: int, item: Finished) -> None:
        outcome = item.outcome
        if isinstance(outcome, Failed) and outcome.reason is FailReason.COLLAPSED:
            return  # an unphysical minimum of the tier, from which nothing is to be learned
        data = base64.b64decode(item.extra.get("frames", ""))
        if not data and isinstance(outcome, Relaxed) and "frames" in item.job.options:
            with suppress(InputError):
                end = outcome.crystal, outcome.energy, outcome.forces, outcome.stress_gpa
                data = pack([Frame(*end)])
        if data:
            self._frames.setdefault(number, []).append(data)


def _outside(item: Finished) -> Finished:
    """Return what has ended with the place of its tier in the run."""
    return replace(item, job=replace(item.job, tier=item.job.tier - FIRST))
