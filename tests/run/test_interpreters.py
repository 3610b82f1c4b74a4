"""Tiers whose workers run under another Python than the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nucleate.api.inputs import settings_of
from nucleate.errors import InputError
from nucleate.relax.outcome import FailReason, Relaxed
from nucleate.run.executor import Job
from nucleate.run.pool import Pool
from nucleate.run.process import WorkerSpec
from nucleate.run.scoring import single_points
from nucleate.run.settings import ExecutionSettings
from nucleate.run.spec import spec_of

from .driving import drive, told
from .test_pool import crystal, run
from .toys import ABORT, HANG

HERE = Path(__file__).resolve().parent


@pytest.fixture
def other(tmp_path):
    """Something that behaves like an interpreter of another environment."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nTOY_INTERPRETER=other exec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def spec(other, *tiers, limit_s=60.0):
    return WorkerSpec(
        tiers=tiers or ({}, {}),
        step_limits_s=(limit_s,) * (len(tiers) or 2),
        factory="toys:build",
        search_path=(str(HERE),),
        pythons=(sys.executable, other),
    )


def test_each_tier_is_computed_by_its_own_interpreter(other):
    jobs = [Job(key, key % 2, crystal(seed=key)) for key in range(10)]
    with Pool(spec(other, {}, {"scale": -1.0}), workers=1) as pool:
        levels = pool.wait_until_ready()
        outcomes = run(pool, jobs)
    assert [level["settings"] for level in levels] == ["default", "other"]
    for key, outcome in outcomes.items():
        assert isinstance(outcome, Relaxed)
        assert outcome.level.settings == ("default", "other")[key % 2]
        positions = jobs[key].crystal.positions
        energy = float(np.sin(positions).sum() + 0.01 * jobs[key].crystal.volume)
        assert outcome.energy == (energy, -energy)[key % 2]


@pytest.mark.parametrize(
    ("fault", "reason"), [(ABORT, FailReason.CRASHED), (HANG, FailReason.TIMEOUT)]
)
def test_a_loss_under_one_interpreter_does_not_touch_the_other(other, fault, reason):
    jobs = [
        Job(key, key % 2, crystal(first=fault if key == 3 else 1, seed=key)) for key in range(8)
    ]
    with Pool(spec(other, limit_s=1.0), workers=1) as pool:
        pool.wait_until_ready()
        first, second = pool.pids()
        outcomes = run(pool, jobs)
        assert first in pool.pids()
        assert second not in pool.pids()
        replaced = run(pool, [Job(9, 1, crystal(seed=9))])
    assert outcomes.pop(3).reason == reason
    assert all(isinstance(item, Relaxed) for item in outcomes.values())
    assert replaced[9].level.settings == "other"


def test_no_more_workers_are_at_work_than_asked_for(other, tmp_path):
    toy = {"slots": 1, "delay_s": 0.01, "diary": str(tmp_path / "diary")}
    jobs = [Job(key, key % 2, crystal(seed=key)) for key in range(12)]
    with Pool(spec(other, toy, toy), workers=1) as pool:
        pool.wait_until_ready()
        run(pool, jobs)
    rows = [line.split() for line in (tmp_path / "diary").read_text().splitlines()]
    spans = sorted((float(begin), float(end), pid) for pid, begin, end in rows)
    assert len({pid for *_, pid in spans}) == 2
    for (_, end, pid), (begin, _, other_pid) in pairwise(spans):
        assert end <= begin or pid == other_pid


def test_a_search_with_one_worker_is_the_same_every_time(other, tmp_path):
    tiers = ({"name": "cheap", "slots": 1}, {"name": "dear", "slots": 1, "scale": -2.0})
    pythons = (sys.executable, other)
    for name in ("a", "b"):
        drive(tmp_path / name, tiers, pythons=pythons, structures=8)
    ours, theirs = told(tmp_path / "a"), told(tmp_path / "b")
    assert [(r.enthalpies(), v) for r, v in ours] == [(r.enthalpies(), v) for r, v in theirs]
    for record, _ in ours:
        energies = record.enthalpies()
        if energies:
            assert energies["dear"] == pytest.approx(-2.0 * energies["cheap"])


