"""Fixed atoms survive every format that can say so, and unknown constraints are refused."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixBondLengths, FixCartesian, FixScaled
from ase.db import connect
from hypothesis import given, settings
from hypothesis import strategies as st

import nucleate as nc
from nucleate.api import relax_files
from nucleate.api.structures import as_items
from nucleate.crystal.constraints import along_lattice, constraints_of, fixed_by, move_mask
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import ReadStructure, read_structures, write_extxyz, write_poscar
from nucleate.crystal.formula import chemical_ranks
from nucleate.run.listed_files import held
from strategies import crystals


@st.composite
def held_crystals(draw: st.DrawFn) -> tuple[Crystal, np.ndarray]:
    crystal = draw(crystals(min_atoms=1))
    flags = draw(
        st.lists(st.booleans(), min_size=3 * crystal.n_atoms, max_size=3 * crystal.n_atoms)
    )
    return crystal, np.array(flags).reshape(-1, 3)


def fixed_in(path: Path) -> np.ndarray | None:
    (item,) = read_structures(path)
    assert isinstance(item, ReadStructure)
    return held(item)


def same(found: np.ndarray | None, wanted: np.ndarray | None) -> bool:
    if found is None or wanted is None:
        return found is None and (wanted is None or not wanted.any())
    return bool(np.array_equal(found, wanted))


@settings(max_examples=40, deadline=None)
@given(held_crystals())
def test_constraints_survive_each_format(case: tuple[Crystal, np.ndarray]) -> None:
    crystal, fixed = case
    order = chemical_ranks(crystal.numbers)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_poscar(folder / "POSCAR", crystal, fixed=fixed)
        assert same(fixed_in(folder / "POSCAR"), fixed[order])
        mask = move_mask(fixed, np.array(crystal.cell))
        write_extxyz(
            folder / "a.extxyz", [("a", crystal, {} if mask is None else {"move_mask": mask})]
        )
        assert same(fixed_in(folder / "a.extxyz"), along_lattice(fixed, np.array(crystal.cell)))
    atoms = crystal.to_ase()
    atoms.set_constraint(constraints_of(fixed))
    assert same(fixed_by(atoms), fixed)


def test_ase_reads_the_flags_that_are_written(tmp_path: Path) -> None:
    crystal = Crystal.from_ase(bulk("Cu", "fcc", 3.6, cubic=True))
    fixed = np.zeros((4, 3), dtype=bool)
    fixed[0], fixed[2, 1] = True, True
    write_poscar(tmp_path / "POSCAR", crystal, fixed=fixed)
    assert same(fixed_by(ase.io.read(tmp_path / "POSCAR")), fixed)
    write_extxyz(tmp_path / "a.extxyz", [("a", crystal, {"move_mask": ~fixed})])
    assert same(fixed_by(ase.io.read(tmp_path / "a.extxyz")), fixed)


def test_constraints_of_atoms_reach_the_relaxation_and_its_files(tmp_path: Path) -> None:
    atoms = bulk("Cu", "fcc", 3.7, cubic=True)
    atoms.rattle(0.1, seed=1)
    atoms.set_constraint([FixAtoms([0]), FixCartesian([1], [True, False, False])])
    start = atoms.get_scaled_positions()
    series = relax_files([atoms], model=EMT(), folder=tmp_path)
    end = series.outcomes[0]
    assert isinstance(end, nc.Relaxed)
    moved = np.abs(np.asarray(end.crystal.scaled) - start)
    moved -= np.round(moved)
    assert np.abs(moved[0]).max() < 1e-9
    assert abs(moved[1, 0]) < 1e-9
    assert np.abs(moved[2:]).max() > 1e-3
    wanted = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=bool)
    with connect(tmp_path / "relaxed.db") as database:
        assert same(fixed_by(next(database.select()).toatoms()), wanted)
    assert same(fixed_in(tmp_path / "relaxed.extxyz"), wanted)


def test_axes_that_are_no_lattice_vectors_hold_the_whole_atom() -> None:
    atoms = bulk("Cu", "fcc", 3.6)
    atoms.set_constraint(FixCartesian([0], [True, False, False]))
    assert same(as_items(atoms)[0][0].fixed, np.ones((1, 3), dtype=bool))
    atoms.set_constraint(FixScaled([0], [True, False, False]))
    assert same(as_items(atoms)[0][0].fixed, np.array([[True, False, False]]))


def test_a_constraint_of_another_kind_is_refused_by_name() -> None:
    atoms = bulk("Cu", "fcc", 3.6, cubic=True)
    atoms.set_constraint(FixBondLengths([[0, 1]]))
    with pytest.raises(nc.InputError, match="structures has the constraint FixBondLengths"):
        nc.relax(atoms, model=EMT())
