"""Processor time: measured where it is spent, kept over starts, and a limit that stops a run."""

from __future__ import annotations

import time

import pytest

from nucleate.run.store import Store
from nucleate.search.stop import CORE_TIME_SPENT

from .driving import drive, told

BUSY = ({"busy_s": 0.05, "slots": 1},)
IDLE = ({"delay_s": 0.05, "slots": 1},)


def core_times(folder):
    return [record.core_s for record, _ in told(folder)]


def stop_events(folder):
    with Store.read(folder) as store:
        return [data for _, _, data in store.events("stop")]


@pytest.mark.slow
def test_work_counts_and_sleep_does_not(tmp_path):
    drive(tmp_path / "busy", BUSY, structures=6)
    drive(tmp_path / "idle", IDLE, structures=6)
    steps = sum(record.relaxed.steps for record, _ in told(tmp_path / "busy"))
    busy, idle = (stop_events(tmp_path / name)[-1]["core_s"] for name in ("busy", "idle"))
    assert 0.05 * steps <= busy < 0.05 * steps + 3.0
    assert idle < busy - 0.8 * 0.05 * steps


def test_core_seconds_rise_from_record_to_record(tmp_path):
    drive(tmp_path, BUSY, structures=5)
    times = core_times(tmp_path)
    assert times == sorted(times)
    assert times[0] > 0.0


def test_the_limit_stops_the_run_and_counts_over_all_starts(tmp_path):
    first = drive(tmp_path, BUSY, structures=3)
    spent = first.progress.core_s
    start = time.process_time()
    second = drive(tmp_path, BUSY, core_limit_s=spent + 1.5)
    assert second.reason == CORE_TIME_SPENT
    assert spent + 1.5 <= second.progress.core_s < spent + 5.0
    assert second.progress.core_s - spent > time.process_time() - start
    assert max(core_times(tmp_path)) <= stop_events(tmp_path)[-1]["core_s"]
    third = drive(tmp_path, BUSY, core_limit_s=spent)
    assert third.reason == CORE_TIME_SPENT
    assert third.progress.session_structures == 0


def test_the_time_of_a_lost_worker_is_not_forgotten(tmp_path):
    faults = ({"busy_s": 0.05, "slots": 1, "faults": {"2": 95}},)
    summary = drive(tmp_path, faults, structures=5)
    steps = sum(record.relaxed.steps for record, _ in told(tmp_path) if record.relaxed)
    assert summary.progress.failures
    assert summary.progress.core_s >= 0.05 * steps
