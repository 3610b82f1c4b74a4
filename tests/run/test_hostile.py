"""Engines that misbehave cost a worker at most, never the driver and never a whole run."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from nucleate.clock import gap_of
from nucleate.programs.process import ExternalProcess
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.executor import Job
from nucleate.run.pool import Pool, WorkerStartError
from nucleate.run.process import WorkerSpec
from nucleate.run.wire import BrokenMessageError, FrameBuffer, frame
from nucleate.trouble import MachineError, machine_trouble

from . import hostile
from .test_pool import _is_alive, crystal, run

HERE = Path(__file__).resolve().parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def spec(tmp_path, *, limit_s=30.0, memory_mb=None, **tier):
    return WorkerSpec(
        tiers=({"state": str(tmp_path), **tier},),
        step_limits_s=(limit_s,),
        factory="tests.run.hostile:build",
        search_path=(str(HERE),),
        memory_mb=memory_mb,
    )


def jobs_with(kind, n=4):
    return [Job(i, 0, crystal(first=kind if i == 1 else 1, seed=i)) for i in range(n)]


def test_a_worker_killed_from_outside_is_no_verdict_on_its_crystals(tmp_path):
    with Pool(spec(tmp_path), workers=1) as pool:
        outcomes = run(pool, jobs_with(hostile.KILLED))
        assert len(pool.losses) == 1
    assert all(isinstance(item, Relaxed) for item in outcomes.values())


def test_a_worker_killed_while_loading_is_replaced(tmp_path):
    with Pool(spec(tmp_path, dies=4), workers=1) as pool:
        pool.wait_until_ready()
        outcomes = run(pool, jobs_with(1))
    assert all(isinstance(item, Relaxed) for item in outcomes.values())


@pytest.mark.slow
def test_workers_that_never_start_are_given_up(tmp_path):
    with (
        Pool(spec(tmp_path, dies=1000), workers=1) as pool,
        pytest.raises(WorkerStartError, match="SIGKILL"),
    ):
        pool.wait_until_ready()


@LINUX
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (hostile.CLOSES, FailReason.CALCULATOR),
        (hostile.CLOSES_ALL, FailReason.CRASHED),
        (hostile.NONSENSE, FailReason.CRASHED),
        pytest.param(hostile.HUGE_FRAME, FailReason.CRASHED, marks=pytest.mark.slow),
        (hostile.SURROGATE, FailReason.CALCULATOR),
    ],
)
def test_broken_streams_and_messages_cost_one_crystal(tmp_path, kind, reason):
    with Pool(spec(tmp_path), workers=1) as pool:
        outcomes = run(pool, jobs_with(kind))
    bad = outcomes.pop(1)
    assert isinstance(bad, Failed)
    assert bad.reason == reason
    assert len(bad.message) < 10_000
    bad.message.encode()
    assert all(isinstance(item, Relaxed) for item in outcomes.values())


@LINUX
@pytest.mark.parametrize("kind", [hostile.FORKS, hostile.READS, hostile.SHOUTS])
def test_forks_and_readers_of_standard_input_do_no_harm(tmp_path, kind):
    with Pool(spec(tmp_path), workers=1, logs=tmp_path / "workers") as pool:
        outcomes = run(pool, jobs_with(kind))
        sizes = [path.stat().st_size for path in (tmp_path / "workers").iterdir()]
    assert all(isinstance(item, Relaxed) for item in outcomes.values())
    assert max(sizes, default=0) < 4 << 20


def test_a_full_disk_is_not_the_structure_s(tmp_path):
    with (
        Pool(spec(tmp_path), workers=1) as pool,
        pytest.raises(MachineError, match=r"No space left on device \(/scratch/x\)"),
    ):
        run(pool, jobs_with(hostile.FULL_DISK))


@LINUX
def test_a_crystal_that_needs_more_memory_fails_alone_as_too_large(tmp_path):
    with Pool(spec(tmp_path, memory_mb=2000), workers=1) as pool:
        outcomes = run(pool, jobs_with(hostile.GREEDY))
    bad = outcomes.pop(1)
    assert isinstance(bad, Failed)
    assert bad.reason == FailReason.TOO_LARGE
    assert all(isinstance(item, Relaxed) for item in outcomes.values())


@LINUX
def test_children_in_sessions_of_their_own_end_with_the_worker(tmp_path):
    with Pool(spec(tmp_path), workers=1) as pool:
        run(pool, [Job(0, 0, crystal(first=hostile.LEAVES, n=1))])
        child = int((tmp_path / "child").read_text())
        assert _is_alive(child)
    end = time.monotonic() + 5.0
    while _is_alive(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _is_alive(child)


@LINUX
def test_a_suspended_worker_is_tried_again(tmp_path):
    with Pool(spec(tmp_path, limit_s=1.0, delay_s=0.3), workers=1) as pool:
        pool.wait_until_ready()
        pool.submit(job := Job(0, 0, crystal()))
        pool.feed()
        os.kill(pool.pids()[0], signal.SIGSTOP)
        outcomes = run(pool, [], submitted=[job])
        assert len(pool.losses) == 1
    assert isinstance(outcomes[0], Relaxed)


@LINUX
def test_no_file_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    with Pool(spec(tmp_path / "x"), workers=1) as pool:
        pool.wait_until_ready()
        assert not list(tmp_path.glob("nucleate-*"))
    assert not list(tmp_path.iterdir())


def test_a_suspension_is_told_from_work():
    assert gap_of(30.0, 0.1) == pytest.approx(29.5)
    assert gap_of(30.0, 29.0) == 0.0
    assert gap_of(1.0, 0.0) == 0.0


@pytest.mark.parametrize("data", [b"\xff\xff\xff\x7f", b"\x02\x00\x00\x00[]", b"\x01\x00\x00\x00x"])
def test_nonsense_is_no_message(data):
    with pytest.raises(BrokenMessageError):
        FrameBuffer().feed(data)


def test_a_lone_surrogate_travels():
    (message,) = FrameBuffer().feed(frame({"op": "x", "text": "\ud800"}))
    assert message["text"] == "\ud800"


def test_the_cause_of_an_error_is_looked_at():
    error = RuntimeError("cannot write")
    error.__cause__ = OSError(28, "No space left on device")
    assert "No space" in machine_trouble(error)
    assert machine_trouble(ValueError()) == ""


def test_time_in_which_the_driver_was_suspended_is_given_back(tmp_path):
    with Pool(spec(tmp_path, limit_s=3.0, delay_s=0.3), workers=1) as pool:
        pool.wait_until_ready()
        pool.submit(job := Job(0, 0, crystal()))
        pool.feed()
        pool.poll(0.01)
        for worker in pool._workers:
            worker.last_heard -= 100.0
        pool._last_poll -= 100.0  # as after a long SIGSTOP of all
        outcomes = run(pool, [], submitted=[job])
        assert not pool.losses
    assert isinstance(outcomes[0], Relaxed)


@LINUX
@pytest.mark.slow
def test_a_suspended_program_gets_its_time_back(tmp_path):
    process = ExternalProcess(["sleep", "4"], tmp_path, wall_s=6.0)
    supervisor = process._supervisor.pid
    time.sleep(0.5)
    os.kill(supervisor, signal.SIGSTOP)
    time.sleep(9.0)
    os.kill(supervisor, signal.SIGCONT)
    ending = process.ended(20.0)
    assert ending is not None
    assert ending.status == 0
    process = ExternalProcess(["sleep", "600"], tmp_path, wall_s=4.0)
    supervisor = process._supervisor.pid
    time.sleep(0.5)
    os.kill(supervisor, signal.SIGSTOP)
    time.sleep(7.0)
    os.kill(supervisor, signal.SIGCONT)
    resumed = time.monotonic()
    ending = process.ended(20.0)
    assert ending is not None
    assert ending.timed_out
    assert 2.0 < time.monotonic() - resumed < 6.0