def test_workers_take_this_nucleate_along_where_it_is_not_installed(tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = str(environment / "bin" / "python")
    site = next(environment.glob("lib/python*/site-packages"))
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def has_nucleate():
        command = [python, "-c", "import nucleate"]
        return subprocess.run(command, env=bare, cwd=tmp_path, capture_output=True).returncode == 0

    with (
        Pool(spec(python, {}, {}), workers=1) as pool,
        pytest.raises(InputError, match=r"pip install nucleate"),
    ):
        pool.wait_until_ready()
    (site / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    if has_nucleate():
        pytest.skip("nucleate is no editable install here")
    with Pool(spec(python), workers=1) as pool:
        outcomes = run(pool, [Job(0, 1, crystal())], timeout_s=120.0)
    assert isinstance(outcomes[0], Relaxed)


def test_the_input_names_the_interpreter_of_a_tier(tmp_path):
    (tmp_path / "run.toml").write_text(
        '[problem]\nformula = "CaO"\n[[tier]]\nname = "a"\n[[tier]]\nname = "b"\n'
        'python = "mace/bin/python"\n[[tier]]\nname = "c"\npython = "python3.12"\n'
        '[run]\npython = "/usr/bin/python3"\n'
    )
    settings = settings_of(tmp_path / "run.toml")
    made = spec_of(settings.tier, 0.0, settings.run)
    assert made.pythons == (
        "/usr/bin/python3",
        str(tmp_path / "mace/bin/python"),
        "python3.12",
    )
    assert list(made.tiers_by_python().values()) == [(0,), (1,), (2,)]
    assert spec_of(settings.tier[:1], 0.0, ExecutionSettings()).pythons == (sys.executable,)
    # the driver lacks the package of such a tier, so it cannot rank a pool with it
    assert single_points(settings.tier[1]) is None
    assert single_points(settings.tier[0]) is not None


def test_a_missing_interpreter_is_named(other):
    with pytest.raises(InputError, match=r"/no/python"), Pool(spec("/no/python"), workers=1):
        pass


@pytest.mark.slow
def test_mace_in_an_environment_of_its_own_above_a_tier_in_this_one(tmp_path):
    python = os.environ.get("NUCLEATE_MACE_PYTHON")
    if not python:
        pytest.skip("set NUCLEATE_MACE_PYTHON to a Python that has mace-torch and ase")
    tests = HERE.parent
    make = (
        f"import runpy, sys; sys.path.insert(0, {str(tests.parent / 'src')!r})\n"
        f"module = runpy.run_path({str(tests / 'networks/test_mlip.py')!r})\n"
        "module['tiny_mace']('tiny.model', 'float64')\n"
    )
    subprocess.run([python, "-c", make], cwd=tmp_path, check=True)
    (tmp_path / "run.toml").write_text(
        '[problem]\nformula = "Cu2O"\nmax_atoms = 6\n[search]\nstructures = 4\npopulation = 4\n'
        'generators = [{ kind = "blocks" }]\n[[tier]]\nname = "chgnet"\nrelax = false\n'
        f'[[tier]]\nname = "mace"\nrelax = false\npython = "{python}"\n'
        'engine = { kind = "mace", model = "tiny.model" }\n[run]\nworkers = 1\n'
    )
    words = [sys.executable, "-m", "nucleate", "predict", "run.toml", "--out", "run"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outcomes = [record.relaxed_by("mace") for record, _ in told(tmp_path / "run")]
    outcomes = [outcome for outcome in outcomes if outcome is not None]
    assert outcomes
    crystals = [(outcome.crystal.to_dict(), outcome.energy) for outcome in outcomes]
    (tmp_path / "crystals.json").write_text(json.dumps(crystals))
    check = (
        "import json\nfrom ase import Atoms\nfrom mace.calculators import MACECalculator\n"
        "calc = MACECalculator(model_paths='tiny.model', device='cpu', default_dtype='float64')\n"
        "for crystal, energy in json.load(open('crystals.json')):\n"
        "    atoms = Atoms(numbers=crystal['numbers'], cell=crystal['cell'], pbc=True,\n"
        "                  scaled_positions=crystal['scaled'], calculator=calc)\n"
        "    assert abs(atoms.get_potential_energy() - energy) < 1e-8\n"
    )
    subprocess.run([python, "-c", check], cwd=tmp_path, check=True)
