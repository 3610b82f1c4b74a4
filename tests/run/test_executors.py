"""What every executor must do, whoever starts its workers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nucleate.errors import InputError
from nucleate.plugins import Component, find, kinds
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.executor import InlineExecutor, Job
from nucleate.run.pool import WorkerStartError
from nucleate.run.process import WorkerSpec
from nucleate.run.settings import RunSettings
from nucleate.run.shared import SharedExecutor
from nucleate.run.starting import ExecutorContext

from .test_pool import crystal, run
from .toys import ABORT, FAIL, HANG, NAN, RAISE, build

HERE = Path(__file__).resolve().parent


def context(folder: Path, *tiers: dict[str, Any], workers: int = 1, limit_s: float = 60.0):
    tiers = tiers or ({},)
    spec = WorkerSpec(
        tiers=tiers,
        step_limits_s=(limit_s,) * len(tiers),
        factory="toys:build",
        search_path=(str(HERE),),
    )
    names = tuple(str(tier.get("name", "toy")) for tier in tiers)
    return ExecutorContext(spec, workers, names, folder)


class Inline(Component):
    """Relaxers of this very process."""

    def build(self, context: ExecutorContext) -> InlineExecutor:
        return InlineExecutor(lambda: build(context.spec.tiers, pressure_gpa=0.0))


class Shared(Component):
    """A share of worker processes."""

    def build(self, context: ExecutorContext) -> Any:
        pool = find("local", "executors")().build(context)
        share = SharedExecutor(pool).share()
        share.close = pool.close  # type: ignore[method-assign]
        return share


PROCESSES = {
    "kind": "futures",
    "function": "concurrent.futures:ProcessPoolExecutor",
    "options": {"max_workers": 1},
}
PARSL = {"kind": "parsl", "block": [{"provider": "local", "heartbeat_s": 2, "status_s": 1.0}]}
EXECUTORS: dict[str, Any] = {
    "inline": Inline,
    "shared": Shared,
    "local": lambda: find("local", "executors")(),
    "processes": lambda: find("futures", "executors").model_validate(PROCESSES),
    "parsl": lambda: find("parsl", "executors").model_validate(PARSL),
}
ALL = [
    pytest.param(name, marks=pytest.mark.slow) if name == "parsl" else name for name in EXECUTORS
]
ISOLATED = ALL[1:]


@pytest.fixture(params=ALL)
def start(request: pytest.FixtureRequest, tmp_path: Path):
    yield from starting(request.param, tmp_path)


@pytest.fixture(params=ISOLATED)
def isolated(request: pytest.FixtureRequest, tmp_path: Path):
    yield from starting(request.param, tmp_path)


def starting(name: str, folder: Path):
    if name == "parsl":
        pytest.importorskip("parsl")
    started: list[Any] = []

    def begin(*tiers: dict[str, Any], **options: Any) -> Any:
        executor = EXECUTORS[name]().build(context(folder, *tiers, **options))
        started.append(executor)
        executor.wait_until_ready()
        return executor

    yield begin
    for executor in started:
        executor.close()


def test_outcomes_come_back_unchanged(start) -> None:
    executor = start({"slots": 3})
    jobs = [Job(i, 0, crystal(seed=i, n=2 + i % 5)) for i in range(12)]
    outcomes = run(executor, jobs)
    for job in jobs:
        outcome = outcomes[job.key]
        assert isinstance(outcome, Relaxed)
        assert np.array_equal(outcome.crystal.scaled, job.crystal.scaled)
        assert outcome.energy == float(
            np.sin(job.crystal.positions).sum() + 0.01 * job.crystal.volume
        )
    assert executor.losses == []


def test_levels_and_room_are_known_when_it_is_ready(start) -> None:
    executor = start({"slots": 3}, {"slots": 2, "name": "other"})
    assert [level["code"] for level in executor.levels] == ["toy", "other"]
    assert executor.n_workers == 1
    assert executor.capacity() >= 3
    assert 0 < executor.wants() <= executor.capacity()
    assert executor.backlog == executor.n_queued(0) == executor.n_queued(1) == 0


def test_what_is_queued_is_counted_until_it_is_handed_out(start) -> None:
    executor = start({"slots": 2}, {"slots": 2, "name": "other"})
    jobs = [Job(0, 0, crystal()), Job(1, 1, crystal(seed=1)), Job(2, 1, crystal(seed=2))]
    room = executor.wants()
    for job in jobs:
        executor.submit(job)
    assert (executor.n_queued(0), executor.n_queued(1), executor.backlog) == (1, 2, 2)
    assert executor.wants() == room - 1
    outcomes = run(executor, [], submitted=jobs)
    assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())
    assert executor.backlog == executor.n_queued(0) == 0


def test_jobs_go_to_their_tier(start) -> None:
    executor = start({}, {"scale": -1.0, "name": "other"})
    outcomes = run(executor, [Job(0, 0, crystal(seed=3)), Job(1, 1, crystal(seed=3))])
    assert outcomes[0].energy == -outcomes[1].energy
    assert [outcomes[key].level.code for key in (0, 1)] == ["toy", "other"]


def test_a_poll_without_work_returns_in_time(start) -> None:
    executor = start({})
    began = time.monotonic()
    assert executor.poll(0.1) == []
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(FAIL, FailReason.EXPLODED), (RAISE, FailReason.CALCULATOR)],
)
def test_a_bad_crystal_fails_and_its_batch_mates_do_not(start, fault, reason) -> None:
    executor = start({"slots": 4})
    jobs = [Job(i, 0, crystal(fault if i == 1 else 1, seed=i)) for i in range(5)]
    outcomes = run(executor, jobs)
    bad = outcomes.pop(1)
    assert isinstance(bad, Failed)
    assert bad.reason is reason
    assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())


@pytest.mark.parametrize(
    ("fault", "reason"), [(ABORT, FailReason.CRASHED), (NAN, FailReason.NOT_FINITE)]
)
def test_a_crystal_that_kills_its_worker_fails_alone(isolated, fault, reason) -> None:
    executor = isolated({"slots": 4})
    jobs = [Job(i, 0, crystal(fault if i == 1 else 1, seed=i)) for i in range(5)]
    outcomes = run(executor, jobs)
    bad = outcomes.pop(1)
    assert isinstance(bad, Failed)
    assert bad.reason is reason
    assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())


def test_a_model_that_hangs_is_ended(isolated) -> None:
    executor = isolated({"slots": 1}, limit_s=1.0)
    outcomes = run(executor, [Job(0, 0, crystal(HANG)), Job(1, 0, crystal(seed=1))])
    assert outcomes[0].reason is FailReason.TIMEOUT
    assert isinstance(outcomes[1], Relaxed)


def test_processor_time_of_the_workers_is_counted(isolated) -> None:
    executor = isolated({"slots": 1, "busy_s": 0.02})
    run(executor, [Job(i, 0, crystal(n=5, seed=i)) for i in range(3)])
    assert 0.3 <= executor.core_s < 3.0


def test_engines_that_cannot_be_loaded_are_reported(isolated) -> None:
    with pytest.raises(WorkerStartError, match="no such model"):
        isolated({"broken": True})


def test_the_shipped_executors_are_in_the_registry() -> None:
    assert {name for name, kind in kinds()["executors"].items() if kind.source == "nucleate"} == {
        "futures",
        "local",
        "parsl",
    }


def settings_with(**executor: Any) -> RunSettings:
    return RunSettings.from_dict({"problem": {"formula": "NaCl"}, "executor": executor})


def test_the_input_names_the_executor() -> None:
    assert RunSettings.from_dict({"problem": {"formula": "NaCl"}}).executor.kind == "local"
    assert settings_with(kind="local").executor.kind == "local"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "local", "nodes": 3}, "executor.nodes is not a key"),
        ({"kind": "lokal"}, "Did you mean 'local'"),
        ({"kind": "no.such:Thing"}, "cannot be imported"),
        ({}, "kind is missing"),
    ],
)
def test_a_wrong_executor_is_refused(given, words) -> None:
    with pytest.raises(InputError, match=words):
        settings_with(**given)
