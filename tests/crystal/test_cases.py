"""Small files with traits that went wrong in other programs: the right crystal, or a sentence."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import ReadStructure, Unreadable, read_structures
from nucleate.crystal.symmetry import space_group

DATA = Path(__file__).parent / "data"

READ = {
    "c02_full_cell_and_ops.cif": ("Na4Cl4", 225, "coincide"),
    "c02b_full_cell_and_symbol.cif": ("Na4Cl4", 225, "coincide"),
    "c02c_one_image_twice.cif": ("Ti2O4", 136, "coincide"),
    "c03_hall_only.cif": ("Na4Cl4", 225, ""),
    "c03b_hall_and_hm_unknown.cif": ("Na4Cl4", 225, ""),
    "c03c_two_origins_hall_says.cif": ("Si8", 227, ""),
    "c04_magnetic.mcif": ("Mn4O4", 0, "magnetic"),
    "c04b_magnetic.cif": ("Mn4O4", 0, "magnetic"),
    "c05l_dummy.cif": ("MgO", 221, "DUM1"),
    "c07c_R3mH_icsd.cif": ("Bi6Te9", 166, ""),
    "c08e_P21n.cif": ("Ca4O4", 14, ""),
    "POSCAR_p05_selective": ("MgO", 0, ""),
    "POSCAR_p05b_selective_label": ("MgO", 221, ""),
    "POSCAR_p08b_bom": ("MgO", 221, ""),
    "POSCAR_p10_fixed": ("AuCu", 0, ""),
    "x04d_dcolon.xyz": ("MgO", 221, ""),
    "x04e_movemask.xyz": ("MgO", 0, ""),
    "x07b_bom.xyz": ("MgO", 221, ""),
    "x07i_formfeed.xyz": ("MgO", 221, ""),
    "x07j_lsep.xyz": ("MgO", 221, ""),
    "x09_fixed.xyz": ("AuCu", 0, ""),
}
"""Formula of the cell, space group (0: not checked), and what is told."""

REFUSED = {
    "c05_amcsd_water.cif": ["Wat1", "water"],
    "c05c_T_site.cif": ["T1", "tetrahedral"],
    "c05f_slash.cif": ["Ca/Sr", "mixed site"],
    "c05h_label_comma.cif": ["Mg,Fe", "mixed site"],
    "c05i_labels_MgFe.cif": ["MgFe1", "mixed site"],
    "c12_superspace.cif": ["modulated"],
    "POSCAR_p03d_Hfrac": ["H.5", "pseudo-hydrogen"],
    "POSCAR_p03e_H1.25": ["H1.25", "pseudo-hydrogen"],
    "POSCAR_p06i_short": ["line 10", "1 of 2 atoms"],
    "POSCAR_p06j_toomany": ["line 11", "more atoms"],
    "POSCAR_p06k_mism": ["line 7", "3 counts", "2 element symbols"],
    "POSCAR_p06l_zero": ["line 7", "count of atoms is 0"],
}

HOSTILE = {
    "coordinates-in-two-loops.cif": "another loop",
    "count-1e9.extxyz": "1000000000",
    "empty-loop-cell.cif": "_cell_length_a is missing",
    "flat-cell.vasp": "per atom",
    "group-superscript.cif": "not a whole number",
    "long-cell.vasp": "3e+09 Å",
    "nan-coordinate.cif": "'nan' is not a number",
    "no-atoms.cif": "no atoms",
    "occupancy-of-another-loop.cif": "another loop",
    "op-1over0.cif": "x+1/0",
    "op-400-digits.cif": "cannot be read",
    "poscar-count-1e9.vasp": "1000000000 atoms",
}


def single(path: Path) -> ReadStructure:
    (item,) = read_structures(path)
    assert isinstance(item, ReadStructure), item.error
    return item


def refusal(path: Path) -> str:
    (item,) = read_structures(path)
    assert isinstance(item, Unreadable)
    text = str(item.error)
    assert str(path) in text
    assert "\n" not in text
    assert "Error:" not in text
    assert len(text) < 500
    return text


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_the_right_crystal(name: str) -> None:
    formula, group, told = READ[name]
    structure = single(DATA / "cases" / name)
    assert structure.crystal.formula == formula
    if group:
        assert space_group(structure.crystal, 1e-3)[0] == group
    assert told in " ".join(structure.notes)
    assert bool(structure.notes) == bool(told)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_reason(name: str) -> None:
    text = refusal(DATA / "cases" / name)
    assert all(part in text for part in REFUSED[name]), text


def test_every_case_is_covered() -> None:
    names = {path.name for path in (DATA / "cases").iterdir()}
    assert names == set(READ) | set(REFUSED)


def test_fixed_atoms_are_kept_by_axis(tmp_path: Path) -> None:
    for name, along in (
        ("POSCAR_p05_selective", "lattice"),
        ("POSCAR_p05b_selective_label", "lattice"),
        ("POSCAR_p10_fixed", "lattice"),
        ("x04e_movemask.xyz", "cartesian"),
        ("x09_fixed.xyz", "cartesian"),
    ):
        structure = single(DATA / "cases" / name)
        assert structure.fixed is not None
        assert structure.fixed.tolist() == [[True] * 3, [False] * 3]
        assert structure.fixed_along == along
    text = (DATA / "cases" / "POSCAR_p05_selective").read_text()
    path = tmp_path / "POSCAR"
    path.write_text(text.replace("F F F", "F T .FALSE."))
    fixed = single(path).fixed
    assert fixed is not None
    assert fixed.tolist() == [[True, False, True], [False] * 3]
    path.write_text(text.replace("F F F", "T T T"))
    assert single(path).fixed is None
    path.write_text(text.replace("F F F", "F F"))
    assert "three flags" in refusal(path)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_at_once(name: str) -> None:
    start = time.process_time()
    assert HOSTILE[name] in refusal(DATA / "hostile" / name)
    assert time.process_time() - start < 2.0


def test_a_broken_frame_costs_only_itself() -> None:
    items = read_structures(DATA / "hostile" / "properties-columns.extxyz")
    assert [isinstance(item, Unreadable) for item in items] == [False, True, True]
    assert "5 columns" in str(items[1].error)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.cif", "data_x\n" + ";a\n" * 32_000),
        ("a.cif", "data_x\n_cell_length_a " + "'" * 100_000),
        ("a.cif", "data_x\n_cell_length_a " + '"' * 100_000),
        ("a.cif", "data_x\nloop_\n_atom_site_fract_x\n" + "'a " * 40_000),
        ("a.cif", "data_x\nloop_\n" * 5_000),
        ("a.cif", "data_x\n_atom_site_fract_x 0\n" * 4_000),
        ("a.cif", "data_x\n_symmetry_equiv_pos_as_xyz '" + "x+" * 50_000 + "'\n"),
        ("a.xyz", "2\n" + 'Lattice="4 0 0 0 4 0 0 0 4" ' + "a=[{" * 25_000 + "\nO 0 0 0\n"),
        ("a.xyz", "1\n" + '"' * 100_001 + "\nO 0 0 0\n"),
        ("a.xyz", "1\n" + "Properties=" + "S:1:" * 30_000 + "\nO 0 0 0\n"),
        ("a.xyz", "1\n" * 10_000),
        ("POSCAR", "x\n1\n" + "4 0 0\n" * 30_000),
        ("POSCAR", "x\n" * 50_000),
        ("a.res", "TITL x\nCELL 1 4 4 4 90 90 90\n" * 5_000),
    ],
)
def test_long_nonsense_is_refused_in_linear_time(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    start = time.process_time()
    assert all(isinstance(item, Unreadable) for item in read_structures(path))
    assert time.process_time() - start < 4.0


@pytest.mark.parametrize(
    "cell",
    [
        np.diag([1e9, 3.0, 3.0]),
        np.array([[3.9, 0.1, 0.0], [0.2, 3.8, 0.3], [0.0, 0.1, 0.0]]),
        np.array([[4.0, 0, 0], [3.9999999, 1e-4, 0], [0, 0, 1e4]]),
        np.array([[1.0, 0, 0], [0, 4.2, 0], [0, 4.188720804342724, 0.3076004279360546]]),
        np.full((3, 3), np.nan),
    ],
)
def test_cells_that_no_crystal_has_have_no_symmetry(cell: np.ndarray) -> None:
    crystal = Crystal(np.array([11, 17]), cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
    start = time.process_time()
    assert space_group(crystal) == (1, "P1")
    assert time.process_time() - start < 2.0
