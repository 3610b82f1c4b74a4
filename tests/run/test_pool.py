"""Real worker processes that abort, hang, raise and return nonsense."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.executor import Job
from nucleate.run.pool import Pool, WorkerStartError
from nucleate.run.process import WorkerSpec

from .toys import ABORT, EXIT, FAIL, HANG, NAN, RAISE

HERE = Path(__file__).resolve().parent


def spec(*tiers, limit_s=60.0):
    tiers = tiers or ({},)
    return WorkerSpec(
        tiers=tiers,
        step_limits_s=(limit_s,) * len(tiers),
        factory="toys:build",
        search_path=(str(HERE),),
    )


def crystal(first=1, n=3, seed=0):
    rng = np.random.default_rng(seed)
    return Crystal([first] + [8] * (n - 1), np.eye(3) * 4.0, rng.random((n, 3)))


def run(pool, jobs, timeout_s=30.0, submitted=()):
    for job in jobs:
        pool.submit(job)
    jobs = [*jobs, *submitted]
    outcomes = {}
    end = time.monotonic() + timeout_s
    while len(outcomes) < len(jobs) and time.monotonic() < end:
        pool.feed()
        for item in pool.poll(0.1):
            outcomes[item.job.key] = item.outcome
    assert set(outcomes) == {job.key for job in jobs}, "jobs were lost"
    return outcomes


def test_outcomes_come_back_unchanged():
    with Pool(spec(), workers=1) as pool:
        jobs = [Job(i, 0, crystal(seed=i, n=2 + i % 5)) for i in range(20)]
        outcomes = run(pool, jobs)
        assert pool.levels[0]["code"] == "toy"
    assert sorted(outcomes) == list(range(20))
    for job in jobs:
        outcome = outcomes[job.key]
        assert isinstance(outcome, Relaxed)
        assert np.array_equal(outcome.crystal.scaled, job.crystal.scaled)
        expected = float(np.sin(job.crystal.positions).sum() + 0.01 * job.crystal.volume)
        assert outcome.energy == expected


def test_two_workers_share_the_work():
    with Pool(spec({"slots": 1, "delay_s": 0.01}), workers=2) as pool:
        outcomes = run(pool, [Job(i, 0, crystal(seed=i)) for i in range(12)])
    assert len(outcomes) == 12


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (ABORT, FailReason.CRASHED, "SIGABRT"),
        (EXIT, FailReason.CRASHED, "last words"),
        (RAISE, FailReason.CALCULATOR, "told to raise"),
        (NAN, FailReason.NOT_FINITE, "finite"),
        (FAIL, FailReason.EXPLODED, "explode"),
    ],
)
def test_a_bad_crystal_fails_and_its_batch_mates_do_not(fault, reason, words):
    jobs = [Job(i, 0, crystal(first=fault if i == 2 else 1, seed=i)) for i in range(6)]
    with Pool(spec(), workers=1) as pool:
        outcomes = run(pool, jobs)
    bad = outcomes.pop(2)
    assert isinstance(bad, Failed)
    assert bad.reason == reason
    assert words in bad.message
    assert len(outcomes) == 5
    assert all(isinstance(item, Relaxed) for item in outcomes.values())


def test_a_hanging_worker_is_killed_and_replaced():
    jobs = [Job(i, 0, crystal(first=HANG if i == 1 else 1, seed=i)) for i in range(5)]
    with Pool(spec(limit_s=1.0), workers=1) as pool:
        pool.wait_until_ready()
        before = pool.pids()
        outcomes = run(pool, jobs)
        assert pool.pids() != before
        assert len(pool.losses) == 2  # in the batch, and alone
    assert outcomes[1].reason == FailReason.TIMEOUT
    assert sum(isinstance(item, Relaxed) for item in outcomes.values()) == 4


def test_tiers_have_their_own_relaxers():
    with Pool(spec({}, {"scale": -1.0, "name": "other"}), workers=1) as pool:
        outcomes = run(pool, [Job(0, 0, crystal()), Job(1, 1, crystal())])
    assert outcomes[0].energy == -outcomes[1].energy
    assert outcomes[1].level.code == "other"


def test_an_engine_that_cannot_be_loaded_is_an_error_with_its_text():
    with (
        Pool(spec({"broken": True}), workers=1) as pool,
        pytest.raises(WorkerStartError, match="no such model"),
    ):
        pool.wait_until_ready()


def test_a_missing_interpreter_is_an_error():
    bad = WorkerSpec(tiers=({},), pythons=("/nowhere/python",))
    with pytest.raises(InputError, match="/nowhere/python"):
        Pool(bad, workers=1)


def test_a_killed_idle_worker_is_replaced():
    with Pool(spec(), workers=1) as pool:
        pool.wait_until_ready()
        os.kill(pool.pids()[0], signal.SIGKILL)
        outcomes = run(pool, [Job(0, 0, crystal())])
    assert isinstance(outcomes[0], Relaxed | Failed)


def test_workers_end_with_their_driver():
    script = f"""
import sys, time
sys.path.insert(0, {str(HERE.parent)!r})
from run.test_pool import spec, crystal, HANG
from nucleate.run.pool import Pool
from nucleate.run.executor import Job
pool = Pool(spec(), workers=2)
pool.wait_until_ready()
pool.submit(Job(0, 0, crystal(first=HANG)))
pool.feed()
print(*pool.pids(), flush=True)
time.sleep(100)
"""
    driver = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in driver.stdout.readline().split()]
    assert len(pids) == 2
    driver.kill()
    driver.wait()
    end = time.monotonic() + 10.0
    while any(_is_alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_is_alive(pid) for pid in pids)


def _is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
