"""Calculations that are submitted by hand: ready folders out, results back as a tier."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from tests.programs.fakes import A0, fake_vasp, potentials

from nucleate.report.content import read_run

from .hand_off import SHAPES, folders, make_run, submit

GIVEN = ("--cell", "given")


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run")


@pytest.fixture
def dft(tmp_path):
    """An input file whose tier is the fake VASP, with potentials."""
    program = fake_vasp(tmp_path)
    folder = potentials(tmp_path / "pp" / "potpaw_PBE", {"Mg": 200.0, "O": 1000.0})
    path = tmp_path / "dft.toml"
    path.write_text(
        f'[[tier]]\nname = "dft"\nmax_stress_gpa = 2.0\n[tier.engine]\nkind = "vasp"\n'
        f'command = "{program}"\npotentials = "{folder}"\nsetups = {{ base = "minimal" }}\n'
    )
    return path


def fake_energy(a, n_atoms):
    return 2.0 * (a - A0) ** 2 - 3.0 * n_atoms


def test_folders_go_out_and_come_back_as_a_tier(nucleate, run, dft):
    result = nucleate("export", run, "--input", dft, *GIVEN, "--best", 3, "--out", "out")
    assert result.status == 0, result.err
    assert "3 folders are in out" in result.out
    out = folders(Path("out"))
    assert sorted(out) == [0, 1, 2]
    assert out[0].name == "001-MgO-Fm-3m-r0"
    for number, (atoms, _) in enumerate(SHAPES.values()):
        back = read(out[number] / "POSCAR")
        assert back.get_chemical_formula() == atoms.get_chemical_formula()
        assert np.allclose(back.cell, atoms.cell)
    assert "ENCUT = 1300" in (out[0] / "INCAR").read_text()
    submit(out[0])
    submit(out[1])
    result = nucleate("import", run, "out")
    assert result.status == 0, result.err
    assert f"{out[2].name}: has no result: there is no vasprun.xml" in result.out
    assert "2 imported as dft, 0 known already, 1 without a result" in result.out
    content = read_run(run)
    assert content.ladder == ("chgnet", "dft")
    assert [item.tier for item in content.ranked()] == ["dft", "dft", "chgnet"]
    for record, _ in content.told[:2]:
        outcome = record.relaxed_by("dft")
        a = outcome.crystal.cell[0, 0]
        assert a == pytest.approx(A0, abs=0.02)
        assert outcome.energy == pytest.approx(fake_energy(a, outcome.crystal.n_atoms), abs=1e-6)
        assert np.allclose(outcome.forces, [[0.01, 0.0, 0.0]] * outcome.crystal.n_atoms)
        slope = 4.0 * (a - A0) / (3.0 * a * a) * 160.21766208
        assert np.allclose(outcome.stress_gpa, slope * np.eye(3), atol=1e-4)
        assert outcome.converged
        assert (outcome.level.code, outcome.level.model) == ("vasp", "PBE")
        assert np.array_equal(outcome.crystal.numbers, record.crystal.numbers)
    table = list(csv.DictReader((run / "ranking.csv").open()))
    assert [row["tier"] for row in table] == ["dft", "dft", "chgnet"]
    # what is finished later is added later, and what is there stays
    submit(out[2])
    result = nucleate("import", run, "out")
    assert "1 imported as dft, 2 known already, 0 without a result" in result.out
    assert len([item for item in read_run(run).ranked() if item.tier == "dft"]) >= 1
    assert all(record.relaxed_by("dft") for record, _ in read_run(run).told)
    result = nucleate("import", run, "out")
    assert result.status == 0
    assert "0 imported as dft, 3 known already" in result.out


def test_a_calculation_that_went_on_replaces_its_result(nucleate, run, dft):
    assert nucleate("export", run, "--input", dft, *GIVEN, "--best", 1, "--out", "out").status == 0
    (place,) = folders(Path("out")).values()
    incar = (place / "INCAR").read_text()
    (place / "INCAR").write_text(re.sub(r"NSW = \d+", "NSW = 1", incar))
    submit(place)
    result = nucleate("import", run, place)
    assert "record 0 has an energy of dft, not converged" in result.out
    first = read_run(run).told[0][0].relaxed_by("dft")
    assert not first.converged
    (place / "INCAR").write_text(incar)
    submit(place)
    assert "1 imported" in nucleate("import", run, "out").out
    second = read_run(run).told[0][0].relaxed_by("dft")
    assert second.converged
    assert second.energy < first.energy


def test_every_folder_without_a_result_is_listed_with_its_reason(nucleate, run, dft):
    assert nucleate("export", run, "--input", dft, *GIVEN, "--out", "out").status == 0
    out = folders(Path("out"))
    submit(out[0], FAKE_MODE="garbage")
    submit(out[1], FAKE_MODE="scf")
    shutil.rmtree(out[2])
    (Path("out") / "notes").mkdir()
    result = nucleate("import", run, "out")
    assert result.status == 1
    assert f"{out[0].name}: its output cannot be read" in result.out
    assert f"{out[1].name}: the electrons did not converge" in result.out
    assert f"{out[2].name}: is missing" in result.out
    assert "notes: has no nucleate.json" in result.out
    assert "0 imported as dft, 0 known already, 4 without a result" in result.out
    assert read_run(run).ladder == ("chgnet",)
    submit(out[0])
    outcar = out[0] / "OUTCAR"
    outcar.write_text(outcar.read_text().replace(" General timing and accounting", ""))
    assert f"{out[0].name}: is not finished" in nucleate("import", run, "out").out


def test_energies_that_do_not_compare_are_not_mixed(nucleate, run, dft):
    assert nucleate("export", run, "--input", dft, *GIVEN, "--best", 1, "--out", "out").status == 0
    dft.write_text(dft.read_text() + "incar = { ENCUT = 300.0 }\n")
    assert (
        nucleate("export", run, "--input", dft, *GIVEN, "--best", 2, "--out", "other").status == 0
    )
    first, second = folders(Path("out"))[0], folders(Path("other"))[1]
    submit(first)
    submit(second)
    shutil.copytree(second, Path("out") / second.name)
    result = nucleate("import", run, "out")
    assert result.status == 2
    assert "cannot be compared" in result.err
    assert second.name in result.err
    assert read_run(run).ladder == ("chgnet",)
    assert nucleate("import", run, first).status == 0
    result = nucleate("import", run, "other")
    assert result.status == 2
    assert "Give another name" in result.err
    result = nucleate("import", run, "other", "--tier", "coarse")
    assert result.status == 0, result.err
    assert read_run(run).ladder == ("chgnet", "dft", "coarse")


def test_vasp_without_potentials_here_makes_them_where_it_runs(nucleate, run, dft, monkeypatch):
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    text = "".join(line for line in dft.read_text().splitlines(True) if line[:10] != "potentials")
    dft.write_text(text)
    assert nucleate("export", run, "--input", dft, *GIVEN, "--best", 1, "--out", "out").status == 0
    (place,) = folders(Path("out")).values()
    assert not (place / "POTCAR").exists()
    assert "ENCUT" not in (place / "INCAR").read_text()
    submit(place, VASP_PP_PATH=str(dft.parent / "pp"))
    assert not submit(place, VASP_PP_PATH=str(dft.parent / "pp"))
    assert (place / "INCAR").read_text().count("ENCUT = 1300.000") == 1
    order = [line.split()[1] for line in (place / "POTCAR").read_text().splitlines()
             if line.startswith("  PAW_PBE")]  # fmt: skip
    assert order == (place / "POSCAR").read_text().splitlines()[5].split()
    assert nucleate("import", run, "out").status == 0
    assert read_run(run).told[0][0].relaxed_by("dft").converged


GPAW = """\
from ase.calculators.lj import LennardJones

