"""One kind of block as the driver sees it: queues of jobs, tasks in flight, and what came back."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nucleate import __version__
from nucleate.errors import InputError, NucleateError, reported
from nucleate.relax.outcome import Failed, FailReason
from nucleate.run.executor import Finished, Loss
from nucleate.run.pool import WorkerStartError
from nucleate.run.remote.messages import (
    Reply,
    Task,
    outcome_from,
    plain_job,
    plain_spec,
    shallow,
)
from nucleate.run.remote.work import work
from nucleate.text import clean
from nucleate.trouble import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor as Futures
    from concurrent.futures import Future
    from queue import SimpleQueue

    from nucleate.run.executor import Job
    from nucleate.run.process import WorkerSpec

LOSSES_IN_A_ROW = 10
BEGINNINGS_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """How tasks are made and repeated.

    Attributes
    ----------
    name : str
        Of the kind of block, for messages.
    workers : int
        Tasks that run at the same time.
    ahead : int
        Further tasks that the engine is given, so that no worker waits for the next one.
    lease_s : float
        Seconds after which a worker gives unfinished relaxations back.
    retries : int
        How often a structure whose worker was lost is tried again.
    limit_memory : bool
        Whether a worker is limited to its part of its node.
    workers_per_node : int
        Workers that share a node.
    """

    name: str
    workers: int
    ahead: int = 0
    lease_s: float = 30.0
    retries: int = 5
    limit_memory: bool = False
    workers_per_node: int = 1


@dataclass(frozen=True, slots=True)
class _Sent:
    """A task that the engine has, and when it was sent."""

    jobs: tuple[Job, ...]
    at_s: float


class Lane:
    """Gives the jobs of some tiers to an executor of futures.

    Parameters
    ----------
    begin : callable
        Returns the executor of futures; called again when that one is broken.
    spec : WorkerSpec
        How workers are started, with the tiers of this lane only.
    tiers : tuple of int
        Their numbers in the run.
    settings : LaneSettings
        How tasks are made.
    done : SimpleQueue
        Takes (lane, future) when a task is done.
    """

    def __init__(
        self,
        begin: Callable[[], Futures],
        spec: WorkerSpec,
        tiers: tuple[int, ...],
        settings: LaneSettings,
        done: SimpleQueue[tuple[Lane, Future[Any]]],
    ) -> None:
        self._begin = begin
        self._futures = begin()
        self._done = done
        self.tiers = tiers
        self.settings = settings
        self._task = shallow(
            Task(
                plain_spec(spec),
                lease_s=settings.lease_s,
                limit_memory=settings.limit_memory,
                workers_per_node=settings.workers_per_node,
            )
        )
        self._queues: dict[int, deque[Job]] = {tier: deque() for tier in tiers}
        self._alone: deque[Job] = deque()
        self._flying: dict[Future[Any], _Sent] = {}
        self._tries: Counter[int] = Counter()
        self._losses_in_a_row = 0
        self._begun_in_a_row = 0
        self.levels: list[dict[str, str]] = []
        self.free: dict[int, int] = {}
        self.losses: list[Loss] = []
        self.core_s = 0.0
        self._threads = max(spec.threads, 1)

    def call(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Let any worker call a function."""
        return self._futures.submit(function, *args)

    def trouble(self) -> str:
        """Return what keeps the workers from being used, as far as it is known; else nothing."""
        return str(getattr(self._futures, "trouble", str)())

    def probe(self) -> None:
        """Send a task without jobs, whose reply says what the workers are."""
        self._send(())

    def n_queued(self, tier: int) -> int:
        """Return how many jobs are queued for a tier."""
        return len(self._queues.get(tier, ()))

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._queues[job.tier].append(job)

    @property
    def capacity(self) -> int:
        """How many crystals the workers hold at a time."""
        return self.settings.workers * sum(self.free.values())

    @property
    def _room(self) -> int:
        """How many more tasks the engine may be given."""
        return self.settings.workers + self.settings.ahead - len(self._flying)

    def wants(self, tier: int) -> int:
        """Return how many more jobs of a tier could start now."""
        if tier not in self.free or self._alone:
            return 0
        return max(self._room * self.free[tier] - len(self._queues[tier]), 0)

    def feed(self) -> None:
        """Make tasks of what is queued, the highest tier first, as long as there is room."""
        while self._room > 0:
            if self._alone:
                self._send((self._alone.popleft(),))
                continue
            jobs: list[Job] = []
            for tier in reversed(self.tiers):
                queue = self._queues[tier]
                share = math.ceil(len(queue) / self._room)
                jobs += [queue.popleft() for _ in range(min(self.free.get(tier, 1), share))]
            if not jobs:
                return
            self._send(tuple(jobs))

    def _send(self, jobs: tuple[Job, ...]) -> None:
        places = {tier: place for place, tier in enumerate(self.tiers)}
        plain = [plain_job(replace(job, tier=places[job.tier])) for job in jobs]
        data = {"version": __version__, **self._task, "jobs": plain}
        try:
            future = self._futures.submit(work, data)
        except (BrokenExecutor, RuntimeError) as error:
            self._begin_again(f"{type(error).__name__}: {clean(error)}")
            future = self._futures.submit(work, data)
        self._flying[future] = _Sent(jobs, time.monotonic())
        future.add_done_callback(lambda ended: self._done.put((self, ended)))

    def _begin_again(self, why: str) -> None:
        """Start another executor of futures in place of one that is broken.

        Raises
        ------
        WorkerStartError
            If the last ones have broken or could not be started either.
        """
        with suppress(Exception):
            self._futures.shutdown(wait=False, cancel_futures=True)
        while self._begun_in_a_row < BEGINNINGS_IN_A_ROW:
            self._begun_in_a_row += 1
            try:
                self._futures = self._begin()
            except NucleateError:
                raise
            except Exception as error:  # noqa: BLE001  whatever the engine raises
                why = f"{type(error).__name__}: {clean(error)}"
                continue
            return
        raise WorkerStartError(f"block {self.settings.name!r} cannot be used: {why}")

    def watch(self) -> list[Finished]:
        """Replace an executor of futures that says it is broken; return jobs tried too often."""
        trouble = self.trouble()
        if not trouble:
            return []
        flying, self._flying = self._flying, {}
        self._begin_again(clean(trouble)[:1000])
        finished: list[Finished] = []
        for place, sent in enumerate(flying.values()):
            began = place < self.settings.workers
            finished += self._lost(sent, clean(trouble)[:500], began=began)
        return finished

    def take(self, future: Future[Any]) -> list[Finished]:
        """Take what a task has come to; return the jobs that have ended.

        Raises
        ------
        InputError, MissingDependencyError, WorkerStartError, MachineError
            If the engines cannot be used on the nodes.
        """
        sent = self._flying.pop(future, None)
        if sent is None:
            return []
        try:
            reply = Reply(**future.result())
        except (Exception, CancelledError) as error:  # noqa: BLE001  whatever the engine raises
            return self._lost(sent, f"{type(error).__name__}: {clean(error)}"[:500])
        self._check(reply)
        if reply.error is not None:  # other workers could use the engines
            return self._lost(sent, f"{reply.host}: {reply.error['message']}")
        self._losses_in_a_row = self._begun_in_a_row = 0
        self.levels, self.core_s = reply.levels, self.core_s + reply.core_s
        self.free = dict(zip(self.tiers, reply.free, strict=True))
        self.losses += [Loss(f"{reply.host}: {loss}") for loss in reply.losses]
        known = {job.key: job for job in sent.jobs}
        finished = [Finished(known.pop(key), outcome_from(row)) for key, row in reply.finished]
        for key, unfinished in reversed(reply.unfinished):
            job = known.pop(key)
            if key in reply.abandoned and self._is_tried_too_often(job):
                text = f"it did not end before block {self.settings.name!r} was taken away"
                finished.append(Finished(job, Failed(FailReason.TIMEOUT, text)))
                continue
            self._queues[job.tier].appendleft(replace(job, unfinished=unfinished))
        for item in finished:
            self._tries.pop(item.job.key, None)
        return finished

    def _check(self, reply: Reply) -> None:
        if reply.version != __version__:
            raise InputError(
                f"executor: the workers of block {self.settings.name!r} on {reply.host} have "
                f"nucleate {reply.version}, and this is {__version__}. Install the same version in "
                "their environment (worker_init)."
            )
        error = reply.error
        if error is None or self.levels:
            return
        where = f"block {self.settings.name!r} on {reply.host}: "
        if error["class"] == MachineError.__name__:
            raise MachineError(where + error["message"])
        if error["kind"]:
            raise reported(error["kind"], where + error["message"])
        raise WorkerStartError(where + error["message"])

    def _lost(self, sent: _Sent, what: str, *, began: bool = True) -> list[Finished]:
        """Note a lost task; return the jobs that were tried too often, repeat the others.

        Nobody knows when it began on its node. Its processor time is taken to be that since it
        was sent, at most a lease of one worker.
        """
        jobs = sent.jobs
        message = f"a worker of block {self.settings.name!r} was lost ({what})"
        core_s = min(time.monotonic() - sent.at_s, self.settings.lease_s) * self._threads
        core_s = core_s if jobs and began else 0.0
        self.core_s += core_s
        self.losses.append(Loss(message, core_s))
        self._losses_in_a_row += 1
        if self._losses_in_a_row > LOSSES_IN_A_ROW + 2 * self.settings.workers:
            raise WorkerStartError(f"the workers cannot be used: {message}")
        if not jobs:
            time.sleep(min(0.1 * self._losses_in_a_row, 2.0))
            self.probe()
        finished: list[Finished] = []
        for job in jobs:
            if not self._is_tried_too_often(job):
                self._alone.append(job)
                continue
            text = f"{message}, as were those of {self.settings.retries} attempts before"
            finished.append(Finished(job, Failed(FailReason.CRASHED, text)))
        return finished

    def _is_tried_too_often(self, job: Job) -> bool:
        """Count an attempt that came to nothing."""
        self._tries[job.key] += 1
        if self._tries[job.key] <= self.settings.retries:
            return False
        del self._tries[job.key]
        return True

    def close(self) -> None:
        """End everything."""
        self._flying.clear()
        with suppress(Exception):
            self._futures.shutdown(wait=False, cancel_futures=True)
