"""The pool of workers of a node, from which jobs can be taken back before they have ended."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.run.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nucleate.run.executor import Finished, Job
    from nucleate.run.process import WorkerProcess, WorkerSpec
    from nucleate.run.wire import Message


ASK_AGAIN_S = 5.0


class NodePool(Pool):
    """A :class:`~nucleate.run.pool.Pool` that gives jobs back with how far they are.

    Parameters
    ----------
    spec, workers, logs
        As of the pool.
    """

    def __init__(self, spec: WorkerSpec, *, workers: int = 1, logs: Path | None = None) -> None:
        super().__init__(spec, workers=workers, logs=logs)
        self._given: dict[int, Job] = {}
        self._taken: list[Job] = []
        self._asked_s = float("-inf")

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._asked_s = float("-inf")
        self._given[job.key] = job
        super().submit(job)

    @property
    def n_given(self) -> int:
        """How many jobs have neither ended nor been taken back."""
        return len(self._given)

    def free(self) -> list[int]:
        """Return how many crystals of each tier a worker holds at a time; all must be idle."""
        rooms = dict.fromkeys(range(len(self._queues)), 0)
        for worker in self._workers:
            rooms |= {tier: max(worker.free.get(tier, 0), 1) for tier in worker.tiers}
        return list(rooms.values())

    def poll(self, timeout_s: float) -> list[Finished]:
        """Wait for messages, at most ``timeout_s`` seconds; return the jobs that have ended."""
        finished = super().poll(timeout_s)
        for item in finished:
            self._given.pop(item.job.key, None)
        return finished

    def recall(self) -> None:
        """Ask for every job that can continue elsewhere; :meth:`taken_back` returns them.

        A worker answers between two steps. An engine that cannot give up what it has begun ends
        it.
        """
        waiting = [*self._alone, *(job for queue in self._queues for job in queue)]
        for queue in (self._alone, *self._queues):
            queue.clear()
        self._take_back(waiting)
        now = time.monotonic()
        if now - self._asked_s < ASK_AGAIN_S:
            return
        self._asked_s = now
        for worker in self._workers:
            if worker.is_ready and worker.jobs:
                worker.send({"op": "release"})

    def taken_back(self) -> list[Job]:
        """Return the jobs that have come back since the last call."""
        jobs, self._taken = self._taken, []
        return jobs

    def abandon(self) -> list[Job]:
        """End the workers, and return the jobs that they had, from where these began."""
        jobs = list(self._given.values())
        self._given.clear()
        self.close()
        return jobs

    def _take_back(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self._given.pop(job.key, None)
            self._taken.append(job)

    def _handle(self, worker: WorkerProcess, message: Message) -> list[Finished]:
        if message["op"] != "released":
            return super()._handle(worker, message)
        for key, _, unfinished in message["items"]:
            job = worker.jobs.pop(key)
            kept = job if unfinished is None else replace(job, unfinished=unfinished)
            self._take_back([kept])
        worker.free = dict(zip(worker.tiers, message["free"], strict=True))
        return []
