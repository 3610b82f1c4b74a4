"""Quantum ESPRESSO, CP2K, LAMMPS and GULP: recorded outputs, units, and a replaying fake.

The outputs are those of recorded.py.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.programs.fakes import REPLAY, executable

from nucleate.programs.kinds import cp2k, espresso, gulp, lammps
from nucleate.programs.program import Goal
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer

from .recorded import (
    BOHR,
    BUCKINGHAM,
    DATA,
    HARTREE,
    RYDBERG,
    li2o,
    licl,
    mgo,
    mgo_pair,
)


@pytest.fixture
def engine(tmp_path):
    """Return settings of an engine on a program that replays recorded files."""
    program = executable(tmp_path / "program", REPLAY)
    pseudopotentials = tmp_path / "pseudo"
    pseudopotentials.mkdir()
    for name in ("Li.pbesol.UPF", "O.pbesol.UPF", "Os.pbesol.UPF", "Ti_a.upf", "Ti_b.upf"):
        (pseudopotentials / name).write_text("<UPF>")
    library = tmp_path / "ions.lib"
    library.write_text("species\nMg core 2.0\nO core -2.0\n")
    own = {
        "espresso": {"pseudopotentials": str(pseudopotentials)},
        "cp2k": {},
        "lammps": {"elements": ["Mg", "O"], "charges": {"Mg": 2, "O": -2}, "potential": BUCKINGHAM},
        "gulp": {"library": str(library)},
    }

    def make(kind, case="cell", mode="ok", **values):
        environment = {"FAKE_FILES": str(DATA / kind / case), "FAKE_MODE": mode}
        data = {
            "kind": kind,
            "command": str(program),
            "scratch": str(tmp_path / "scratch"),
            "environment": {**environment, **values.pop("environment", {})},
            **own[kind],
            **values,
        }
        return TierSettings.model_validate({"name": "x", "engine": data}).engine

    return make


# Quantum ESPRESSO


def test_espresso_units_are_ev_and_gpa(engine):
    text = (DATA / "espresso" / "none" / "output").read_text()
    result = engine("espresso").program().read(DATA / "espresso" / "none", li2o())
    rydbergs = float(re.findall(r"^!\s+total energy\s+=\s+(\S+) Ry", text, re.M)[-1])
    assert result.energy == pytest.approx(rydbergs * RYDBERG, abs=1e-4)
    forces = re.findall(r"atom\s+\d+ type\s+\d+\s+force =\s+(\S+)\s+(\S+)\s+(\S+)", text)[:3]
    per_bohr = np.array(forces, dtype=float) * RYDBERG / BOHR
    np.testing.assert_allclose(result.forces, per_bohr, atol=1e-5)
    block = text[text.index("(kbar)") :].splitlines()[1:4]
    kbar = np.array([line.split()[3:6] for line in block], dtype=float)
    np.testing.assert_allclose(result.stress_gpa, -0.1 * kbar, atol=2e-3)
    assert result.scf_converged
    assert result.complete
    np.testing.assert_allclose(result.crystal.cell, li2o().cell, atol=1e-6)


def test_espresso_returns_the_last_of_several_geometries(engine):
    result = engine("espresso").program().read(DATA / "espresso" / "cell", li2o())
    assert result.steps == 4
    assert result.energy == pytest.approx(-968.48044, abs=1e-4)
    assert result.crystal.volume < li2o().volume


def test_espresso_input_reads_back(engine, tmp_path):
    from ase.io.espresso import read_espresso_in, read_fortran_namelist

    settings = engine("espresso", input={"ecutwfc": 60.0, "nspin": 2})
    goal = Goal("cell", 12, 0.05, 0.5, 10.0)
    settings.program().write(tmp_path, li2o(), settings.stage[1], goal)
    with (tmp_path / "input").open() as file:
        atoms = read_espresso_in(file)
    np.testing.assert_allclose(atoms.cell.array, li2o().cell, atol=1e-9)
    assert atoms.numbers.tolist() == li2o().numbers.tolist()
    with (tmp_path / "input").open() as file:
        keys, cards = read_fortran_namelist(file)
    assert keys["control"]["calculation"] == "vc-relax"
    assert keys["control"]["forc_conv_thr"] == pytest.approx(0.05 / (RYDBERG / BOHR), rel=1e-5)
    assert keys["cell"]["press"] == 100.0
    assert keys["cell"]["press_conv_thr"] == 5.0
    assert keys["system"]["ecutwfc"] == 60.0
    text = "\n".join(cards)
    assert "O.pbesol.UPF" in text
    assert "\n8 8 8  0 0 0\n" in text


def test_espresso_problems_name_the_line_to_add(engine, monkeypatch):
    monkeypatch.delenv("ESPRESSO_PSEUDO", raising=False)
    assert espresso.problems(engine("espresso"), ["Li", "O"]) == []
    (found,) = espresso.problems(engine("espresso"), ["Ti"])
    assert "several files for Ti" in found
    assert "files = { Ti = 'Ti_a.upf' }" in found
    (found,) = espresso.problems(engine("espresso"), ["Cl"])
    assert "no UPF file for Cl" in found
    (found,) = espresso.problems(engine("espresso", pseudopotentials=None), [])
    assert "ESPRESSO_PSEUDO" in found
    (found,) = espresso.problems(engine("espresso", input={"ecutwcf": 40.0}), [])
    assert "'ecutwfc'" in found
    (found,) = espresso.problems(engine("espresso", files={"Ti": "Ti_c.upf"}), ["Ti"])
    assert "'Ti_a.upf'" in found or "'Ti_b.upf'" in found


# CP2K


def test_cp2k_units_are_ev_and_gpa(engine):
    text = (DATA / "cp2k" / "final" / "output").read_text()
    result = engine("cp2k").program().read(DATA / "cp2k" / "final", licl())
    hartrees = float(re.findall(r"energy \[a\.u\.\]:\s+(\S+)", text)[-1])
    assert result.energy == pytest.approx(hartrees * HARTREE, abs=1e-4)
    forces = re.findall(r"^\s+\d\s+\d\s+\w+\s+(\S+)\s+(\S+)\s+(\S+)$", text, re.M)
    per_bohr = np.array(forces, dtype=float) * HARTREE / BOHR
    np.testing.assert_allclose(result.forces, per_bohr, atol=1e-6)
    rows = re.findall(r"STRESS\|\s+[xyz]\s+(\S+)\s+(\S+)\s+(\S+)\n", text)[:3]
    np.testing.assert_allclose(result.stress_gpa, -np.array(rows, dtype=float), atol=1e-6)
    assert result.complete
    assert result.scf_converged


def test_cp2k_geometry_is_that_of_its_restart_file(engine):
    """A single point of the geometry gave the energy that the relaxation ended with."""
    program = engine("cp2k").program()
    relaxed = program.read(DATA / "cp2k" / "cell", licl())
    single = program.read(DATA / "cp2k" / "final", relaxed.crystal)
    assert relaxed.energy == pytest.approx(single.energy, abs=1e-8)
    assert relaxed.crystal.cell[0, 0] == pytest.approx(3.6485716554857297)
    assert relaxed.crystal.scaled[1, 1] == pytest.approx(0.50109507122503327)


def test_cp2k_input_has_the_sections_of_user_and_goal(engine, tmp_path):
    settings = engine("cp2k", input={"FORCE_EVAL": {"DFT": {"MGRID": {"CUTOFF": 555}}}})
    goal = Goal("cell", 12, 0.05, 0.5, 10.0)
    settings.program().write(tmp_path, licl(), settings.stage[1], goal)
    lines = [line.strip() for line in (tmp_path / "input").read_text().splitlines()]
    for line in (
        "RUN_TYPE CELL_OPT",
        "CUTOFF 555",
        "REL_CUTOFF 50",
        "&XC_FUNCTIONAL PBE",
        "&SMEAR ON",
        "EXTERNAL_PRESSURE [bar] 100000.0",
        "SCHEME MACDONALD 7 7 7 0.000000000000 0.000000000000 0.000000000000",
        "&KIND Cl",
        "BASIS_SET_FILE_NAME BASIS_SET",
    ):
        assert line in lines, line
    opened = [line[1:].split()[0] for line in lines if re.match(r"&(?!END)", line)]
    closed = [line.split()[1] for line in lines if line.startswith("&END")]
    assert sorted(opened) == sorted(closed)
    limit = next(float(line.split()[1]) for line in lines if line.startswith("MAX_FORCE"))
    assert limit == pytest.approx(0.05 * BOHR / HARTREE, rel=1e-6)


def test_cp2k_data_are_looked_into(engine, tmp_path):
    data = tmp_path / "data"
    (found,) = cp2k.problems(engine("cp2k", data=str(data)), ["Li"])
    assert "data = '/path/to/cp2k/data'" in found
    data.mkdir()
    (data / "GTH_POTENTIALS").write_text("Li GTH-PBE-q3 GTH-PBE\n 1\n")
    (data / "BASIS_MOLOPT").write_text(" Li  DZVP-MOLOPT-SR-GTH DZVP-MOLOPT-SR-GTH-q3\n 1\n")
    assert cp2k.problems(engine("cp2k", data=str(data)), ["Li"]) == []
    found = cp2k.problems(engine("cp2k", data=str(data), basis="TZV2P"), ["Li"])
    assert "basis_of = { Li = 'DZVP-MOLOPT-SR-GTH' }" in found[0]
    assert len(cp2k.problems(engine("cp2k", data=str(data)), ["Li", "Cl"])) == 2


# LAMMPS


def test_lammps_agrees_with_the_own_force_field(engine, tmp_path):
    """The recorded run against nucleate's compiled Buckingham and Ewald sums."""
    result = engine("lammps").program().read(DATA / "lammps" / "none", mgo())
    file = tmp_path / "mgo.toml"
    file.write_text(
        "r_max_A = 8.0\ndispersion = 'cutoff'\n[charges]\nMg = 2.0\nO = -2.0\n"
        "[[buckingham]]\npair = ['Mg', 'O']\nA_eV = 1428.5\nrho_A = 0.2945\n"
        "[[buckingham]]\npair = ['O', 'O']\nA_eV = 22764.3\nrho_A = 0.149\n"
    )
    tier = TierSettings.model_validate(
        {"engine": {"kind": "force-field", "file": str(file)}, "relax": False, "pre_relax": False}
    )
    ((_, own),) = relax_all(build_relaxer(tier), [(0, mgo())])
    assert isinstance(own, Relaxed)
    assert result.energy == pytest.approx(own.energy, abs=1e-3)
    np.testing.assert_allclose(result.forces, own.forces, atol=1e-4)
    np.testing.assert_allclose(result.stress_gpa, own.stress_gpa, atol=5e-3)
    np.testing.assert_allclose(result.crystal.cell, mgo().cell, atol=1e-9)
    moved = result.crystal.scaled - mgo().scaled
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-9)


