"""An executor on top of executors of futures: those of other packages start the workers."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from nucleate.run.events import LOADING

if TYPE_CHECKING:
    from collections.abc import Sequence, Set
    from concurrent.futures import Future

    from nucleate.run.executor import Finished, Job, Loss, Report
    from nucleate.run.remote.lane import Lane

WATCH_S = 2.0
"""Seconds between questions whether the engines still exist."""


class FuturesExecutor:
    """An :class:`~nucleate.run.executor.Executor` that gives jobs to lanes, one of each tier.

    Parameters
    ----------
    lanes : sequence of Lane
        Together they serve every tier once.
    done : SimpleQueue
        Where the lanes put the tasks that are done.
    late : set of int
        Tiers that need no worker before a job comes for them; what is theirs alone does not count
        when it is asked how much there is room for.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        done: SimpleQueue[tuple[Lane, Future[Any]]],
        late: Set[int] = frozenset(),
    ) -> None:
        self.lanes = lanes
        self._done = done
        self._lane_of = {tier: lane for lane in lanes for tier in lane.tiers}
        self._first = [lane for lane in lanes if not set(lane.tiers) <= late]
        self.n_workers = sum(lane.settings.workers for lane in self._first)
        self.losses: list[Loss] = []
        self._watched_s = time.monotonic()

    @property
    def levels(self) -> list[dict[str, str]] | None:
        """Levels of theory of the tiers, once workers have loaded them all."""
        found: dict[int, dict[str, str]] = {}
        for lane in self.lanes:
            found |= dict(zip(lane.tiers, lane.levels, strict=False))
        whole = len(found) == len(self._lane_of)
        return [found[tier] for tier in sorted(found)] if whole else None

    @property
    def core_s(self) -> float:
        """Processor time in seconds that the workers reported, the loading of engines left out."""
        return sum(lane.core_s for lane in self.lanes)

    @property
    def backlog(self) -> int:
        """How many jobs are queued for tiers after the first."""
        return sum(self.n_queued(tier) for tier in self._lane_of if tier > 0)

    def capacity(self) -> int:
        """Return how many crystals all tiers hold at a time, once workers are ready."""
        return sum(lane.capacity for lane in self._first)

    def n_queued(self, tier: int) -> int:
        """Return how many jobs are queued for a tier."""
        return self._lane_of[tier].n_queued(tier)

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._lane_of[job.tier].submit(job)

    def wants(self) -> int:
        """Return how many more jobs of the first tier could start now."""
        return self._lane_of[0].wants(0)

    def feed(self) -> None:
        """Hand out queued jobs."""
        for lane in self.lanes:
            lane.feed()

    def poll(self, timeout_s: float) -> list[Finished]:
        """Wait for tasks, at most ``timeout_s`` seconds; return the jobs that have ended.

        Raises
        ------
        InputError, MissingDependencyError, WorkerStartError, MachineError
            If the engines cannot be used on the nodes.
        """
        finished: list[Finished] = []
        wait_s = timeout_s
        while True:
            try:
                lane, future = self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait()
            except Empty:
                break
            wait_s = 0.0
            finished += lane.take(future)
        if time.monotonic() - self._watched_s > WATCH_S:
            self._watched_s = time.monotonic()
            for lane in self.lanes:
                finished += lane.watch()
        for lane in self.lanes:
            self.losses += lane.losses
            lane.losses.clear()
        return finished

    def wait_until_ready(self, report: Report = lambda *_: None) -> list[dict[str, str]]:
        """Return the levels of theory as soon as workers have loaded their engines.

        Tiers that may be late are not waited for. A queue may let it wait for hours; so does this.
        """
        for lane in self._first:
            lane.probe()
        while not all(lane.levels for lane in self._first):
            report(LOADING, 0, 0)
            self.poll(0.2)
        return self.levels or [level for lane in self._first for level in lane.levels]

    def close(self) -> None:
        """End everything."""
        for lane in self.lanes:
            lane.close()

    def __enter__(self) -> FuturesExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
