"""Blocks of a scheduler: a stand-in for SLURM runs the jobs on this machine."""

from __future__ import annotations

import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nucleate.errors import InputError
from nucleate.plugins import find
from nucleate.relax.outcome import Relaxed
from nucleate.run.executor import Job
from nucleate.run.remote import blocks
from nucleate.run.remote.blocks import Block, provider_of, tiers_of
from nucleate.run.remote.checking import TEMPLATES, check_blocks, settings_for_check, template
from nucleate.run.remote.guard import Guard
from nucleate.run.remote.work import ENDS

from .simulated import install_slurm
from .test_executors import context, settings_with
from .test_pool import crystal, run

QUICK = {"heartbeat_s": 2, "status_s": 1.0}
SLURM = {"provider": "slurm", "options": {"partition": "normal", "exclusive": False}, **QUICK}


def block(**values: Any) -> Block:
    return Block.model_validate({**SLURM, **values})


@pytest.fixture
def slurm(monkeypatch, tmp_path: Path) -> Path:
    pytest.importorskip("parsl")
    return install_slurm(monkeypatch, tmp_path, minute_s=60.0)


def states(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("*.state"))]


def begin(folder: Path, tier: dict[str, Any], **values: Any) -> Any:
    settings = find("parsl", "executors").model_validate(
        {"block": [{**SLURM, **values}], "lease_s": values.pop("lease_s", 3.0)}
    )
    executor = settings.build(context(folder, tier))
    executor.wait_until_ready()
    return executor


@pytest.mark.slow
def test_blocks_are_submitted_and_given_back(slurm: Path, tmp_path: Path) -> None:
    executor = begin(tmp_path, {"slots": 1}, workers_per_node=2)
    outcomes = run(executor, [Job(i, 0, crystal(seed=i)) for i in range(10)], timeout_s=60.0)
    assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())
    assert states(slurm) == ["R"]
    executor.close()
    time.sleep(2.0)
    assert states(slurm) == ["CA"]


@pytest.mark.slow
def test_work_continues_when_blocks_drain_before_their_limit(slurm: Path, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    tier = {"slots": 1, "delay_s": 0.25, "diary": str(diary)}
    executor = begin(tmp_path, tier, walltime=90.0, workers_per_node=2)
    try:
        jobs = [Job(i, 0, crystal(n=40, seed=i)) for i in range(20)]  # 20 * 10 s on two workers
        outcomes = run(executor, jobs, timeout_s=280.0)
        assert len(states(slurm)) >= 2
        assert "TO" not in states(slurm)
        assert executor.losses == []
        assert all(outcomes[job.key].steps == 40 for job in jobs)
        assert len(diary.read_text().splitlines()) == 20 * 40, "steps were taken twice"
    finally:
        executor.close()


@pytest.mark.slow
def test_a_cancelled_block_is_a_lost_attempt(slurm: Path, tmp_path: Path) -> None:
    executor = begin(tmp_path, {"slots": 1, "delay_s": 0.1}, workers_per_node=2)
    try:
        jobs = [Job(i, 0, crystal(n=20, seed=i)) for i in range(6)]
        for job in jobs:
            executor.submit(job)
        executor.feed()
        time.sleep(1.0)
        subprocess.run(["scancel", "1"], check=True)
        outcomes = run(executor, [], submitted=jobs, timeout_s=120.0)
        assert all(isinstance(outcome, Relaxed) for outcome in outcomes.values())
        assert executor.losses
        assert len(states(slurm)) >= 2
    finally:
        executor.close()


def check(data: dict[str, Any], folder: Path, wait_s: float = 90.0) -> list[Any]:
    return list(check_blocks(settings_for_check(data), folder, wait_s))


@pytest.mark.slow
def test_the_check_says_what_works_and_what_does_not(slurm: Path, tmp_path: Path) -> None:
    good = {"name": "good", **SLURM}
    wrong = {"name": "wrong", **SLURM, "options": {"partition": "nowhere"}}
    bad = {"name": "bad", **SLURM, "python": "/no/python"}
    data = {"executor": {"kind": "parsl", "block": [good, wrong, bad]}}
    reports = {report.name: report for report in check(data, tmp_path)}
    assert reports["good"].wrong == ()
    assert "spp relaxed after" in reports["good"].facts
    [said] = reports["wrong"].wrong
    assert "invalid partition" in said
    assert "options.partition" in said
    [said] = reports["bad"].wrong
    assert "/no/python" in said


def test_the_check_of_this_machine(tmp_path: Path) -> None:
    [report] = check({"executor": {"kind": "local"}}, tmp_path)
    assert report.wrong == ()
    assert "this machine" in report.facts


def processes(**options: Any) -> dict[str, Any]:
    function = "concurrent.futures:ProcessPoolExecutor"
    chosen = {"kind": "futures", "function": function, "options": {"max_workers": 1}, **options}
    return {"executor": chosen}


def test_the_check_compares_the_node_with_this_machine(tmp_path: Path, monkeypatch) -> None:
    [report] = check(processes(), tmp_path)
    assert report.wrong == ()
    told = {"version": "0.0.1", "python": "/p", "host": "n7", "clock_s": 5.0, "sees": False}
    monkeypatch.setattr("nucleate.run.remote.checking._awaited", lambda *_: told)
    [report] = check(processes(), tmp_path)
    version, folder, clock = report.wrong
    assert "n7 has nucleate 0.0.1" in version
    assert "does not see the folder" in folder
    assert "clock of n7 differs" in clock


def test_a_missing_package_is_named_with_its_install_line(tmp_path: Path) -> None:
    [report] = check(processes(function="no_such_package:Pool"), tmp_path)
    assert "pip install no_such_package" in report.wrong[0]


def test_a_run_never_starts_without_parsl(monkeypatch, tmp_path: Path) -> None:
    def gone(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(blocks, "import_module", gone)
    chosen = find("parsl", "executors").model_validate({})
    with pytest.raises(Exception, match=r'pip install "nucleate\[cluster\]"'):
        chosen.build(context(tmp_path))


def test_no_scheduler_on_the_path(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="sbatch, squeue, scancel, which are not on the path"):
        provider_of(block())


def test_options_of_a_provider_are_checked(slurm: Path) -> None:
    del slurm
    with pytest.raises(InputError, match=r"options.partitoin is no option .* Known: .*partition"):
        provider_of(block(options={"partitoin": "normal"}))
    provider = provider_of(block(walltime="90m", nodes=2, max_blocks=3))
    assert (provider.walltime, provider.nodes_per_block, provider.max_blocks) == ("01:30:00", 2, 3)
    assert ENDS in provider.worker_init
    assert type(provider.launcher).__name__ == "SrunLauncher"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"block": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"block": [{"workers": 3}]}, "workers is not a key"),
        ({"block": [{"walltime": "soon"}]}, "not a duration"),
        ({"block": [{"options": {"walltime": "1h"}}]}, "set by keys of the block"),
        ({"block": [{"provider": "condor"}]}, "provider"),
    ],
)
def test_wrong_blocks_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        settings_with(kind="parsl", **given)


