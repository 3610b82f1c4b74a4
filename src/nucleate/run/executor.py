"""Who relaxes: worker processes, or this process itself."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from nucleate.faults import blamed
from nucleate.relax.outcome import Failed, FailReason
from nucleate.relax.relaxer import expect, extra_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome
    from nucleate.relax.relaxer import Relaxer

    Report = Callable[[str, int, int], None]


LESSON = "learn"
"""Option of a job that is no relaxation: a surrogate learns something."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A crystal for one tier of the ladder.

    ``fixed`` of shape (n_atoms, 3) is True for each fractional coordinate that must stay.
    ``options`` is what the relaxer must know besides, as JSON-ready values; ``frames`` among them
    is a number of evaluations that are wanted back, packed.
    ``unfinished`` is a relaxation of it that another worker has begun, as its relaxer gave it.
    """

    key: int
    tier: int
    crystal: Crystal
    fixed: NDArray[np.bool_] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    unfinished: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A job that has ended, with what its relaxer says besides, as JSON-ready values."""

    job: Job
    outcome: Outcome
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that was lost.

    Attributes
    ----------
    message : str
        What is known of it.
    lost_core_s : float
        Processor time in seconds that it took since its last report, as far as that is charged; an
        estimate.
    """

    message: str
    lost_core_s: float = 0.0


class Executor(Protocol):
    """Relaxes the jobs that it is given, in no particular order.

    The owner calls :meth:`submit`, then :meth:`feed` to hand out what is queued, and :meth:`poll`
    for what has ended. A worker that is lost is noted in ``losses``; its jobs are tried again.
    """

    n_workers: int
    losses: list[Loss]

    @property
    def levels(self) -> list[dict[str, str]] | None:
        """Levels of theory of the tiers, once their engines are loaded."""
        ...

    @property
    def core_s(self) -> float:
        """Processor time in seconds that was spent in other processes."""
        ...

    @property
    def backlog(self) -> int:
        """How many jobs are queued for tiers after the first."""
        ...

    def capacity(self) -> int:
        """Return how many crystals the first tier holds at a time."""
        ...

    def n_queued(self, tier: int) -> int:
        """Return how many jobs are queued for a tier."""
        ...

    def submit(self, job: Job) -> None:
        """Queue a job."""
        ...

    def wants(self) -> int:
        """Return how many more jobs of the first tier could start now."""
        ...

    def feed(self) -> None:
        """Hand out queued jobs."""
        ...

    def poll(self, timeout_s: float) -> list[Finished]:
        """Wait for what ends, at most about ``timeout_s`` seconds, and return it."""
        ...

    def wait_until_ready(self, report: Report = ...) -> list[dict[str, str]]:
        """Return the levels of theory of the tiers as soon as their engines are loaded.

        Parameters
        ----------
        report
            Called with what is being done, how much of it is done, and how much there is.
        """
        ...

    def close(self) -> None:
        """End everything."""
        ...


class InlineExecutor:
    """Relaxes in this process: for objects that cannot travel to another one.

    Parameters
    ----------
    build : callable
        Returns a new relaxer for each tier; it is called again after one has raised an error.
    """

    n_workers = 1
    core_s = 0.0
    """Nothing is spent elsewhere: the processor time is that of this process."""

    def __init__(self, build: Callable[[], Sequence[Relaxer]]) -> None:
        self._build = build
        self._relaxers = list(build())
        self.losses: list[Loss] = []
        self._queues: list[deque[Job]] = [deque() for _ in self._relaxers]
        self._alone: deque[Job] = deque()
        self._flying: list[dict[int, Job]] = [{} for _ in self._relaxers]
        self._capacity = max(self._relaxers[0].free_slots(), 1)

    def __enter__(self) -> InlineExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all jobs."""
        for jobs in (*self._queues, self._alone, *self._flying):
            jobs.clear()

    @property
    def levels(self) -> list[dict[str, str]]:
        """Levels of theory of the tiers."""
        return [asdict(relaxer.level) for relaxer in self._relaxers]

    def wait_until_ready(self, report: Report = lambda *_: None) -> list[dict[str, str]]:  # noqa: ARG002
        """Return the levels of theory of the tiers, which are loaded."""
        return self.levels

    @property
    def backlog(self) -> int:
        """How many jobs are queued for tiers after the first."""
        return sum(len(queue) for queue in self._queues[1:])

    def capacity(self) -> int:
        """Return how many crystals the first tier holds at a time."""
        return self._capacity

    def n_queued(self, tier: int) -> int:
        """Return how many jobs are queued for a tier."""
        return len(self._queues[tier])

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._queues[job.tier].append(job)

    def wants(self) -> int:
        """Return how many more jobs of the first tier could start now."""
        if self._alone:
            return 0
        return max(self._relaxers[0].free_slots() - len(self._queues[0]), 0)

    def feed(self) -> None:
        """Give the relaxers what they have room for; a job to be tried again runs alone."""
        if self._alone:
            if not any(self._flying):
                self._start(self._alone.popleft())
            return
        for tier, queue in enumerate(self._queues):
            relaxer = self._relaxers[tier]
            while queue and (relaxer.free_slots() > 0 or not self._flying[tier]):
                self._start(queue.popleft())

    def poll(self, timeout_s: float) -> list[Finished]:
        """Step until something ends or the time is up."""
        limit = time.monotonic() + timeout_s
        while any(self._flying):
            for tier, jobs in enumerate(self._flying):
                finished = self._step(tier) if jobs else []
                if finished:
                    return finished
            if time.monotonic() >= limit:
                break
        return []

    def _start(self, job: Job) -> None:
        self._flying[job.tier][job.key] = job
        held = () if job.fixed is None else (job.fixed,)
        expect(self._relaxers[job.tier], job.key, job.options)
        self._relaxers[job.tier].add(job.key, job.crystal, *held)

    def _step(self, tier: int) -> list[Finished]:
        try:
            ended = self._relaxers[tier].step()
        except Exception as error:  # noqa: BLE001  whatever an engine raises is its failure
            return self._broken(tier, error)
        jobs, relaxer = self._flying[tier], self._relaxers[tier]
        return [Finished(jobs.pop(key), outcome, extra_of(relaxer, key)) for key, outcome in ended]

    def _broken(self, tier: int, error: Exception) -> list[Finished]:
        """Start again with new relaxers; several crystals are tried once more, one by one."""
        jobs = [job for flying in self._flying for job in flying.values()]
        for flying in self._flying:
            flying.clear()
        text = blamed("relaxer", self._relaxers[tier], error, "step")
        self._relaxers = list(self._build())
        if len(jobs) == 1:
            return [Finished(jobs[0], Failed(FailReason.CALCULATOR, text))]
        self.losses.append(Loss(text))
        self._alone.extend(jobs)
        return []
