"""kill -9, then the same command again: nothing is lost or doubled, and the result is the same."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest

import nucleate as nc
from nucleate.crystal.files import write_extxyz

MAIN = "from nucleate.cli import main; main()"
SPP_BENCHMARK = """
from nucleate.benchmark import experiments, matrix, warm_up
experiments._first_tiers = lambda _: [{"name": "spp", "engine": {"kind": "spp"}}]
warm_up.warm_up = lambda: "skipped"
"""
BENCHMARK = ("benchmark", "run", "--compounds", "CoAs2", "--experiments", "symmetric")


def start(words, folder, *, before=""):
    """Start a command in a process of its own, in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", before + MAIN, *map(str, words)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def outcomes(folder, tier="spp"):
    """Return candidate, status and energy of every outcome of a tier; the file must be whole."""
    path = folder / "run.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=30.0)) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        found = db.execute(
            "SELECT candidate, status, energy_ev FROM outcome WHERE tier = ? ORDER BY candidate",
            (tier,),
        ).fetchall()
    assert len({row[0] for row in found}) == len(found)
    return found


def kill_and_continue(words, place, folder, kills, *, tier="spp", before=""):
    """Kill a command as soon as it has progressed, then let it end; return its outcomes."""
    known = []
    for _ in range(kills):
        process = start(words, place, before=before)
        while process.poll() is None and len(outcomes(folder, tier)) <= len(known):
            time.sleep(0.01)
        assert process.poll() is None, process.stderr.read().decode()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = outcomes(folder, tier)
        assert set(known) <= set(found)
        known = found
    process = start(words, place, before=before)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()
    found = outcomes(folder, tier)
    assert set(known) <= set(found)
    return found


KILLS = [1, pytest.param(4, marks=pytest.mark.slow)]


@pytest.mark.parametrize("kills", KILLS)
def test_relax(kills, tmp_path):
    crystals = [c.crystal for c in nc.generate("CaTiO3", "symmetric", n=150, max_atoms=20, seed=1)]
    write_extxyz(tmp_path / "all.extxyz", ((str(k), item, {}) for k, item in enumerate(crystals)))
    words = ("relax", "all.extxyz", "--tier", "spp", "--workers", 1, "--out")
    ours = kill_and_continue((*words, "out"), tmp_path, tmp_path / "out", kills)
    start((*words, "other"), tmp_path).communicate(timeout=120)
    assert ours == outcomes(tmp_path / "other")
    assert len(ours) == 150


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched") / "run"
    nc.predict("CaTiO3", folder=folder, max_atoms=20, model="spp", structures=150, known="off",
               seed=1, workers=1, display=False)  # fmt: skip
    return folder


@pytest.mark.parametrize("kills", KILLS)
def test_refine(kills, tmp_path, searched):
    shutil.copytree(searched, tmp_path / "run")
    shutil.copytree(searched, tmp_path / "other")
    text = '[[tier]]\nname = "tight"\nengine = {kind = "spp"}\nfmax_ev_per_ang = 1e-3\nslots = 2\n'
    (tmp_path / "tight.toml").write_text(text)
    words = ("--input", "tight.toml", "--best", 120, "--workers", 1)
    ours = kill_and_continue(
        ("refine", "run", *words), tmp_path, tmp_path / "run", kills, tier="tight"
    )
    start(("refine", "other", *words), tmp_path).communicate(timeout=120)
    assert ours == outcomes(tmp_path / "other", "tight")
    assert len(ours) > 20
    assert outcomes(tmp_path / "run") == outcomes(searched)


@pytest.mark.parametrize("kills", KILLS)
def test_benchmark(kills, tmp_path):
    words = (*BENCHMARK, "--runs", 1, "--workers", 1, "--budget", f"{1 + 2 * kills}s", "--out")
    place = ("runs", "CoAs2", "symmetric", "1")
    folder = tmp_path.joinpath("out", *place)
    ours = kill_and_continue((*words, "out"), tmp_path, folder, kills, before=SPP_BENCHMARK)
    start((*words, "other"), tmp_path, before=SPP_BENCHMARK).communicate(timeout=120)
    theirs = outcomes(tmp_path.joinpath("other", *place))
    common = min(len(ours), len(theirs))
    assert common > 6
    assert np.array_equal(ours[: common - 5], theirs[: common - 5])


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 4])
def test_a_search_with_a_policy(kills, tmp_path):
    words = ("predict", "CaTiO3", "--max-atoms", 10, "--tier", "spp", "--known", "off", "--seed", 1,
             "--workers", 1, "--polish", 0, "--structures", 200, "--policy", "bandit",
             "--out")  # fmt: skip
    ours = kill_and_continue((*words, "out"), tmp_path, tmp_path / "out", kills)
    start((*words, "other"), tmp_path).communicate(timeout=120)
    assert ours == outcomes(tmp_path / "other")
