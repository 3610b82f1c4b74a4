"""Workers in pools of others: leases, losses, another version, and the same search as without."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from nucleate.errors import InputError, MissingDependencyError
from nucleate.plugins import find
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.executor import Job
from nucleate.run.kinds.futures import factory
from nucleate.run.kinds.parsl import spec_for
from nucleate.run.pool import WorkerStartError
from nucleate.run.remote import work as node
from nucleate.run.remote.futures import FuturesExecutor
from nucleate.run.remote.lane import Lane, LaneSettings
from nucleate.run.remote.messages import job_from, plain_job, plain_spec, spec_from

from .driving import drive, told
from .test_executors import PROCESSES, context
from .test_pool import crystal, run

OPTIONS = {key: value for key, value in PROCESSES.items() if key != "kind"}


class Dying(Executor):
    """A pool whose workers are lost as often as they are told, which loses nothing else."""

    def __init__(self, losses: int = 0, after: int = 1) -> None:
        self._losses, self._after = losses, after
        self._pool = ProcessPoolExecutor(max_workers=1)

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
        self._after -= 1
        if self._after < 0 and self._losses > 0:
            self._losses -= 1
            future: Future[Any] = Future()
            future.set_exception(OSError("the node went away"))
            return future
        return self._pool.submit(function, *args, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def begin(folder: Path, *tiers: dict[str, Any], **options: Any) -> Any:
    settings = find("futures", "executors").model_validate({**OPTIONS, **options})
    executor = settings.build(context(folder, *tiers))
    executor.wait_until_ready()
    return executor


def steps_in(diary: Path) -> int:
    return len(diary.read_text().splitlines())


def test_a_lease_ends_and_the_relaxation_continues_where_it_was(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with begin(tmp_path, {"slots": 2, "delay_s": 0.1, "diary": str(diary)}, lease_s=0.35) as pool:
        outcomes = run(pool, [Job(0, 0, crystal(n=14)), Job(1, 0, crystal(n=12, seed=1))])
    assert [outcomes[key].steps for key in (0, 1)] == [14, 12]
    assert steps_in(diary) == 14, "a step was taken twice"
    assert pool.losses == []


def test_lost_workers_are_attempts_not_failures(tmp_path: Path) -> None:
    options = {"function": f"{__name__}:Dying", "options": {"losses": 3}, "retries": 3}
    with begin(tmp_path, {"slots": 4}, **options) as pool:
        outcomes = run(pool, [Job(i, 0, crystal(seed=i)) for i in range(4)])
    assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())
    assert len(pool.losses) == 3
    assert "node went away" in pool.losses[0].message


def test_attempts_have_an_end(tmp_path: Path) -> None:
    options = {"function": f"{__name__}:Dying", "options": {"losses": 3}, "retries": 2}
    with begin(tmp_path, {"slots": 1}, **options) as pool:
        outcomes = run(pool, [Job(0, 0, crystal())])
        assert isinstance(outcomes[0], Failed)
        assert outcomes[0].reason is FailReason.CRASHED
        assert "2 attempts before" in outcomes[0].message
        assert isinstance(run(pool, [Job(1, 0, crystal())])[1], Relaxed)


def test_a_run_whose_workers_are_all_lost_ends(tmp_path: Path) -> None:
    options = {"function": f"{__name__}:Dying", "options": {"losses": 1000}, "retries": 1000}
    with (
        begin(tmp_path, {"slots": 1}, **options) as pool,
        pytest.raises(WorkerStartError, match="node went away"),
    ):
        run(pool, [Job(0, 0, crystal())])


def test_a_lost_worker_loses_no_more_than_a_lease(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    options = {"function": f"{__name__}:Dying", "options": {"losses": 1, "after": 2}}
    tier = {"slots": 1, "delay_s": 0.1, "diary": str(diary)}
    with begin(tmp_path, tier, lease_s=0.35, **options) as pool:
        outcomes = run(pool, [Job(0, 0, crystal(n=9))])
    assert outcomes[0].steps == 9
    assert steps_in(diary) == 9  # the loss came before the second lease had begun


def test_a_pool_that_is_broken_is_started_again(tmp_path: Path) -> None:
    with begin(tmp_path, {"slots": 1, "delay_s": 0.05}) as pool:
        lane = pool.lanes[0]
        for number in range(6):
            pool.submit(Job(number, 0, crystal(n=4, seed=number)))
        pool.feed()
        time.sleep(0.1)
        for pid in list(lane._futures._processes):
            os.kill(pid, signal.SIGKILL)
        outcomes = run(pool, [], submitted=[Job(n, 0, crystal()) for n in range(6)])
    assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())
    assert pool.losses


def test_a_killed_worker_process_is_replaced_on_its_node(tmp_path: Path) -> None:
    with begin(tmp_path, {"slots": 1}) as pool:
        outcomes = run(pool, [Job(0, 0, crystal()), Job(1, 0, crystal(90)), Job(2, 0, crystal())])
    assert outcomes[1].reason is FailReason.CRASHED
    assert (
        any("SIGABRT" in loss.message for loss in pool.losses) or "SIGABRT" in outcomes[1].message
    )


def test_models_are_loaded_once_per_process(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with begin(tmp_path, {"slots": 1, "diary": str(diary)}) as pool:
        run(pool, [Job(i, 0, crystal(seed=i)) for i in range(6)])
    assert len({line.split()[0] for line in diary.read_text().splitlines()}) == 1


def test_before_its_block_ends_a_worker_gives_everything_back(monkeypatch, tmp_path: Path) -> None:
    spec = plain_spec(context(tmp_path, {"slots": 2, "delay_s": 0.1}).spec)
    jobs = [plain_job(Job(3, 0, crystal(n=40))), plain_job(Job(4, 0, crystal(n=2)))]
    task = {"version": node.__version__, "spec": spec, "jobs": jobs, "lease_s": 100.0}
    try:
        node.work({**task, "jobs": []})  # loads
        monkeypatch.setenv(node.ENDS, str(time.time() + node.MARGIN_S + node.ANSWER_S + 2.0))
        reply = node.work(task)
        assert [key for key, _ in reply["finished"]] == [4]
        [(key, unfinished)] = reply["unfinished"]
        assert (key, 0 < unfinished["steps"] < 40) == (3, True)
        monkeypatch.setenv(node.ENDS, str(time.time() + 1.0))
        assert [key for key, _ in node.work(task)["unfinished"]] == [3, 4]
    finally:
        node.close_all()


@pytest.mark.slow
def test_what_never_ends_before_its_block_does_fails_in_the_end(
    monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(node, "MARGIN_S", 0.0)
    monkeypatch.setattr(node, "ANSWER_S", 0.2)
    tier = {"slots": 1, "delay_s": 0.1, "keeps": True}
    options = {"function": f"{__name__}:Ending", "options": {}, "retries": 1}
    with begin(tmp_path, tier, **options) as pool:
        outcomes = run(pool, [Job(0, 0, crystal(n=30)), Job(1, 0, crystal(n=2))])
    assert outcomes[0].reason is FailReason.TIMEOUT
    assert "was taken away" in outcomes[0].message
    assert isinstance(outcomes[1], Relaxed)


class Ending(Executor):
    """A pool in this process whose block always ends in a second."""

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        function({**args[0], "jobs": []})  # loads
        os.environ[node.ENDS] = str(time.time() + 2.0)
        try:
            future.set_result(function(*args, **options))
        finally:
            del os.environ[node.ENDS]
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        node.close_all()


def test_workers_of_another_version_are_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("nucleate.run.remote.lane.__version__", "0.0.1")
    with pytest.raises(InputError, match=r"have nucleate .*, and this is 0.0.1. Install the same"):
        begin(tmp_path, {})


def test_the_same_seed_gives_the_same_candidates_as_workers_here(tmp_path: Path) -> None:
    here = drive(tmp_path / "here", structures=25, slots=None)
    there = drive(tmp_path / "there", structures=25, executor={"kind": "futures", **OPTIONS})
    assert here.n_structures == there.n_structures
    for (ours, _), (theirs, _) in zip(
        told(tmp_path / "here"), told(tmp_path / "there"), strict=True
    ):
        assert ours.number == theirs.number
        assert np.array_equal(ours.candidate.crystal.scaled, theirs.candidate.crystal.scaled)
        assert np.array_equal(ours.candidate.crystal.cell, theirs.candidate.crystal.cell)


def test_jobs_and_specifications_travel_unchanged(tmp_path: Path) -> None:
    fixed = np.zeros((3, 3), dtype=bool)
    fixed[1] = True
    job = job_from(plain_job(Job(5, 1, crystal(), fixed, {"frames": 2}, {"steps": 3})))
    assert (job.key, job.tier, job.options, job.unfinished) == (5, 1, {"frames": 2}, {"steps": 3})
    assert np.array_equal(job.fixed, fixed)
    assert np.array_equal(job.crystal.scaled, crystal().scaled)
    spec = context(tmp_path, {}, {"name": "b"}).spec
    assert spec_from(plain_spec(spec), None) == spec


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("no_such_package:Pool", MissingDependencyError, "pip install no_such_package"),
        ("concurrent.futures:Nothing", InputError, "cannot be imported"),
        ("nothing", MissingDependencyError, "nothing is not installed"),
        ("", InputError, "module:function"),
    ],
)
def test_a_function_that_is_not_there_is_named(path, error, words) -> None:
    with pytest.raises(error, match=words):
        factory(path, {})


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("concurrent.futures:ProcessPoolExecutor", {"nodes": 3}, "does not take them"),
        ("builtins:dict", {}, "no concurrent.futures.Executor"),
    ],
)
def test_what_is_no_pool_is_refused(path, options, words) -> None:
    with pytest.raises(InputError, match=words):
        factory(path, options)()


def test_nobody_waits_for_a_tier_that_may_be_late(tmp_path: Path) -> None:
    first, second = (
        find("futures", "executors").model_validate({**OPTIONS, "workers": 1}) for _ in range(2)
    )
    done: SimpleQueue[Any] = SimpleQueue()
    both = context(tmp_path, {"slots": 3}, {"slots": 2, "name": "dft"}).spec
    lanes = [
        Lane(
            factory(chosen.function, chosen.options),
            spec_for(both, (tier,)),
            (tier,),
            LaneSettings(str(tier), 1),
            done,
        )
        for tier, chosen in enumerate((first, second))
    ]
    with FuturesExecutor(lanes, done, late={1}) as executor:
        assert [level["code"] for level in executor.wait_until_ready()] == ["toy"]
        assert (executor.n_workers, executor.capacity(), executor.levels) == (1, 3, None)
        outcomes = run(executor, [Job(0, 0, crystal()), Job(1, 1, crystal())])
        assert [outcomes[key].level.code for key in (0, 1)] == ["toy", "dft"]
        assert [level["code"] for level in executor.levels or ()] == ["toy", "dft"]


def test_the_processor_time_of_a_lost_task_is_charged(tmp_path: Path) -> None:
    options = {"function": f"{__name__}:Slow", "options": {}, "lease_s": 0.5}
    with begin(tmp_path, {"slots": 1}, **options) as pool:
        run(pool, [Job(0, 0, crystal())])
        [loss] = pool.losses
        assert 0.3 <= loss.lost_core_s <= 0.5
        assert pool.core_s >= loss.lost_core_s


class Slow(Dying):
    """A pool that loses its second task after a while."""

    def __init__(self) -> None:
        super().__init__(losses=1)

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
        future = super().submit(function, *args, **options)
        if not isinstance(future.exception() if future.done() else None, OSError):
            return future
        late: Future[Any] = Future()
        threading.Timer(0.4, late.set_exception, [OSError("gone")]).start()
        return late