def test_lammps_orientation_is_undone():
    rng = np.random.default_rng(4)
    for _ in range(20):
        cell = rng.normal(size=(3, 3)) + 3 * np.eye(3)
        cell = cell[rng.permutation(3)]
        lower, rotation = lammps.lower_triangular(cell)
        np.testing.assert_allclose(lower @ rotation, cell, atol=1e-12)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.all(np.diag(lower) > 0)
        np.testing.assert_allclose(np.triu(lower, 1), 0.0, atol=1e-12)


def test_lammps_script_and_problems(engine, tmp_path):
    settings = engine("lammps")
    goal = Goal("cell", 12, 0.05, 0.5, 2.0)
    settings.program().write(tmp_path, mgo(), settings.stage[1], goal)
    script = (tmp_path / "input").read_text().splitlines()
    assert "fix box all box/relax tri 20000 vmax 0.005" in script
    assert "minimize 0.0 0.05 12 240" in script
    recorded = (DATA / "lammps" / "none" / "data.lmp").read_text()
    assert (tmp_path / "data.lmp").read_text() == recorded
    (found,) = lammps.problems(settings, ["Mg", "Ca"])
    assert "elements = ['Mg', 'O', 'Ca']" in found
    (found,) = lammps.problems(engine("lammps", potential=[]), ["O"])
    assert "pair_style" in found


