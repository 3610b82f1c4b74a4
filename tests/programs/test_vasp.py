"""VASP: inputs read back by ASE and pymatgen, outputs against genuine samples that ASE ships."""

from __future__ import annotations

from pathlib import Path

import ase
import numpy as np
import pytest
from ase.io import read
from tests.programs.fakes import fake_vasp, potentials

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.programs.kinds import vasp
from nucleate.programs.program import Goal, UnreadableError
from nucleate.relax.settings import TierSettings, build_relaxer

SAMPLES = Path(ase.__file__).parent / "test" / "testdata" / "vasp"
CELL = Goal("cell", 7, 0.02, 0.5, 3.0)


@pytest.fixture
def crystal():
    """Atoms of one element are not together, and the cell is skewed."""
    cell = np.array([[4.1, 0.1, 0.0], [0.3, 4.4, -0.2], [0.0, 0.7, 5.0]])
    scaled = np.array([[0.1, 0.2, 0.3], [0.6, 0.1, 0.9], [-0.2, 1.3, 0.5], [0.7, 0.7, 0.7]])
    return Crystal(np.array([8, 20, 8, 22]), cell, scaled)


@pytest.fixture
def engine(tmp_path):
    """Return settings of VASP with potentials for Ca, Ti and O."""
    folder = potentials(tmp_path / "potpaw_PBE", {"Ca_sv": 266.6, "Ti": 178.3, "O": 400.0})

    def make(**values):
        data = {
            "kind": "vasp",
            "command": str(fake_vasp(tmp_path)),
            "potentials": str(folder),
            "setups": {"base": "minimal", "Ca": "_sv"},
            **values,
        }
        return TierSettings.model_validate({"engine": data}).engine

    return make


def written(engine, crystal, folder, stage=0, goal=CELL):
    folder.mkdir(exist_ok=True)
    vasp.Vasp(engine).write(folder, crystal, engine.stage[stage], goal)
    return folder


def test_poscar_is_the_crystal_for_both_readers(engine, crystal, tmp_path):
    from pymatgen.io.vasp import Poscar

    folder = written(engine(), crystal, tmp_path / "run")
    atoms = read(folder / "POSCAR", format="vasp")
    structure = Poscar.from_file(folder / "POSCAR", check_for_potcar=False).structure
    order = [1, 3, 0, 2]
    assert atoms.numbers.tolist() == [20, 22, 8, 8]
    assert list(structure.atomic_numbers) == [20, 22, 8, 8]
    np.testing.assert_allclose(atoms.cell.array, crystal.cell, atol=1e-12)
    np.testing.assert_allclose(structure.lattice.matrix, crystal.cell, atol=1e-12)
    for scaled in (atoms.get_scaled_positions(wrap=False), structure.frac_coords):
        difference = scaled - crystal.scaled[order]
        np.testing.assert_allclose(difference, np.round(difference), atol=1e-12)


def test_incar_reads_back_in_both_readers(engine, crystal, tmp_path):
    from ase.calculators.vasp.create_input import GenerateVaspInput
    from pymatgen.io.vasp import Incar

    folder = written(engine(incar={"MAGMOM": [1.0, 2.0]}), crystal, tmp_path / "run", stage=2)
    incar = Incar.from_file(folder / "INCAR")
    expected = {
        "ENCUT": 520.0,
        "KSPACING": 0.3,
        "KGAMMA": True,
        "ISIF": 3,
        "NSW": 7,
        "IBRION": 1,
        "EDIFFG": -0.03,
        "EDIFF": 1e-5,
        "PSTRESS": 30.0,
        "LREAL": False,
        "PREC": "Normal",
        "NELM": 50,
        "LWAVE": False,
    }
    for key, value in expected.items():
        assert incar[key] == value, key
    assert incar["GGA"].upper() == "PE"
    reader = GenerateVaspInput()
    reader.read_incar(folder / "INCAR")
    found = {
        **reader.float_params,
        **reader.exp_params,
        **reader.int_params,
        **reader.bool_params,
        **reader.string_params,
        **reader.special_params,
    }
    for key, value in expected.items():
        if key != "LREAL":  # ASE knows only its other values
            assert found[key.lower()] == value, key


def test_potcar_follows_the_order_of_poscar(engine, crystal, tmp_path):
    folder = written(engine(), crystal, tmp_path / "run")
    text = (folder / "POTCAR").read_text()
    titles = [line.split()[3] for line in text.splitlines() if "TITEL" in line]
    assert titles == ["Ca_sv", "Ti", "O"]


