"""Run folders of somebody else: nothing in them is executed, followed or changed unasked."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from pathlib import Path

import pytest

import nucleate as nc
from nucleate.api.inputs import settings_of
from nucleate.benchmark.experiments import experiment_named
from nucleate.benchmark.matrix import Cell, run_cell
from nucleate.benchmark.results import tiers_of
from nucleate.errors import InputError
from nucleate.programs.jobs import NotFinishedError, read_folder
from nucleate.run import lock
from nucleate.run.lock import is_locked, locked
from nucleate.run.store import STORE_NAME, Store
from nucleate.run.trust import executed, is_own, own_mark

EVIL = {"name": "t", "engine": {"kind": "ase", "calculator": "os:system", "options": {}}}


def foreign(folder, tier=EVIL):
    meta = {
        "input": {
            "problem": {"formula": "MgO"},
            "search": {},
            "stop": {},
            "run": {},
            "tier": [tier],
        },
        "formula": "MgO",
        "seed": 0,
    }
    folder.mkdir()
    Store.create(folder, meta).close()
    return folder


def test_what_names_code_is_found():
    data = {"tier": [EVIL, {"python": "/x/python"}], "search": {"kind": "m:C"}, "a": {"kind": "b"}}
    assert [key for key, _ in executed(data)] == [
        "tier.0.engine.calculator",
        "tier.1.python",
        "search.kind",
    ]
    torch_sim = {"engine": {"kind": "torch-sim", "model": "evil:make"}}
    assert list(executed(torch_sim)) == [("engine.model", "evil:make")]
    assert not list(executed({"engine": {"kind": "mace", "model": "small"}}))


def test_a_stored_calculator_needs_trust(tmp_path):
    folder = foreign(tmp_path / "run")
    with pytest.raises(InputError, match=r"os:system(.|\n)*--trust"):
        settings_of("MgO", {}, folder=folder)
    settings = settings_of("MgO", {"": {"tier": [{"engine": {"kind": "spp"}}]}}, folder=folder)
    assert settings.tier[0].engine.kind == "spp"
    settings = settings_of("MgO", {}, folder=folder, trust=True)
    assert settings.tier[0].engine.kind == "ase"


def test_the_face_asks_for_trust_too(tmp_path):
    run = nc.open(foreign(tmp_path / "run"))
    with pytest.raises(InputError, match=r"os:system(.|\n)*trust=True"):
        _ = run.settings
    with pytest.raises(InputError, match=r"os:system(.|\n)*trust=True"):
        run.continue_(time="1s")
    assert nc.open(run.folder, trust=True).settings.tier[0].engine.kind == "ase"


def test_a_benchmark_runs_nobody_elses_code(tmp_path):
    tier = {"name": "t", "engine": {"kind": "os:system"}}
    cell = Cell("MgO", "default", 1)
    folder = cell.folder(tmp_path)
    folder.parent.mkdir(parents=True)
    foreign(folder, tier)
    with pytest.raises(InputError, match="os:system"):
        tiers_of(folder)
    with pytest.raises(InputError, match="os:system"):
        run_cell(tmp_path, cell, experiment_named("default"), core_time_s=1.0, workers=1)


def test_the_own_input_is_known_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    data = {"tier": [EVIL]}
    mark = own_mark(data)
    assert is_own(data, mark)
    assert not is_own({"tier": [EVIL, EVIL]}, mark)
    assert (tmp_path / "mine" / "nucleate" / "key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
    assert not is_own(data, mark)
    assert not is_own(data, "")
    assert not is_own(data, None)


def test_a_harmless_stored_input_needs_none(tmp_path):
    folder = foreign(tmp_path / "run", {"name": "t", "engine": {"kind": "spp"}})
    settings = settings_of("MgO", {}, folder=folder)
    assert settings.tier[0].engine.kind == "spp"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM record; END",
        "CREATE VIEW v AS SELECT 1",
    ],
)
@pytest.mark.parametrize("how", [Store.read, Store.append_to])
def test_stores_with_views_or_triggers_are_refused(tmp_path, statement, how):
    folder = foreign(tmp_path / "run")
    with sqlite3.connect(folder / STORE_NAME) as db:
        db.execute(statement)
    db.close()
    with pytest.raises(InputError, match="no store of nucleate has"):
        how(folder)


@pytest.mark.parametrize("name", [lock.LOCK_NAME, lock.HOLDER_NAME])
def test_the_lock_follows_no_link(tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).symlink_to(victim)
    with pytest.raises(InputError, match="is a link"), locked(folder):
        pass
    assert victim.read_text() == "precious"


def test_the_store_is_not_written_through_a_link(tmp_path):
    folder = foreign(tmp_path / "run")
    other = tmp_path / "other"
    other.mkdir()
    (other / STORE_NAME).symlink_to(folder / STORE_NAME)
    with pytest.raises(InputError, match="is a link"):
        Store.append_to(other)


def test_asking_for_the_lock_never_stands_in_the_way(tmp_path):
    folder = tmp_path / "run"
    assert not is_locked(folder)
    with locked(folder):
        before = (folder / lock.LOCK_NAME).stat()
        for _ in range(200):
            assert is_locked(folder)
        assert (folder / lock.LOCK_NAME).stat().st_ino == before.st_ino
    assert not is_locked(folder)
    for _ in range(50):
        with locked(folder):
            pass


def test_the_message_says_since_when_a_folder_is_in_use(tmp_path):
    with locked(tmp_path):
        with pytest.raises(InputError) as raised, locked(tmp_path):
            pass
        name = f"process {os.getpid()} on {platform.node()}"
        assert re.search(
            rf"\({name} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\)\. Wait", str(raised.value)
        )
        (tmp_path / lock.HOLDER_NAME).write_text(f"{name} since 3460218\n")
        with pytest.raises(InputError, match=rf"\({name}\)\. Wait"), locked(tmp_path):
            pass


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("since", ["1", "2026-11-28 11:34:22, start tick 1"])
def test_a_process_number_that_was_used_again_is_no_holder(tmp_path, since):
    name = f"process {os.getpid()} on {platform.node()} since {since}\n"
    (tmp_path / lock.HOLDER_NAME).write_text(name)
    assert not is_locked(tmp_path)


def test_a_manifest_imports_nothing(tmp_path):
    with pytest.raises(NotFinishedError, match="names code"):
        read_folder(tmp_path, {"tier": {"engine": {"kind": "os:system"}}})
