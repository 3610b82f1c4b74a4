"""Tiny untrained models of real packages, each in an interpreter of its own.

Set NUCLEATE_MATTERSIM_PYTHON, NUCLEATE_ORB_PYTHON and so on to the Pythons that have the packages;
docs/how-to/other-potentials.md says how such environments are made.
"""

from __future__ import annotations

import json
import os
import subprocess

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.run.listed_files import FileCrystal
from nucleate.run.relaxation import relax_files
from nucleate.run.settings import RelaxationSettings
from nucleate.units import GPA_PER_EV_A3

from . import tiny_models


def copper_oxide(size):
    atoms = bulk("Cu", "fcc", 3.7, cubic=True).repeat((size, 1, 1))
    atoms.numbers[::3] = 8
    atoms.positions += np.random.default_rng(size).normal(0.0, 0.1, atoms.positions.shape)
    return Crystal.from_ase(atoms)


def neighbours(crystal, shift, strain):
    """Return the crystal displaced and strained both ways."""
    moved = [
        Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions + sign * shift)
        for sign in (1, -1)
    ]
    return moved + [
        crystal.replace(cell=crystal.cell @ (np.eye(3) + sign * strain)) for sign in (1, -1)
    ]


def through_the_tier(crystals, engine, python, **options):
    tier = {"engine": engine, "python": python, "pre_relax": False, **options}
    settings = RelaxationSettings.from_dict({"tier": [tier], "run": {"workers": 1}})
    items = [FileCrystal("", str(key), crystal) for key, crystal in enumerate(crystals)]
    records = relax_files(items, settings).records
    return [records[key].relaxed or records[key].failure.outcome for key in range(len(items))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", tiny_models.FILES)
def test_energy_forces_and_stress_are_those_of_the_package_and_derivatives(kind, tmp_path):
    python = os.environ.get(f"NUCLEATE_{kind.upper()}_PYTHON")
    if not python:
        pytest.skip(f"set NUCLEATE_{kind.upper()}_PYTHON to a Python that has the package")
    rng = np.random.default_rng(7)
    start = copper_oxide(1)
    step, deviation = (0.005, 0.01) if kind in tiny_models.SINGLE else (0.001, 0.001)
    shift = step * rng.normal(size=(start.n_atoms, 3))
    strain = step / 8.0 * rng.normal(size=(3, 3))
    strain = strain + strain.T
    crystals = [copper_oxide(2), start, *neighbours(start, shift, strain)]
    (tmp_path / "crystals.json").write_text(json.dumps([c.to_dict() for c in crystals]))
    subprocess.run([python, tiny_models.__file__, kind, str(tmp_path)], check=True)
    own = json.loads((tmp_path / "own.json").read_text())
    engine = {"kind": kind, **tiny_models.engine(kind, tmp_path)}
    nickel = Crystal.from_ase(bulk("Ni", "fcc", 3.5))
    *outcomes, unknown = through_the_tier([*crystals, nickel], engine, python, relax=False)
    accuracy = 1e-5 if kind in tiny_models.SINGLE else 1e-9
    for outcome, expected in zip(outcomes, own, strict=True):
        assert outcome.energy == pytest.approx(expected["energy"], abs=accuracy)
        np.testing.assert_allclose(outcome.forces, expected["forces"], atol=accuracy)
        np.testing.assert_allclose(
            outcome.stress_gpa, expected["stress_gpa"], atol=accuracy * GPA_PER_EV_A3
        )
    _, here, ahead, behind, wider, tighter = outcomes
    assert here.level.checkpoint
    work = (ahead.energy - behind.energy) / 2.0
    assert abs(work) > 30 * accuracy
    assert -np.vdot(here.forces, shift) == pytest.approx(work, rel=deviation)
    work = (wider.energy - tighter.energy) / 2.0
    assert abs(work) > 30 * accuracy
    expected = np.vdot(here.stress_gpa, strain) / GPA_PER_EV_A3 * start.volume
    assert expected == pytest.approx(work, rel=deviation)
    if kind in tiny_models.OF_COPPER_AND_OXYGEN:
        assert isinstance(unknown, Failed)
    (moved,) = through_the_tier([start], engine, python, max_steps=4, fmax=1e-6)
    assert isinstance(moved, Relaxed), moved
    assert moved.evaluations == 4
    assert moved.energy < here.energy
