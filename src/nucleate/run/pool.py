"""Long-lived worker processes: several crystals in flight each, killed and replaced on trouble.

A worker that dies or hangs takes its crystals with it. If it had only one, that one has failed;
of several nobody knows the culprit, so each is tried once more, alone. A worker that was killed or
suspended from outside says nothing of its crystals: they are tried again, each alone. One that
breaks the protocol (closed streams, nonsense as messages) is a worker that died.

The machine's trouble, such as a full disk, ends the run; nothing is recorded of the crystals.

Tiers whose engines need a Python of their own have workers of their own. No more workers are at
work than there would be otherwise: those of the highest tier go first. One that still loads its
engine counts as at work, so that with one worker the course of a run does not depend on timing.
"""

from __future__ import annotations

import selectors
import signal
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING

from nucleate.errors import InputError, NucleateError, reported
from nucleate.processes import describe_exit
from nucleate.relax.outcome import Failed, FailReason
from nucleate.run.codec import checked, decode, from_json
from nucleate.run.events import COMPILING, LOADING
from nucleate.run.executor import LESSON, Finished, Job, Loss
from nucleate.run.process import DEFAULT_STEP_LIMIT_S, WorkerProcess, WorkerSpec
from nucleate.text import clean
from nucleate.trouble import MachineError

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.run.executor import Report
    from nucleate.run.wire import Message

START_LIMIT_S = 600.0
LOSSES_IN_A_ROW = 10
FAILED_STARTS = 10
"""More starts than there are workers that may fail in a row."""

TRIES = 10
"""How often a crystal whose worker is killed from outside is tried."""

GAP_S = 5.0
"""A poll that takes longer than it should by this was no poll: the process was suspended."""

