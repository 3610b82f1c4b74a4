"""Whole runs with real workers: ladder, failures, resuming, signals."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.events import Silent
from nucleate.run.folder import may_change_of_tier, open_store
from nucleate.run.lock import is_locked, locked
from nucleate.run.store import Store
from nucleate.run.window import QUEUED_PER_WORKER, window_for

from .driving import drive, settings, told
from .toys import ABORT, FAIL, HANG, NAN

SCRIPT = Path(__file__).with_name("driving.py")
ONE_SLOT = ({"slots": 1},)


def start_driver(folder, **arguments):
    command = [sys.executable, "-c", ("import runpy, sys; sys.path.insert(0, sys.argv[2]); "
               "runpy.run_module('run.driving', run_name='__main__')")]  # fmt: skip
    values = json.dumps({"folder": str(folder), **arguments})
    driver = subprocess.Popen(
        [*command, values, str(SCRIPT.parents[1])], stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout.readline() == "started\n"
    return driver


class InterruptAt(Silent):
    """Sends the interrupt of Ctrl-C when so many records are finished."""

    def __init__(self, count):
        self.left = count

    def on_record(self, record, update, *, replayed):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def wait_for_records(folder, count):
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        if Store.exists(folder) and len(told(folder)) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{folder} did not get {count} records")


def assert_same_run(ours, expected):
    assert len(ours) == len(expected)
    for (record, verdict), (other, other_verdict) in zip(ours, expected, strict=True):
        assert record.number == other.number
        assert record.candidate.origin == other.candidate.origin
        assert np.array_equal(record.candidate.crystal.scaled, other.candidate.crystal.scaled)
        assert record.enthalpies() == other.enthalpies()
        assert verdict == other_verdict


def assert_sound(folder):
    """The file is not corrupt, and every record has its candidate and outcomes."""
    with sqlite3.connect(folder / "run.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()
    for record, _ in told(folder):
        assert record.outcomes or record.duplicate_of is not None


def test_a_run_stops_at_the_number_of_structures(tmp_path):
    summary = drive(tmp_path, structures=12, workers=2)
    assert summary.n_structures == 12
    assert summary.reason == "12 structures were relaxed"
    records = told(tmp_path)
    assert sum(bool(record.outcomes) for record, _ in records) == 12
    assert summary.best.number == records[-1][1].best
    assert min(r.relaxed.enthalpy_per_atom for r, _ in records if r.relaxed) == pytest.approx(
        summary.best.relaxed.enthalpy_per_atom
    )


def test_same_seed_one_worker_same_run_bit_for_bit(tmp_path):
    for name in ("a", "b"):
        drive(tmp_path / name, structures=20)
    assert_same_run(told(tmp_path / "a"), told(tmp_path / "b"))


@pytest.mark.parametrize("cut", [pytest.param(3, marks=pytest.mark.slow), 11])
def test_a_continued_run_is_the_same_run(tmp_path, cut):
    drive(tmp_path / "whole", ONE_SLOT, structures=20)
    stopped = drive(tmp_path / "parts", ONE_SLOT, structures=20, callback=InterruptAt(cut))
    assert stopped.reason == "interrupted"
    assert len(told(tmp_path / "parts")) == cut
    drive(tmp_path / "parts", ONE_SLOT, structures=20)
    assert_same_run(told(tmp_path / "parts"), told(tmp_path / "whole"))


def test_every_tier_sees_every_crystal_and_keeps_its_own_energy(tmp_path):
    tiers = ({"name": "cheap"}, {"name": "dear", "scale": -2.0})
    drive(tmp_path, tiers, structures=6)
    for record, _ in told(tmp_path):
        energies = record.enthalpies()
        assert energies["dear"] == pytest.approx(-2.0 * energies["cheap"])


class MostInFlight(Silent):
    """Remembers how many candidates were on their way at most."""

    most = 0

    def on_progress(self, progress):
        self.most = max(self.most, progress.in_flight)


def test_candidates_do_not_pile_up_before_a_slow_tier(tmp_path):
    callback = MostInFlight()
    tiers = ({"name": "fast", "slots": 4}, {"name": "slow", "slots": 1})
    summary = drive(tmp_path, tiers, callback=callback, structures=40)
    assert summary.n_structures == 40
    in_fast, waiting, in_slow = 4, 4, 1  # a fast tier may end its four at once
    assert callback.most <= in_fast + QUEUED_PER_WORKER + waiting + in_slow


def test_bad_crystals_are_recorded_with_their_reasons_and_the_run_goes_on(tmp_path):
    faults = {"1": ABORT, "3": NAN, "5": HANG, "6": FAIL}
    summary = drive(tmp_path, ({"faults": faults},), structures=14, limit_s=4.0)
    reasons = {
        record.number: record.failure.outcome.reason
        for record, _ in told(tmp_path)
        if record.failure is not None
    }
    assert reasons == {
        1: FailReason.CRASHED,
        3: FailReason.NOT_FINITE,
        5: FailReason.TIMEOUT,
        6: FailReason.EXPLODED,
    }
    assert summary.n_structures == 14
    assert not summary.error
    assert summary.progress.failures["crashed"] == 1
    with Store.read(tmp_path) as store:
        assert any("SIGABRT" in data["message"] for _, _, data in store.events("worker-lost"))


def test_the_first_ten_failures_stop_the_run_and_show_the_first(tmp_path):
    summary = drive(tmp_path, ({"faults": {"-1": FAIL}},), structures=100)
    assert summary.error == "exploded: the toy was told to explode"
    assert "all failed" in summary.reason
    assert 10 <= summary.n_structures < 20


def test_nine_failures_do_not(tmp_path):
    faults = {str(number): FAIL for number in range(9)}
    summary = drive(tmp_path, ({"faults": faults, "slots": 1},), structures=14)
    assert not summary.error
    assert summary.n_structures == 14


def test_a_time_limit_ends_the_run_and_loses_nothing_that_was_told(tmp_path):
    slow = ({"slots": 2, "delay_s": 0.02},)
    summary = drive(tmp_path, slow, time_limit_s=3.0)
    assert summary.reason == "the time is up"
    assert summary.n_structures == sum(bool(r.outcomes) for r, _ in told(tmp_path)) > 0
    assert_sound(tmp_path)


def test_kill_minus_nine_at_any_moment_loses_only_what_was_in_flight(tmp_path):
    arguments = {"tiers": [{"slots": 1, "delay_s": 0.005}], "structures": 20}
    drive(tmp_path / "whole", **arguments)
    whole = told(tmp_path / "whole")
    rng = np.random.default_rng(0)
    folder = tmp_path / "killed"
    before = 0
    for _ in range(2):
        driver = start_driver(folder, **arguments)
        wait_for_records(folder, before + int(rng.integers(0, 9)))
        time.sleep(rng.uniform(0.0, 0.1))
        driver.kill()
        driver.wait()
        assert_sound(folder)
        after = len(told(folder))
        assert after >= before
        before = after
    assert before > 0
    drive(tmp_path / "killed", **arguments)
    assert_same_run(told(tmp_path / "killed"), whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_run_cleanly(tmp_path, number):
    driver = start_driver(tmp_path, tiers=[{"slots": 2, "delay_s": 0.01}])
    wait_for_records(tmp_path, 1)
    driver.send_signal(number)
    output, _ = driver.communicate(timeout=10.0)
    assert driver.returncode == 0
    assert output.strip() in ("interrupted", "told to end (SIGTERM)")
    with Store.read(tmp_path) as store:
        assert [data["reason"] for _, _, data in store.events("stop")] == [output.strip()]
    assert_sound(tmp_path)


def test_a_folder_belongs_to_one_driver(tmp_path):
    with locked(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(InputError, match="in use by another run"):
            drive(tmp_path, structures=1)
    assert not is_locked(tmp_path)


def test_another_input_is_refused_with_the_differences(tmp_path):
    open_store(tmp_path, settings()).close()
    with pytest.raises(InputError) as error:
        open_store(tmp_path, settings(seed=2, structures=5))
    text = str(error.value)
    assert "search.seed: 1 -> 2  (must not change)" in text
    assert "stop.structures: not set -> 5  (may change)" in text
    with Store.read(tmp_path) as store:
        assert store.meta["seed"] == 1


@pytest.mark.parametrize(
    ("key", "free"),
    [
        ("wall_s", True),
        ("engine.command", True),
        ("engine.environment.VASP_PP_PATH", True),
        ("engine.model", False),
        ("engine.stage.0.kspacing", False),
        ("fmax_ev_per_ang", False),
    ],
)
def test_what_changes_no_energy_of_a_tier_may_change(key, free):
    assert may_change_of_tier(key) is free


def test_limits_and_workers_may_change(tmp_path):
    open_store(tmp_path, settings()).close()
    open_store(tmp_path, settings(structures=5, without_improvement=7)).close()


def test_resuming_a_thousand_records_relaxes_none_of_them_again(tmp_path):
    drive(tmp_path, ({"slots": 16},), structures=60)
    rows = told(tmp_path)
    with open_store(tmp_path, settings(structures=1000)) as store:
        number = max(record.number for record, _ in rows) + 1
        for repeat in range(1000 - len(rows)):
            record, verdict = rows[repeat % len(rows)]
            store.add_candidate(number + repeat, record.candidate)
            for position, item in enumerate(record.outcomes):
                store.add_outcome(number + repeat, position, item.tier, item.outcome)
            moved = type(record)(number + repeat, record.candidate, record.outcomes)
            store.add_record(moved, verdict)
        store.commit()
    diary = tmp_path / "diary"
    summary = drive(
        tmp_path, ({"slots": 16, "diary": str(diary)},), structures=1000, time_limit_s=0.0
    )
    assert summary.n_structures > 900
    assert not diary.exists()


def test_outcomes_are_either_relaxed_or_failed(tmp_path):
    drive(tmp_path, structures=3)
    for record, _ in told(tmp_path):
        for item in record.outcomes:
            assert isinstance(item.outcome, Relaxed | Failed)


@pytest.mark.parametrize(
    ("capacity", "workers", "window"), [(1, 1, 2), (4, 1, 7), (8, 2, 14), (8, 8, 84), (200, 2, 302)]
)
def test_the_window_lets_no_worker_wait_for_one_long_relaxation(capacity, workers, window) -> None:
    assert window_for(capacity, workers) == window
