"""GPAW: a Python that pretends to have it, and finite differences with the real one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from tests.programs.fakes import executable

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.programs import gpaw_job
from nucleate.programs.kinds import gpaw
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.units import GPA_PER_EV_A3

FAKE = r"""
import json, os, sys
mode = os.environ.get("FAKE_MODE", "ok")
if "--probe" in sys.argv:
    if mode == "none":
        sys.exit("ModuleNotFoundError: No module named 'gpaw'")
    print("a greeting of some module")
    known = {"Li", "Cl"}
    print(json.dumps({"version": "99.1", "missing": [s for s in sys.argv[3:] if s not in known]}))
    sys.exit()
job = json.load(open(sys.argv[2]))
with open("steps.jsonl", "w") as file:
    for k in range(0 if mode == "scf" else 3):
        step = {"cell": job["cell"], "scaled": job["scaled"], "energy": -10.0 - k,
                "forces": [[0.01, 0, 0]] * len(job["numbers"]),
                "stress_gpa": [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]}
        file.write(json.dumps(step) + "\n")
    if mode == "half":
        file.write('{"cell": [[1')
if mode == "half":
    sys.exit(1)
ending = "not-converged" if mode == "scf" else "complete"
json.dump({"ending": ending}, open("done.json", "w"))
"""


def licl(a=5.15):
    return Crystal.from_ase(bulk("LiCl", "rocksalt", a=a))


@pytest.fixture
def tier(tmp_path):
    """Return settings of a tier on a Python that pretends to have GPAW."""
    program = executable(tmp_path / "python", FAKE)

    def make(mode="ok", **values):
        engine = {
            "kind": "gpaw",
            "command": str(program),
            "environment": {"FAKE_MODE": mode},
            **values,
        }
        return TierSettings.model_validate({"name": "dft", "engine": engine})

    return make


def outcome_of(tier):
    ((_, outcome),) = relax_all(build_relaxer(tier), [(0, licl())])
    return outcome


def test_the_last_step_is_the_result(tier):
    outcome = outcome_of(tier(preset="coarse"))
    assert isinstance(outcome, Relaxed)
    assert outcome.converged
    assert (outcome.energy, outcome.steps) == (-12.0, 3)
    assert (outcome.level.version, outcome.level.model) == ("99.1", "PBE")


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("scf", FailReason.NOT_CONVERGED), ("half", FailReason.CRASHED)],
)
def test_failures_are_classified(tier, mode, reason):
    outcome = outcome_of(tier(mode, preset="coarse"))
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason


def test_the_basis_is_corrected_for_where_the_cell_moves(tier, tmp_path):
    from nucleate.programs.program import Goal

    engine = tier(stage=[{"pulay": None}, {"pulay": False}, {"pulay": True}]).engine
    program = gpaw.Gpaw(engine, "")
    asked = []
    for k, (stage, relax) in enumerate(
        zip(engine.stage * 2, ["cell"] * 3 + ["none"] * 3, strict=True)
    ):
        folder = tmp_path / str(k)
        folder.mkdir()
        program.write(folder, licl(), stage, Goal(relax, 5, 0.05, 0.5, 1.0))
        asked.append(json.loads((folder / "job.json").read_text())["pulay"])
    assert asked == [True, False, True, False, False, True]


def test_the_correction_shifts_the_pressure_of_the_end():
    """With EMT in place of GPAW: the end is where raw pressure + work / volume is the outer one."""
    from ase.calculators.emt import EMT

    job = {
        "relax": "cell",
        "optimizer": "BFGS",
        "max_steps": 60,
        "fmax": 0.01,
        "max_stress_gpa": 0.02,
        "pressure_gpa": 3.0,
        "basis_work": -0.4,
    }
    atoms = bulk("Cu", "fcc", a=3.7)
    atoms.calc = EMT()
    gpaw_job.relax(atoms, job, writes=False)
    raw = -atoms.get_stress(voigt=False).trace() / 3.0
    assert raw - 0.4 / atoms.get_volume() == pytest.approx(3.0 / GPA_PER_EV_A3, abs=2e-4)


def test_problems_name_the_line_to_add(tier):
    assert gpaw.problems(tier().engine, ["Li", "Cl"]) == []
    (found,) = gpaw.problems(tier().engine, ["Li", "Po"])
    assert "no PBE setup for Po" in found
    assert "GPAW_SETUP_PATH" in found
    (found,) = gpaw.problems(tier("none").engine, ["Li"])
    assert "pip install gpaw" in found
    (found,) = gpaw.problems(tier(command="/nowhere/python").engine, ["Li"])
    assert "command = '/path/to/gpaw-environment/bin/python'" in found
    with pytest.raises(InputError, match="GPAW cannot be imported"):
        build_relaxer(tier("none"))


REAL = {
    "gpaw": (
        os.environ.get("NUCLEATE_GPAW_PYTHON", ""),
        {
            "options": {"mode": {"name": "pw", "ecut": 500}, "convergence": {"density": 1e-6}},
            "stage": [{"relax": "none", "kspacing": 1.0, "pulay": True}],
        },
    ),
    "cp2k": (
        shutil.which("cp2k.psmp") or "",
        {
            "input": {"FORCE_EVAL": {"DFT": {"MGRID": {"CUTOFF": 600, "REL_CUTOFF": 60}}}},
            "stage": [{"relax": "none", "kspacing": 1.2}],
        },
    ),
    "lammps": (
        os.environ.get("NUCLEATE_LAMMPS", ""),
        {
            "elements": ["Li", "Cl"],
            "charges": {"Li": 1, "Cl": -1},
            "potential": [
                "pair_style buck/coul/long 8.0",
                "pair_coeff * * 0.0 1.0 0.0",
                "pair_coeff 1 2 600.0 0.33 0.0",
                "pair_coeff 2 2 3000.0 0.33 0.0",
                "kspace_style ewald 1e-7",
            ],
            "stage": [{"relax": "none"}],
        },
    ),
}


@pytest.mark.slow
@pytest.mark.external
@pytest.mark.parametrize("kind", REAL)
def test_stress_and_forces_are_derivatives_of_the_energy(kind):
    """Central differences with the real program; skips where it is not installed."""
    command, own = REAL[kind]
    if not command or not Path(command).exists() or sys.platform != "linux":
        pytest.skip(f"{kind} is not here")
    engine = {"kind": kind, "command": command, **own}
    tier = TierSettings.model_validate({"engine": engine, "relax": False, "pre_relax": False})
    relaxer = build_relaxer(tier)

    def point(crystal):
        ((_, outcome),) = relax_all(relaxer, [(0, crystal)])
        assert isinstance(outcome, Relaxed), outcome
        return outcome

    atoms = bulk("LiCl", "rocksalt", a=5.0)
    atoms.positions[0] += [0.10, 0.03, -0.05]
    start = Crystal.from_ase(atoms)
    here = point(start)
    h = 0.02
    shift = np.zeros((2, 3))
    shift[0, 0] = h
    moved = [
        point(Crystal.from_positions(start.numbers, start.cell, start.positions + sign * shift))
        for sign in (1, -1)
    ]
    force = -(moved[0].energy - moved[1].energy) / (2 * h)
    assert here.forces[0, 0] == pytest.approx(force, abs=0.03)
    strain = 0.01
    scaled = [point(start.replace(cell=start.cell * (1 + sign * strain))) for sign in (1, -1)]
    slope = (scaled[0].energy - scaled[1].energy) / (2 * strain) / start.volume
    trace = float(np.trace(here.stress_gpa))
    assert trace == pytest.approx(slope * GPA_PER_EV_A3, rel=0.1, abs=0.6)