# GULP


def test_gulp_units_are_ev_and_gpa(engine):
    result = engine("gulp").program().read(DATA / "gulp" / "cell", mgo_pair())
    assert result.energy == -82.6172
    assert result.steps == 3
    cell = np.array([[0.0, 2.1, 2.2], [2.1, 0.1, 2.1], [2.1, 2.1, 0.0]])
    np.testing.assert_allclose(result.crystal.cell, cell)
    np.testing.assert_allclose(result.crystal.scaled[1], [0.51, 0.52, 0.53])
    by_fraction = np.array([[0.3, -0.2, 0.1], [-0.3, 0.2, -0.1]])
    np.testing.assert_allclose(-result.forces @ cell.T, by_fraction, atol=1e-12)
    np.testing.assert_allclose(
        result.stress_gpa, [[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]]
    )
    assert result.complete


def test_gulp_energy_is_without_the_work_of_the_pressure(engine):
    result = engine("gulp").program().read(DATA / "gulp" / "pressed", mgo_pair())
    assert result.energy == pytest.approx(-82.6172)


def test_gulp_single_point_keeps_the_geometry(engine):
    result = engine("gulp").program().read(DATA / "gulp" / "none", mgo_pair())
    assert result.crystal.cell.tolist() == mgo_pair().cell.tolist()
    assert result.energy == -81.883555


