"""What ``--time`` counts: pools and search; neither compilation nor the loading of models."""

import importlib
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

import nucleate as nc
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.relax.warm_up import Springs, loose_crystal
from nucleate.run import stopwatch
from nucleate.run.stopwatch import Stopwatch
from nucleate.run.store import Store
from nucleate.search.search import SearchProgress
from nucleate.search.stop import Stop

LEVEL = LevelOfTheory("springs", "1", "springs", settings="")


def test_pauses_and_compilation_are_taken_off(monkeypatch):
    taken = SimpleNamespace(wall_s=0.0, core_s=0.0)
    clock = {"wall": 100.0, "core": 50.0}
    monkeypatch.setattr(stopwatch, "compiled", lambda: taken)
    monkeypatch.setattr(stopwatch.time, "monotonic", lambda: clock["wall"])
    monkeypatch.setattr(stopwatch.time, "process_time", lambda: clock["core"])
    watch = Stopwatch()
    watch.add(1000.0, 500.0)
    clock.update(wall=110.0, core=55.0)
    with watch.paused():
        clock.update(wall=140.0, core=75.0)
        taken.wall_s, taken.core_s = 7.0, 6.0  # compiled while paused: taken off once
    clock.update(wall=150.0, core=80.0)
    taken.wall_s, taken.core_s = 11.0, 9.0
    watch.add_elsewhere(3.0)
    assert watch.session_s == pytest.approx(10.0 + 10.0 - 4.0)
    assert watch.elapsed_s == pytest.approx(1016.0)
    assert watch.core_s(2.0) == pytest.approx(500.0 + 5.0 + 5.0 - 3.0 + 3.0 + 2.0)


class SlowPool:
    """A generator whose pool takes its time."""

    name = "slow"

    def __init__(self, seconds):
        self.seconds = seconds

    def prepare(self):
        time.sleep(self.seconds)
        return 0.0

    def generate(self, *, rng, max_formula_units=None):
        from nucleate.crystal.candidate import Candidate, Origin
        from nucleate.crystal.crystal import Crystal

        scaled = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
        cell = np.eye(3) * (3.5 + rng.random())
        return Candidate(Crystal(np.array([11, 17]), cell, scaled), Origin("slow"))


@pytest.mark.slow
def test_pools_count_and_loading_does_not(tmp_path, monkeypatch):
    module = importlib.import_module("nucleate.api.searching")
    build = module.inline_executor
    loading_s = 2.0

    def slowly(*args, **kwargs):
        time.sleep(loading_s)
        return build(*args, **kwargs)

    monkeypatch.setattr(module, "inline_executor", slowly)
    options = {"model": Springs(LEVEL), "max_atoms": 2, "time": 1.5, "polish": 0, "workers": 1}
    late = nc.predict("NaCl", generators=SlowPool(1.6), folder=tmp_path / "late", **options)
    assert late.stop_reason.startswith("the time is up; the first energy came ")
    assert len(late) > 0
    for limit_s in (1.5, 4.5, 13.5):  # on a busy machine an energy may take longer than the first
        loading_s = limit_s + 0.5
        folder = tmp_path / f"early-{limit_s}"
        options["time"] = limit_s
        early = nc.predict("NaCl", generators=SlowPool(0.1), folder=folder, **options)
        with Store.read(early.folder) as store:
            stopped = max(time_s for time_s, kind, _ in store.events() if kind == "stop")
        if early.stop_reason == "the time is up" and stopped < 2.0 * limit_s:
            break
    assert early.stop_reason == "the time is up", "loading took longer than the limit"
    assert len(early) > 0
    assert limit_s <= stopped < 2.0 * limit_s


@pytest.mark.parametrize(
    ("session_s", "n_relaxed", "over"),
    [(9.9, 0, False), (10.0, 0, False), (10.0, 1, True), (309.0, 0, False), (311.0, 0, True)],
)
def test_a_run_without_an_energy_waits_for_its_first_one(session_s, n_relaxed, over):
    stop = Stop(time_s=10.0)
    reason = stop.reason(
        SearchProgress(), n_finished=3, n_relaxed=n_relaxed, session_s=session_s, used_core_s=0.0
    )
    assert (reason is not None) is over
    assert stop.waits(session_s) is (session_s >= 10.0)


def test_a_run_says_for_how_long_it_waited():
    stop, progress = Stop(time_s=10.0, core_s=400.0), SearchProgress()

    def after(session_s, n_relaxed, core_s=0.0):
        return stop.reason(
            progress, n_finished=1, n_relaxed=n_relaxed, session_s=session_s, used_core_s=core_s
        )

    assert after(12.0, 0) is None
    assert after(12.0, 0, core_s=500.0) == "the core time is spent"
    assert after(14.0, 1) == "the time is up; the first energy came 4 s later"
    assert after(320.0, 0) == "the time is up; no energy had come 310 s later"


def test_a_warm_up_keeps_nothing():
    calls = []

    class Dear(Springs):
        def evaluate(self, batch):
            calls.append(batch)
            return super().evaluate(batch)

    relaxer = BatchedRelaxer(Dear(LEVEL), TierSettings(engine={"kind": "spp"}))
    free = relaxer.free_slots()
    relaxer.warm_up([11, 17])
    assert not calls, "an engine that does not say so is not evaluated"
    assert relaxer.free_slots() == free
    assert relaxer.step() == []


def test_a_warm_up_leaves_classical_results_as_they_are():
    tier = TierSettings(engine={"kind": "spp"})
    crystal = loose_crystal([11, 17] * 4).with_volume(180.0)
    outcomes = []
    for warms in (False, True):
        relaxer = build_relaxer(tier)
        if warms:
            relaxer.warm_up([11, 17])
        relaxer.add(0, crystal)
        ((_, outcome),) = relaxer.step()
        outcomes.append(outcome)
    assert outcomes[0].energy == outcomes[1].energy


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_seconds_on_a_fresh_installation_relax_structures(tmp_path):
    pytest.importorskip("chgnet")
    command = ["predict", "SrTiO3", "--max-atoms", "10", "--time", "10s", "--polish", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "nucleate", *command, "--out", str(tmp_path / "run")],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "compiling the energy models (first use only)" in done.stderr
    run = nc.open(tmp_path / "run")
    assert len(run.structures) >= 1
    assert 10.0 <= run.status()["elapsed_s"] < 13.0
