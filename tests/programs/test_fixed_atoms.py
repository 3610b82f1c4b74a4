"""Fixed atoms in external programs: in their inputs, in what is judged, and who refuses them."""

from __future__ import annotations

import numpy as np
import pytest
from ase.constraints import FixAtoms
from ase.io.espresso import read_espresso_in
from tests.programs.fakes import fake_vasp, potentials

from nucleate.crystal.constraints import FREE_IN_A_SEARCH
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import read_structures, write_poscar
from nucleate.errors import InputError
from nucleate.programs.kinds.gulp import Gulp
from nucleate.programs.program import Goal
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.run.predict import build_target
from nucleate.run.settings import RunSettings

SALT = Crystal(
    np.array([8, 12, 8, 12]),
    4.2 * np.eye(3) * [0.75, 0.75, 1.0],
    np.array([[0, 0, 0.5], [0.5, 0.5, 0.52], [0.5, 0.5, 0], [0, 0, 0]]),
)
FIXED = np.zeros((4, 3), dtype=bool)
FIXED[1] = True
FIXED[2, 2] = True
WHOLE = np.repeat(FIXED.all(axis=1)[:, None], 3, axis=1)


def goal(fixed: np.ndarray) -> Goal:
    return Goal("positions", 7, 0.02, 0.5, 0.0, fixed)


@pytest.fixture
def vasp(tmp_path):
    folder = potentials(tmp_path / "potpaw_PBE", {"Mg": 200.0, "O": 400.0})
    engine = {
        "kind": "vasp",
        "command": str(fake_vasp(tmp_path)),
        "potentials": str(folder),
        "setups": {"base": "minimal"},
        "scratch": str(tmp_path / "scratch"),
        "environment": {"FAKE_MODE": "ok"},
    }
    return TierSettings.model_validate({"name": "dft", "engine": engine})


@pytest.fixture
def espresso(tmp_path):
    for symbol in ("Mg", "O"):
        (tmp_path / f"{symbol}.upf").write_text("")
    engine = {"kind": "espresso", "command": "pw.x", "pseudopotentials": str(tmp_path)}
    return TierSettings.model_validate({"name": "dft", "engine": engine})


def test_poscar_has_selective_dynamics_in_its_own_order(vasp, tmp_path) -> None:
    vasp.engine.program().write(tmp_path, SALT, vasp.engine.stage[0], goal(FIXED))
    (item,) = read_structures(tmp_path / "POSCAR")
    assert item.fixed is not None
    for number, place, fixed in zip(SALT.numbers, SALT.scaled, FIXED, strict=True):
        same = (item.crystal.numbers == number) & (np.abs(item.crystal.scaled - place) < 1e-9).all(
            axis=1
        )
        np.testing.assert_array_equal(item.fixed[np.flatnonzero(same)[0]], fixed)


def test_pw_holds_whole_atoms_and_refuses_parts_of_one(espresso, tmp_path) -> None:
    program, stage = espresso.engine.program(), espresso.engine.stage[0]
    program.write(tmp_path, SALT, stage, goal(WHOLE))
    with (tmp_path / "input").open() as file:
        (constraint,) = read_espresso_in(file).constraints
    np.testing.assert_array_equal(constraint.get_indices(), [1])
    with pytest.raises(InputError, match="all three"):
        program.write(tmp_path, SALT, stage, goal(FIXED))


def test_the_relaxer_keeps_the_cell_and_judges_what_may_move(vasp) -> None:
    relaxer = build_relaxer(vasp)
    relaxer.add(0, SALT, FIXED)
    ended: list = []
    while not ended:
        ended = relaxer.step()
    ((_, outcome),) = ended
    assert isinstance(outcome, Relaxed | Failed)
    assert "cannot hold" not in getattr(outcome, "message", "")


def test_other_programs_refuse_fixed_atoms_by_name(vasp, monkeypatch) -> None:
    relaxer = build_relaxer(vasp)
    monkeypatch.setattr("nucleate.programs.kinds.vasp.Vasp.holds_atoms", False)
    relaxer.add(0, SALT, FIXED)
    ((_, outcome),) = relaxer.step()
    assert isinstance(outcome, Failed)
    assert "engine 'vasp' cannot hold atoms fixed" in outcome.message
    assert not getattr(Gulp, "holds_atoms", False)


def test_results_carry_the_constraints() -> None:
    import nucleate as nc

    atoms = SALT.to_ase()
    atoms.set_constraint(FixAtoms([1, 2]))
    outcome = nc.relax(atoms, model="spp", max_steps=3)
    assert isinstance(outcome, Relaxed)
    (constraint,) = outcome.to_ase().constraints
    np.testing.assert_array_equal(constraint.get_indices(), [1, 2])


def test_a_target_with_fixed_atoms_is_free_with_a_warning(tmp_path, caplog) -> None:
    write_poscar(tmp_path / "POSCAR", SALT, fixed=FIXED)
    stop = {"target": str(tmp_path / "POSCAR")}
    settings = RunSettings.from_dict({"problem": {"formula": "MgO"}, "stop": stop})
    assert build_target(settings) is not None
    assert FREE_IN_A_SEARCH in caplog.text