def test_every_tier_has_one_block() -> None:
    cpu, gpu = block(name="cpu"), block(name="gpu", tiers=["chgnet"])
    assert tiers_of([cpu, gpu], ["spp", "chgnet"]) == [(0,), (1,)]
    assert tiers_of([cpu], ["spp", "chgnet"]) == [(0, 1)]
    low, high = block(name="low", tiers=["spp"]), block(name="high", tiers=["chgnet"])
    assert tiers_of([high, low], ["polished"], ["spp", "chgnet"]) == [(0,), ()]
    assert tiers_of([low, high], ["chgnet", "judge"], ["spp", "chgnet"]) == [(), (0, 1)]
    assert tiers_of([low, cpu], ["polished"], ["spp", "chgnet"]) == [(), (0,)]
    for chosen, words in (
        ([cpu, block(name="b")], "several blocks"),
        ([gpu], "no block computes 'spp'"),
        ([cpu, block(name="b", tiers=["dft"])], "no .* with the name 'dft'"),
    ):
        with pytest.raises(InputError, match=words):
            tiers_of(chosen, ["spp", "chgnet"])


@pytest.mark.parametrize("kind", TEMPLATES)
def test_templates_are_inputs(kind: str) -> None:
    data = tomllib.loads(template(kind))
    found = settings_for_check(data).executor
    assert found.kind == ("local" if kind == "local" else "parsl")
    loose = [line for line in template(kind).splitlines() if len(line) > 110]
    assert not loose


def test_what_a_killed_driver_leaves_is_ended(tmp_path: Path) -> None:
    diary = tmp_path / "cancelled"
    script = tmp_path / "cancel"
    script.write_text(f'#!/bin/bash\necho "$@" >> {diary}\n')
    script.chmod(0o755)
    child = subprocess.Popen(["sleep", "100"], env={"NUCLEATE_EXECUTOR": "m-1", "PATH": "/bin"})
    guard = Guard("m-1", str(script))
    guard.tell("17 18")
    assert guard._process.stdin is not None
    guard._process.stdin.close()  # as the system does when the driver is killed
    guard._process.wait(timeout=30)
    assert child.wait(timeout=5) == -9
    assert diary.read_text().split() == ["17", "18"]


def test_flux_is_asked_for_blocks(monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    diary = tmp_path / "diary"
    command = tmp_path / "flux"
    command.write_text(
        f'#!/bin/bash\necho "$@" >> {diary}\n'
        'case $1 in batch) echo ƒAb3;; jobs) echo "ƒAb3 RUN";; esac\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    chosen = {"provider": "flux", "options": {"queue": "pbatch"}, "walltime": "90m", "nodes": 2}
    provider = provider_of(Block.model_validate({**QUICK, **chosen}))
    provider.script_dir = str(tmp_path)
    number = provider.submit("true", 1, "job")
    assert provider.status([number])[0].state.name == "RUNNING"
    assert provider.cancel([number]) == [True]
    batch, jobs, cancel = diary.read_text().splitlines()
    assert "--nodes=2" in batch
    assert "--time-limit=90m" in batch
    assert "--queue=pbatch" in batch
    assert jobs.endswith("ƒAb3")
    assert cancel == "cancel ƒAb3"


@pytest.mark.slow
def test_the_driver_computes_with_one_thread_beside_parsl(tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    with threadpool_limits(2, user_api="blas"):
        block = {"provider": "local", **QUICK}
        executor = find("parsl", "executors").model_validate({"block": [block]})
        executor.build(context(tmp_path)).close()
        found = [item["num_threads"] for item in threadpool_info() if item["user_api"] == "blas"]
    assert found
    assert set(found) == {1}
