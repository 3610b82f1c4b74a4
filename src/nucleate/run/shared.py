"""One executor for several campaigns that proceed side by side in this process."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.run.executor import Executor, Finished, Job, Report


class SharedExecutor:
    """Divides an executor among campaigns; each has a :class:`Share` of its own.

    The campaign whose turn it is takes what room there is. Jobs of all have different keys in the
    executor, and an outcome goes back to the campaign whose job it was.

    Parameters
    ----------
    executor : Executor
        Who relaxes. It is closed by its owner.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._keys = count()
        self._owners: dict[int, tuple[Share, Job]] = {}
        self._charged_s = executor.core_s
        self.error: Exception | None = None
        """What the executor itself has raised, which is of no single campaign."""

    def share(self) -> Share:
        """Return the executor of a further campaign."""
        return Share(self)

    def submit(self, job: Job, owner: Share) -> None:
        """Queue a job."""
        key = next(self._keys)
        self._owners[key] = owner, job
        self.executor.submit(replace(job, key=key))

    def poll(self, timeout_s: float) -> None:
        """Wait for what ends, and put it where its owner finds it."""
        try:
            finished = self.executor.poll(timeout_s)
        except Exception as error:
            self.error = error
            raise
        self._charge()
        for item in finished:
            owner, job = self._owners.pop(item.job.key)
            if not owner.is_closed:
                owner.inbox.append(replace(item, job=job))

    def _charge(self) -> None:
        """Charge the processor time since the last call to those who have jobs, by their number."""
        now_s = self.executor.core_s
        spent_s, self._charged_s = now_s - self._charged_s, now_s
        jobs = Counter(owner for owner, _ in self._owners.values())
        for owner, number in jobs.items():
            owner.core_s += spent_s * number / jobs.total()


class Share:
    """The executor as one of several campaigns sees it; an `Executor`."""

    def __init__(self, shared: SharedExecutor) -> None:
        self._shared = shared
        self.n_workers = shared.executor.n_workers
        self.losses = shared.executor.losses
        self.inbox: list[Finished] = []
        self.core_s = 0.0
        """Processor time in seconds that the jobs of this campaign took in other processes."""
        self.is_closed = False

    def wait_until_ready(self, report: Report = lambda *_: None) -> list[dict[str, str]]:
        """Return the levels of theory of the tiers as soon as their engines are loaded."""
        return self._shared.executor.wait_until_ready(report)

    @property
    def levels(self) -> list[dict[str, str]] | None:
        """Levels of theory of the tiers, once their engines are loaded."""
        return self._shared.executor.levels

    @property
    def backlog(self) -> int:
        """How many jobs of all campaigns are queued for tiers after the first."""
        return self._shared.executor.backlog

    def capacity(self) -> int:
        """Return how many crystals the tiers hold at a time."""
        return self._shared.executor.capacity()

    def n_queued(self, tier: int) -> int:
        """Return how many jobs of all campaigns are queued for a tier."""
        return self._shared.executor.n_queued(tier)

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._shared.submit(job, self)

    def wants(self) -> int:
        """Return how many more jobs of the first tier could start now."""
        return self._shared.executor.wants()

    def feed(self) -> None:
        """Hand out queued jobs, those of the others too."""
        self._shared.executor.feed()

    def poll(self, timeout_s: float) -> list[Finished]:
        """Return what has ended; wait for it only where nothing of this campaign has."""
        self._shared.poll(0.0 if self.inbox else timeout_s)
        finished, self.inbox = self.inbox, []
        return finished

    def close(self) -> None:
        """Take no more outcomes; the jobs in flight end for nothing."""
        self.is_closed = True
        self.inbox.clear()
