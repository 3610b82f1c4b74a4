"""One executor for several campaigns: jobs and processor time go to those whose they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Failed, FailReason
from nucleate.run.executor import Finished, Job
from nucleate.run.shared import SharedExecutor

CRYSTAL = Crystal([11, 17], [[4, 0, 0], [0, 4, 0], [0, 0, 4]], [[0, 0, 0], [0.5, 0.5, 0.5]])


@dataclass
class Bench:
    """Takes jobs and gives them back when it is told to."""

    n_workers: int = 2
    core_s: float = 0.0
    backlog: int = 0
    losses: list[str] = field(default_factory=list)
    levels: list[dict[str, str]] | None = None
    jobs: list[Job] = field(default_factory=list)
    ready: list[Finished] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def capacity(self) -> int:
        return 4

    def n_queued(self, tier: int) -> int:
        return sum(job.tier == tier for job in self.jobs)

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def wants(self) -> int:
        return 4 - len(self.jobs)

    def feed(self) -> None:
        self.ready += [
            Finished(job, Failed(FailReason.CALCULATOR, str(job.key))) for job in self.jobs
        ]
        self.jobs.clear()

    def poll(self, timeout_s: float) -> list[Finished]:
        self.waited.append(timeout_s)
        finished, self.ready = self.ready, []
        return finished

    def close(self) -> None:
        self.jobs.clear()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=20, unique=True))
def test_every_outcome_reaches_its_owner_under_its_own_number(jobs):
    bench = Bench()
    shared = SharedExecutor(bench)
    shares = [shared.share() for _ in range(3)]
    for owner, key in jobs:
        shares[owner].submit(Job(key, 0, CRYSTAL))
    assert len({job.key for job in bench.jobs}) == len(jobs)
    shares[0].feed()
    heard = [sorted(item.job.key for item in share.poll(0.1)) for share in shares]
    assert heard == [sorted(key for owner, key in jobs if owner == n) for n in range(3)]
    assert [share.poll(0.0) for share in shares] == [[], [], []]


def test_only_one_with_nothing_to_hear_waits():
    bench = Bench()
    shared = SharedExecutor(bench)
    first, second = shared.share(), shared.share()
    second.submit(Job(7, 0, CRYSTAL))
    first.feed()
    assert first.poll(0.2) == []
    assert [item.job.key for item in second.poll(0.2)] == [7]
    assert bench.waited == [0.2, 0.0]


def test_processor_time_is_divided_by_the_number_of_jobs():
    bench = Bench(core_s=5.0)
    shared = SharedExecutor(bench)
    first, second = shared.share(), shared.share()
    for key in range(3):
        first.submit(Job(key, 0, CRYSTAL))
    second.submit(Job(0, 0, CRYSTAL))
    bench.core_s = 9.0
    shared.poll(0.0)
    assert (first.core_s, second.core_s) == pytest.approx((3.0, 1.0))


def test_what_a_closed_campaign_left_is_dropped():
    bench = Bench()
    shared = SharedExecutor(bench)
    share = shared.share()
    share.submit(Job(0, 0, CRYSTAL))
    share.close()
    bench.feed()
    shared.poll(0.0)
    assert share.inbox == []
