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
from nucleate.api import refine
from nucleate.api.benchmark import run_benchmark
from nucleate.benchmark import experiments, warm_up
from nucleate.crystal.files import write_extxyz

MAIN = "from nucleate.cli import main; main()"
# As the command, without its exports.
REFINE = """
from nucleate.api import refine
refine("run", input_file="tight.toml", best={best}, workers=1)
"""
SPP_BENCHMARK = """
from nucleate.benchmark import experiments, warm_up
experiments._first_tiers = lambda _: [{"name": "spp", "engine": {"kind": "spp"}}]
warm_up.warm_up = lambda: "skipped"
"""
BENCHMARK = ("benchmark", "run", "--compounds", "CoAs2", "--experiments", "symmetric")


def start(words, folder, *, code=MAIN):
    """Start a command in a process of its own, in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
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


def kill_and_continue(words, place, folder, kills, *, tier="spp", code=MAIN):
    """Kill a command as soon as it has progressed, then let it end; return its outcomes."""
    known = []
    for _ in range(kills):
        process = start(words, place, code=code)
        while process.poll() is None and len(outcomes(folder, tier)) <= len(known):
            time.sleep(0.05)
        if process.poll() is not None:  # a busy machine: it ended between two looks
            assert process.returncode == 0, process.stderr.read().decode()
            assert known, "it ended before the first kill"
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = outcomes(folder, tier)
        assert set(known) <= set(found)
        known = found
    process = start(words, place, code=code)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()
    found = outcomes(folder, tier)
    assert set(known) <= set(found)
    return found


KILLS = [1, pytest.param(4, marks=pytest.mark.slow)]
NUMBER = {1: 50, 4: 150}
"""Crystals that are enough to be interrupted so often."""


@pytest.mark.parametrize("kills", KILLS)
def test_relax(kills, tmp_path):
    number = NUMBER[kills]
    drawn = nc.generate("CaTiO3", "symmetric", n=number, max_atoms=20, seed=1)
    crystals = [candidate.crystal for candidate in drawn]
    write_extxyz(tmp_path / "all.extxyz", ((str(k), item, {}) for k, item in enumerate(crystals)))
    words = ("relax", "all.extxyz", "--tier", "spp", "--workers", 1, "--out", "out")
    ours = kill_and_continue(words, tmp_path, tmp_path / "out", kills)
    theirs = nc.relax(tmp_path / "all.extxyz", model="spp")
    assert [row[0] for row in ours] == list(range(number))
    assert [row[2] for row in ours] == [getattr(item, "energy", None) for item in theirs]


def search_in(folder, number):
    nc.predict("CaTiO3", folder=folder, max_atoms=20, model="spp", structures=number, known="off",
               polish=0, seed=1, workers=1, display=False)  # fmt: skip


@pytest.mark.slow  # a quick one: the final phase in tests/cli/test_final.py
@pytest.mark.parametrize("kills", [1, 4])
def test_refine(kills, tmp_path):
    best = NUMBER[kills]
    search_in(tmp_path / "run", best)
    searched = outcomes(tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    text = '[[tier]]\nname = "tight"\nengine = {kind = "spp"}\nfmax_ev_per_ang = 1e-3\nslots = 2\n'
    (tmp_path / "tight.toml").write_text(text)
    ours = kill_and_continue(
        (), tmp_path, tmp_path / "run", kills, tier="tight", code=REFINE.format(best=best)
    )
    refine(tmp_path / "other", input_file=tmp_path / "tight.toml", best=best, workers=1)
    assert ours == outcomes(tmp_path / "other", "tight")
    assert len(ours) > 20
    assert outcomes(tmp_path / "run") == searched


@pytest.mark.slow  # its runs continue as those of predict do: tests/run/test_campaign.py
@pytest.mark.parametrize("kills", [1, 4])
def test_benchmark(kills, tmp_path, monkeypatch):
    budget = f"{1.5 + kills}s"
    words = (*BENCHMARK, "--runs", 1, "--workers", 1, "--budget", budget, "--out", "out")
    place = ("runs", "CoAs2", "symmetric", "1")
    folder = tmp_path.joinpath("out", *place)
    ours = kill_and_continue(words, tmp_path, folder, kills, code=SPP_BENCHMARK + MAIN)
    spp = [{"name": "spp", "engine": {"kind": "spp"}}]
    monkeypatch.setattr(experiments, "_first_tiers", lambda _: spp)
    monkeypatch.setattr(warm_up, "warm_up", lambda: "skipped")
    run_benchmark(
        tmp_path / "other", compounds="CoAs2", experiments="symmetric", runs=1, budget=budget,
        workers=1,
    )  # fmt: skip
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