def test_gulp_input_is_what_was_asked(engine, tmp_path):
    settings = engine("gulp")
    goal = Goal("cell", 250, 0.05, 0.5, 5.0)
    launch = settings.program().write(tmp_path, mgo_pair(), settings.stage[0], goal)
    lines = (tmp_path / "input").read_text().splitlines()
    assert lines[0] == "opti conp nosymmetry stress_out conj"
    vectors = np.array([line.split() for line in lines[2:5]], dtype=float)
    np.testing.assert_allclose(vectors, mgo_pair().cell, atol=1e-9)
    assert lines[6].startswith("Mg core 0.0")
    assert "pressure 5 GPa" in lines
    assert "maxcyc opt 250" in lines
    assert lines[lines.index("stepmax 0.001") - 1].endswith("ions.lib nodump")
    assert launch.stdin == "input"
    (found,) = gulp.problems(engine("gulp", library=None), [])
    assert "library = " in found
    assert gulp.problems(engine("gulp", library=None, options=["buck", "O core 1"]), []) == []


# All of them behind the same interface

CASES = {
    "espresso": ("none", li2o),
    "cp2k": ("final", licl),
    "lammps": ("none", mgo),
    "gulp": ("none", mgo_pair),
}


def single_point(engine, kind, **values):
    case, crystal = CASES[kind]
    settings = engine(kind, case, stage=[{"relax": "none"}], **values)
    tier = TierSettings.model_validate({"engine": settings, "relax": False, "wall_s": 30.0})
    ((_, outcome),) = relax_all(build_relaxer(tier), [(0, crystal())])
    return outcome


@pytest.mark.parametrize("kind", CASES)
def test_a_replayed_run_gives_its_energy(engine, kind):
    outcome = single_point(engine, kind)
    assert isinstance(outcome, Relaxed), outcome
    case, crystal = CASES[kind]
    assert outcome.energy == engine(kind).program().read(DATA / kind / case, crystal()).energy
    assert outcome.level.code == kind


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize(
    ("mode", "reason"), [("abort", FailReason.CRASHED), ("garbage", FailReason.UNREADABLE)]
)
def test_bad_runs_are_classified(engine, kind, mode, reason):
    outcome = single_point(engine, kind, mode=mode)
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason


def test_a_whole_output_counts_more_than_the_exit_status(engine):
    """pw.x ends with status 3 when its steps are used up, after JOB DONE."""
    outcome = single_point(engine, "espresso", environment={"FAKE_STATUS": "3"})
    assert isinstance(outcome, Relaxed)
