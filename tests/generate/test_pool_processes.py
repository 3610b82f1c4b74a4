"""A pool made by several processes: the same pool, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate.graph_search import processes
from nucleate.generate.graph_search.parts import Parts
from nucleate.generate.graph_search.pool import Plan
from nucleate.generate.graph_search.sizes import make_pool
from nucleate.networks.graph_network.network import GraphNetwork

SPACE = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=6)
PLAN = Plan(number=30, refined=5, descent_steps=2)


@pytest.fixture(scope="module")
def network() -> GraphNetwork:
    return GraphNetwork.load()


@pytest.mark.slow
def test_the_pool_does_not_depend_on_the_processes(network: GraphNetwork) -> None:
    reports = []
    apart, account = make_pool(
        SPACE, network, PLAN, processes=2, report=lambda *args: reports.append(args)
    )
    here, own = make_pool(SPACE, network, PLAN)
    assert [member.detail for member in apart] == [member.detail for member in here]
    for ours, theirs in zip(apart, here, strict=True):
        np.testing.assert_array_equal(ours.crystal.scaled, theirs.crystal.scaled)
    assert (account.found, account.proposals) == (own.found, own.proposals)
    assert account.elsewhere_s == pytest.approx(account.seconds["all"])
    assert own.elsewhere_s == 0.0
    shown = [done for _, done, _ in reports]
    assert shown == sorted(shown)
    assert 0 < shown[0] < shown[-1] == 100


@pytest.mark.parametrize("several", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_sizes_that_are_finished_are_kept(
    network: GraphNetwork, tmp_path: Path, several: int
) -> None:
    parts = Parts(tmp_path / "pool.extxyz")
    whole, _ = make_pool(SPACE, network, PLAN, processes=several, parts=parts)
    sizes = PLAN.formula_units(SPACE)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"pool-size-{units}.extxyz" for units in sizes]
    (tmp_path / kept[-1]).unlink()  # as if the first start had been ended then
    again, account = make_pool(SPACE, network, PLAN, processes=several, parts=parts)
    assert list(account.found) == [sizes[-1]], "the others are read"
    assert [member.detail for member in again] == [member.detail for member in whole]
    for ours, theirs in zip(again, whole, strict=True):
        np.testing.assert_array_equal(ours.crystal.scaled, theirs.crystal.scaled)
    parts.clear(sizes)
    assert not list(tmp_path.iterdir())


def test_a_lost_process_is_an_error_that_says_so(
    network: GraphNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_START", "import os; os._exit(9)")
    with pytest.raises(processes.PoolProcessError, match="exit code 9"):
        make_pool(SPACE, network, PLAN, processes=2)


def test_the_processes_end_with_a_killed_parent() -> None:
    script = (
        "from nucleate.generate.graph_search import processes as p\n"
        "process, pipe = p._started()\n"
        "print(process.pid, flush=True)\n"
        "pipe.recv()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline and _is_alive(child):
        time.sleep(0.2)
    assert not _is_alive(child)


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