FROM_OUTSIDE = tuple(
    int(getattr(signal, name))
    for name in ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
"""Signals that no fault of a program sends."""


class WorkerStartError(NucleateError):
    """Workers cannot load their engines; the message holds the error in full."""


class Pool:
    """Workers and the queues of jobs for them, one queue per tier.

    An :class:`~nucleate.run.executor.Executor`. A worker gets new crystals only when it waits,
    which is after it has reported finished ones: until the next `feed` it stands still, so `feed`
    should come soon.

    Parameters
    ----------
    spec : WorkerSpec
        How workers are started.
    workers : int
        Number of workers that compute at the same time; the same number is started for each
        interpreter.
    logs : Path, optional
        Folder for what workers write to standard error, created if necessary; by default it is
        kept in files without a name.
    """

    def __init__(self, spec: WorkerSpec, *, workers: int, logs: Path | None = None) -> None:
        self._spec = spec
        self.n_workers = workers
        self._queues: list[deque[Job]] = [deque() for _ in spec.tiers]
        self._alone: deque[Job] = deque()
        self._lessons: deque[Job] = deque()
        self._capacity = 0
        self._workers: list[WorkerProcess] = []
        self._selector = selectors.DefaultSelector()
        self._logs = logs
        self._tries: Counter[int] = Counter()
        self._last_poll = time.monotonic()
        self._ever_ready: set[str] = set()
        self._failed_starts: Counter[str] = Counter()
        self._started = 0
        self._losses_in_a_row = 0
        self._core_s_of_lost = 0.0
        self.losses: list[Loss] = []
        for python in spec.tiers_by_python():
            for _ in range(workers):
                self._spawn(python)

    def close(self) -> None:
        """End all workers at once, whatever they are doing."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()
        self._selector.close()
        if self._logs is not None:
            with suppress(OSError):
                self._logs.rmdir()  # where no worker had anything to say

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def levels(self) -> list[dict[str, str]] | None:
        """Levels of theory of the tiers, once workers have loaded them all."""
        loaded = {
            tier: level
            for worker in self._workers
            for tier, level in zip(worker.tiers, worker.levels or (), strict=False)
        }
        return (
            [loaded[tier] for tier in sorted(loaded)] if len(loaded) == len(self._queues) else None
        )

    @property
    def core_s(self) -> float:
        """Processor time in seconds that the workers spent on relaxations, lost workers included.

        The loading of the engines does not count.
        """
        return self._core_s_of_lost + sum(worker.core_s for worker in self._workers)

    def pids(self) -> list[int]:
        """Return the process numbers of the workers."""
        return [worker.pid for worker in self._workers]

    def n_queued(self, tier: int) -> int:
        """Return how many jobs are queued for a tier."""
        return len(self._queues[tier])

    @property
    def backlog(self) -> int:
        """How many jobs are queued for tiers after the first."""
        return sum(len(queue) for queue in self._queues[1:])

    def submit(self, job: Job) -> None:
        """Queue a job."""
        (self._lessons if LESSON in job.options else self._queues[job.tier]).append(job)

    def capacity(self) -> int:
        """Return how many crystals all tiers hold at a time, once workers are ready."""
        return self._capacity

    def wants(self) -> int:
        """Return how many more jobs of the first tier the waiting workers could start now."""
        free = sum(
            worker.free.get(0, 0)
            for worker in self._workers
            if worker.is_waiting and not worker.alone
        )
        return max(free - len(self._queues[0]), 0)

    def feed(self) -> None:
        """Hand queued jobs to the workers that wait, the highest tier first, and let them work."""
        at_work = sum(not worker.is_waiting for worker in self._workers)
        for worker in sorted(self._workers, key=lambda worker: -max(worker.tiers)):
            if not worker.is_waiting or at_work >= self.n_workers:
                continue
            lonely = next((job for job in self._alone if job.tier in worker.tiers), None)
            worker.alone = lonely is not None and not worker.jobs
            if lonely is not None and worker.alone:
                self._alone.remove(lonely)
                worker.give(lonely)
            else:
                self._fill(worker)
            if worker.jobs:
                worker.go()
                at_work += 1

    def poll(self, timeout_s: float) -> list[Finished]:
        """Wait for messages, at most ``timeout_s`` seconds; return the jobs that have ended.

        Raises
        ------
        InputError
            If an engine's settings cannot be used, or its package is not installed.
        WorkerStartError
            If a worker cannot load its engines, or workers die one after the other.
        """
        return self._receive(timeout_s)

    def _receive(self, timeout_s: float) -> list[Finished]:
        finished: list[Finished] = []
        for key, _ in self._selector.select(timeout_s):
            finished += self._hear(key.data)
        self._give_back_gap(timeout_s)
        for worker in list(self._workers):
            if worker.has_ended:
                finished += self._hear_rest(worker)
            elif self._hangs(worker):
                finished += self._lost(worker, hangs=True)
        return finished

    def _hear(self, worker: WorkerProcess) -> list[Finished]:
        """Take what a worker sends; one that sends nonsense is lost."""
        finished: list[Finished] = []
        try:
            messages = worker.receive()
            if messages is None:
                return self._lost(worker)
            for message in messages:
                finished += self._handle(worker, message)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            nonsense = f"sent what is no message ({type(error).__name__}: {error})"
            finished += self._lost(worker, nonsense=nonsense)
        return finished

    def _hear_rest(self, worker: WorkerProcess) -> list[Finished]:
        """Take the last messages of a process that has ended, then count it as lost.

        Copies of it that an engine has made may hold its streams open.
        """
        finished: list[Finished] = []
        while worker in self._workers:
            has_rest = worker.output.has_rest()
            finished += self._hear(worker) if has_rest else self._lost(worker)
        return finished

    def _give_back_gap(self, expected_s: float) -> None:
        """Charge no worker with time in which this process was suspended."""
        now = time.monotonic()
        late = now - self._last_poll - expected_s
        self._last_poll = now
        if late > GAP_S:
            for worker in self._workers:
                worker.last_heard = min(worker.last_heard + late, now)

    def wait_until_ready(self, report: Report = lambda *_: None) -> list[dict[str, str]]:
        """Return the levels of theory as soon as a worker of each interpreter is ready.

        Parameters
        ----------
        report
            Called with what is being done, and twice 0 as nobody knows how much of it there is.

        Raises
        ------
        WorkerStartError
            If none is ready within :data:`START_LIMIT_S`.
        """
        deadline = time.monotonic() + START_LIMIT_S
        while (levels := self.levels) is None and time.monotonic() < deadline:
            compiles = any(worker.functions_compiled for worker in self._workers)
            report(COMPILING if compiles else LOADING, 0, 0)
            self._receive(0.2)
        if levels is None:
            raise WorkerStartError(f"no worker was ready within {START_LIMIT_S:.0f} s")
        return levels

    def _fill(self, worker: WorkerProcess) -> None:
        while self._lessons and worker is self._pupil(self._lessons[0].tier):
            worker.give(self._lessons.popleft())
        for tier in reversed(worker.tiers):
            queue = self._queues[tier]
            while queue and worker.free[tier] > 0:
                worker.give(queue.popleft())

    def _pupil(self, tier: int) -> WorkerProcess:
        """Return the worker that learns: it alone knows what it learned before."""
        return next(worker for worker in self._workers if tier in worker.tiers)

    def _handle(self, worker: WorkerProcess, message: Message) -> list[Finished]:
        if message["op"] == "error":
            worker.error = clean(message["message"])
            worker.out_of_memory = bool(message.get("memory"))
            if message.get("machine"):
                raise MachineError(_machine_sentence(str(message["machine"])))
            if message.get("starts") and not worker.is_ready:
                raise MachineError(str(message["starts"]))
            if message["remedy"] and not worker.is_ready:
                raise reported(str(message.get("kind", "")), str(message["remedy"]))
        if message["op"] == "ready":
            known = {other.tiers for other in self._workers if other.is_ready}
            worker.levels = message["levels"]
            self._ever_ready.add(worker.python)
            self._failed_starts[worker.python] = 0
            if worker.tiers not in known:
                self._capacity += self.n_workers * sum(max(n, 1) for n in message["free"])
        if message["op"] in ("ready", "finished"):
            worker.free = dict(zip(worker.tiers, message["free"], strict=True))
            worker.is_waiting = True
            worker.alone = False
        finished = [
            Finished(worker.jobs.pop(key), checked(decode(from_json(outcome))), *extra)
            for key, _, outcome, *extra in message.get("items", ())
        ]
        if finished:
            self._losses_in_a_row = 0
        return finished

    def _hangs(self, worker: WorkerProcess) -> bool:
        if not worker.is_ready:
            return worker.silent_s() > START_LIMIT_S
        if worker.is_waiting or not worker.jobs:
            return False
        jobs = worker.jobs.values()  # a fit says nothing until it is made
        limits = None if any(LESSON in job.options for job in jobs) else self._spec.step_limits_s
        limit = max(limits[job.tier] if limits else DEFAULT_STEP_LIMIT_S for job in jobs)
        return worker.silent_s() > limit

    def _lost(
        self, worker: WorkerProcess, *, hangs: bool = False, nonsense: str = ""
    ) -> list[Finished]:
        """Replace a worker that died or hangs; return the job that was its end, if known."""
        self._selector.unregister(worker.output)
        self._workers.remove(worker)
        self._core_s_of_lost += worker.core_s
        silent_s = worker.silent_s()
        was_stopped = hangs and worker.is_stopped
        status = worker.kill() if hangs or nonsense else worker.exit_status()
        if nonsense:
            reason, what = FailReason.CRASHED, clean(nonsense)
        elif hangs:
            reason, what = FailReason.TIMEOUT, f"gave no sign of life for {silent_s:.0f} s"
        else:
            reason, what = FailReason.CRASHED, describe_exit(status)
        words = worker.error or worker.last_words()
        message = f"the worker {what}" + (f":\n{words}" if words else "")
        self.losses.append(Loss(message))
        self._losses_in_a_row += 1
        if not worker.is_ready and "ModuleNotFoundError" in words:
            raise InputError(
                f"python = {worker.python!r} lacks a package that nucleate needs. Install nucleate "
                f"there: {worker.python} -m pip install nucleate. It says:\n{words}"
            )
        self._check_losses(worker, message)
        self._spawn(worker.python)
        jobs = list(worker.jobs.values())
        innocent = was_stopped or (not hangs and not nonsense and -status in FROM_OUTSIDE)
        for job in jobs:
            self._tries[job.key] += 1
        if len(jobs) == 1 and not (innocent and self._tries[jobs[0].key] < TRIES):
            if worker.out_of_memory:
                reason = FailReason.TOO_LARGE
            elif worker.error is not None:
                reason = FailReason.CALCULATOR
            self._losses_in_a_row = 0
            return [Finished(jobs[0], Failed(reason, message, None, silent_s))]
        self._alone.extend(jobs)
        return []

    def _check_losses(self, worker: WorkerProcess, message: str) -> None:
        """Give up if no worker of an interpreter ever started, or too many died in a row.

        Raises
        ------
        WorkerStartError
            If so.
        """
        too_many = self._losses_in_a_row > LOSSES_IN_A_ROW + self.n_workers
        if not worker.is_ready:
            self._failed_starts[worker.python] += 1
            starts = self._failed_starts[worker.python]
            raised = worker.error is not None and worker.python not in self._ever_ready
            too_many = too_many or raised or starts >= FAILED_STARTS + self.n_workers
        if too_many:
            raise WorkerStartError(f"the engines cannot be used: {message}")

    def _spawn(self, python: str) -> None:
        self._started += 1
        log = None if self._logs is None else self._logs / f"worker-{self._started}.log"
        tiers = self._spec.tiers_by_python()[python]
        try:
            worker = WorkerProcess(self._spec, log, python=python, tiers=tiers, card=self._card())
        except OSError as error:
            raise InputError(
                f"python = {python!r}: workers cannot be started ({error.strerror}). Give the "
                "path of a Python that has the packages of the engines and of nucleate."
            ) from error
        self._workers.append(worker)
        self._selector.register(worker.output, selectors.EVENT_READ, worker)

    def _card(self) -> str:
        """Return the card with the fewest workers; empty where they are not pinned."""
        used = Counter(worker.card for worker in self._workers)
        return min(self._spec.devices, key=lambda card: used[card], default="")


def _machine_sentence(trouble: str) -> str:
    return (
        f"A worker cannot continue: {clean(trouble)}. Nothing that was finished is lost; put that "
        "right, and the same command continues."
    )