def test_what_moves_decides_the_keys(engine, crystal):
    settings = engine(stage=[{"relax": "cell"}])
    stage = settings.stage[0]
    recipe = vasp.recipe_of(settings, crystal)
    keys = {
        what: vasp.incar_of(settings, stage, Goal(what, 9, 0.04, 0.5, 0.0), 300.0, recipe)
        for what in ("none", "positions", "cell")
    }
    assert [keys[what]["ISIF"] for what in keys] == [2, 2, 3]
    assert [keys[what]["NSW"] for what in keys] == [0, 9, 9]
    assert keys["cell"]["EDIFFG"] == -0.04
    assert "EDIFFG" not in keys["none"]
    assert "PSTRESS" not in keys["cell"]
    assert keys["cell"]["ENCUT"] == 390.0


def test_genuine_output_with_pressure_agrees_with_pymatgen(engine, tmp_path):
    """The sample is diamond at 1 kbar: its energies hold the term PV, which must go."""
    from pymatgen.io.vasp import Vasprun

    (tmp_path / "vasprun.xml").write_bytes((SAMPLES / "vasprun_pstress.xml").read_bytes())
    (tmp_path / "OUTCAR").write_text(
        "--- aborting loop because EDIFF is reached ---\n General timing and accounting\n"
    )
    reference = Vasprun(tmp_path / "vasprun.xml", parse_potcar_file=False, parse_dos=False)
    last = reference.ionic_steps[-1]
    start = Crystal.from_pymatgen(reference.final_structure)
    result = vasp.Vasp(engine()).read(tmp_path, start)
    volume = result.crystal.volume
    work = 0.1 / 160.21766208 * volume
    scf = last["electronic_steps"][-1]
    assert result.energy == pytest.approx(scf["e_0_energy"], abs=2e-6)
    assert last["e_fr_energy"] - scf["e_fr_energy"] == pytest.approx(work, abs=2e-6)
    np.testing.assert_allclose(result.forces, last["forces"], atol=1e-8)
    np.testing.assert_allclose(result.stress_gpa, -0.1 * np.array(last["stress"]), atol=1e-6)
    assert result.complete
    assert result.scf_converged


@pytest.mark.parametrize(
    ("name", "converged"),
    [("y_y", True), ("y_n", False), ("n_y", True)],
)
def test_scf_convergence_is_what_vasp_says(name, converged):
    text = (SAMPLES / f"convergence_OUTCAR_{name}").read_text()
    assert vasp.scf_converged(text) is converged
    assert not vasp.scf_converged("")


def test_output_of_another_crystal_is_refused(engine, crystal, tmp_path):
    (tmp_path / "vasprun.xml").write_bytes((SAMPLES / "vasprun_pstress.xml").read_bytes())
    with pytest.raises(UnreadableError, match=r"vasprun\.xml is of"):
        vasp.Vasp(engine()).read(tmp_path, crystal)


def test_problems_are_found_with_the_line_to_add(engine, tmp_path, monkeypatch):
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    assert vasp.problems(engine(), ["Ca", "Ti", "O"]) == []
    (missing,) = vasp.problems(engine(), ["Ca", "Sr"])
    assert "Sr" in missing
    assert "setups = { Sr =" in missing
    (found,) = vasp.problems(engine(setups={"base": "minimal"}), ["Ca"])
    assert "setups = { Ca = 'Ca_sv' }" in found
    (found,) = vasp.problems(engine(command="mpirun-of-nobody -n 4 vasp_std_x"), [])[:1]
    assert "mpirun-of-nobody" in found
    assert "command = 'mpirun -n {cores} /path/to/vasp_std'" in found
    (found,) = vasp.problems(engine(potentials=None), [])
    assert "VASP_PP_PATH" in found
    assert "potentials = '/path/to/potpaw_PBE'" in found
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path))
    assert vasp.problems(engine(potentials=None), ["O"]) == []
    (found,) = vasp.problems(engine(incar={"EDIFG": -0.01}), [])
    assert "incar.EDIFG" in found
    assert "'EDIFFG'" in found or "'EDIFF'" in found
    with pytest.raises(InputError, match="EDIFG"):
        build_relaxer(TierSettings(engine=engine(incar={"EDIFG": 1.0})))


def test_the_level_is_that_of_the_last_stage(engine):
    level = vasp.Vasp(engine()).level
    assert level.model == "PBE"
    same = engine(cores=8, restarts=3, scratch=None)
    assert vasp.Vasp(same).level == level
    assert vasp.Vasp(engine(incar={"LREAL": True})).level != level
    finer = engine(stage=[{"relax": "cell", "kspacing": 0.2}])
    assert vasp.Vasp(finer).level != level