class KohnShamConvergenceError(Exception):
    pass

class GPAW(LennardJones):
    def __init__(self, **options):
        super().__init__(sigma=1.9, epsilon=0.2, rc=5.0)
"""


@pytest.mark.slow
def test_gpaw_runs_from_its_folder_alone(nucleate, run, tmp_path):
    result = nucleate("export", run, "--for", "gpaw", "--best", 2)
    assert result.status == 0, result.err
    out = folders(run / "for-gpaw")
    package, programs = tmp_path / "site" / "gpaw", tmp_path / "bin"
    package.mkdir(parents=True)
    programs.mkdir()
    (package / "__init__.py").write_text(GPAW)
    (package / "mpi.py").write_text("class world:\n    rank = 0\n")
    (programs / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python3").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    for place in out.values():
        assert (place / "gpaw_job.py").is_file()
        assert sys.executable not in (place / "run.sh").read_text()
        submit(place, PATH=path, PYTHONPATH=str(tmp_path / "site"))
    result = nucleate("import", run, run / "for-gpaw", "--tier", "second-opinion")
    assert result.status == 0, result.out
    for record, _ in read_run(run).told[:2]:
        outcome = record.relaxed_by("second-opinion")
        from ase.calculators.lj import LennardJones

        atoms = outcome.crystal.to_ase()
        atoms.calc = LennardJones(sigma=1.9, epsilon=0.2, rc=5.0)
        assert outcome.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        assert np.allclose(outcome.forces, atoms.get_forces(), atol=1e-6)


@pytest.mark.parametrize("kind", ["espresso", "cp2k"])
def test_other_programs_have_their_input_and_a_script(nucleate, run, tmp_path, kind):
    upf = tmp_path / "upf"
    upf.mkdir()
    for symbol in ("Mg", "O"):
        (upf / f"{symbol}.pbe.UPF").write_text("<UPF></UPF>")
    os.environ["ESPRESSO_PSEUDO"] = str(upf)
    try:
        result = nucleate("export", run, "--for", kind, "--best", 1, "--out", "out")
    finally:
        del os.environ["ESPRESSO_PSEUDO"]
    assert result.status == 0, result.err
    (place,) = folders(Path("out")).values()
    script = (place / "run.sh").read_text()
    assert script.splitlines()[-1].startswith("mpirun -n 1")
    inputs = {path.name for path in place.iterdir()} - {"run.sh", "nucleate.json"}
    assert inputs
    result = nucleate("import", run, "out")
    assert result.status == 1
    assert "has no result" in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export", "run", "--for", "chgnet"), "is not a program with input files"),
        (("export", "run", "--for", "magic"), "kind = 'magic' is not known"),
        (("export", "nowhere", "--for", "vasp"), "not a run folder"),
        (("export", "run", "--for", "vasp", "--input", "dft.toml"), "Give one of them"),
        (("export", "run", "--input", "dft.toml", "--out", "full"), "is not empty"),
        (("import", "run", "nothing"), "nothing is not a folder"),
        (("import", "nowhere", "full"), "not a run folder"),
        (("import", "run", "full"), "holds no calculation of this run"),
        (("import", "run", "strange"), "is of another run (MgO)"),
        (("import", "run", "mine", "--tier", "chgnet"), "a tier of the search itself"),
    ],
)
def test_bad_input(nucleate, run, dft, tmp_path, words, message):
    (tmp_path / "full" / "stuff").mkdir(parents=True)
    make_run(tmp_path / "other", seed=2)
    assert nucleate("export", "other", "--input", dft, "--best", 1, "--out", "strange").status == 0
    assert nucleate("export", "run", "--input", dft, "--best", 1, "--out", "mine").status == 0
    result = nucleate(*words)
    assert result.status == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert read_run(run).ladder == ("chgnet",)


@pytest.mark.parametrize(("cell", "atoms"), [("primitive", 2), ("conventional", 8), ("given", 8)])
def test_the_cell_of_the_folders_is_a_choice(nucleate, tmp_path, dft, cell, atoms):
    run = make_run(tmp_path / "run")
    done = nucleate("export", run, "--input", dft, "--cell", cell, "--best", 1, "--out", "out")
    assert done.status == 0, done.err
    poscar = next((tmp_path / "out").glob("001-*")) / "POSCAR"
    written = read(poscar)
    assert len(written) == atoms
    assert list(dict.fromkeys(written.get_chemical_symbols())) == ["Mg", "O"]
    places = written.get_scaled_positions(wrap=False)
    assert ((places >= 0) & (places < 1)).all()


def test_poscars_of_an_export_are_in_the_cell_asked_for(nucleate, tmp_path):
    run = make_run(tmp_path / "run")
    assert nucleate("export", run, "--cell", "primitive").status == 0
    assert len(read(next((run / "structures").glob("001-*.vasp")))) == 2
    done = nucleate("export", run, "--cell", "cubic")
    assert done.status == 2
    assert "cell = 'cubic' is not known" in done.err