IRON = Crystal(np.array([8, 26, 8, 26]), 4.3 * np.eye(3), np.eye(4)[:, :3] / 2)


def incar_for(engine, crystal, folder):
    from pymatgen.io.vasp import Incar

    return Incar.from_file(written(engine, crystal, folder, stage=-1) / "INCAR")


def test_open_shells_get_spin_and_moments_in_the_order_of_poscar(engine, crystal, tmp_path):
    names = {"Ca_sv": 266.6, "Ti": 178.3, "O": 400.0, "Fe": 267.9}
    folder = potentials(tmp_path / "more", names)
    settings = engine(potentials=str(folder), preset="standard", setups={"base": "minimal"})
    incar = incar_for(settings, IRON, tmp_path / "iron")
    assert incar["ISPIN"] == 2
    assert incar["MAGMOM"] == [4.0, 4.0, 0.6, 0.6]
    assert incar["SIGMA"] == 0.05
    closed = engine(preset="standard", setups={"base": "minimal", "Ca": "_sv"})
    closed_shell = Crystal(np.array([20, 22, 8, 8, 8]), 3.9 * np.eye(3), np.eye(5)[:, :3] / 2)
    assert "ISPIN" not in incar_for(closed, closed_shell, tmp_path / "closed")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("mp", [5.3, 0.0]), ({"Fe": 4.0}, [4.0, 0.0]), ("none", None), ({"Ti": 3.0}, None)],
)
def test_hubbard_u_follows_the_order_of_poscar(engine, tmp_path, choice, expected):
    folder = potentials(tmp_path / "more", {"O": 400.0, "Fe": 267.9})
    settings = engine(potentials=str(folder), hubbard_u=choice, setups={"base": "minimal"})
    incar = incar_for(settings, IRON, tmp_path / "run")
    assert incar.get("LDAUU") == expected
    if expected:
        assert incar["LDAUL"] == [2, -1]
        assert incar["LMAXMIX"] == 4


def test_the_input_set_is_that_of_pymatgen(engine, tmp_path):
    from pymatgen.io.vasp import Incar, Kpoints
    from pymatgen.io.vasp.sets import MPRelaxSet

    folder = potentials(tmp_path / "more", {"O": 400.0, "Fe_pv": 293.2})
    settings = engine(potentials=str(folder), preset="mp", setups={}, incar={"ALGO": "Normal"})
    run = written(settings, IRON, tmp_path / "run")
    ours = Incar.from_file(run / "INCAR")
    order = [1, 3, 0, 2]
    ordered = IRON.replace(numbers=IRON.numbers[order], scaled=IRON.scaled[order])
    theirs = MPRelaxSet(ordered.to_pymatgen(), sort_structure=False)
    for key in ("ENCUT", "LDAUU", "LDAUL", "ISMEAR", "SIGMA", "ISPIN", "LASPH", "PREC", "EDIFF"):
        assert ours[key] == theirs.incar[key], key
    assert ours["MAGMOM"] == [5.0, 5.0, 0.6, 0.6]
    assert ours["ALGO"] == "Normal", "the user's own keys win"
    assert Kpoints.from_file(run / "KPOINTS").kpts == theirs.kpoints.kpts
    assert "KSPACING" not in ours
    titles = [x.split()[3] for x in (run / "POTCAR").read_text().splitlines() if "TITEL" in x]
    assert titles == ["Fe_pv", "O"]


def test_an_unknown_input_set_names_the_nearest(engine, crystal, tmp_path):
    with pytest.raises(InputError, match="MPRelaxSet"):
        written(engine(input_set="MPRelaxSett"), crystal, tmp_path / "run")


@pytest.mark.parametrize(
    ("ion", "expected"),
    [(("Mn", 2), 5), (("Mn", 4), 3), (("Cu", 2), 1), (("V", 5), 0), (("Eu", 2), 7), (("Na", 1), 0)],
)
def test_unpaired_electrons(ion, expected):
    from nucleate.programs.open_shells import unpaired

    assert unpaired(*ion) == expected


def test_alloys_of_magnetic_metals_are_magnetic():
    from nucleate.programs.open_shells import initial_moments

    assert initial_moments({"Fe": 1, "Al": 1}) == {"Fe": 5.0, "Al": 0.6}
    assert initial_moments({"Cu": 1, "Al": 1}) == {}
