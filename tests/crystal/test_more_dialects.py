"""More dialects of CIF, POSCAR and extxyz: what other programs read, or a refusal in words."""

from __future__ import annotations

import os
from pathlib import Path

import ase.io
import gemmi
import numpy as np
import pytest
import spglib

from nucleate.crystal.files import Unreadable, iter_structures, read_structures
from nucleate.crystal.formats.cif_symmetry import Symmetry, is_group
from nucleate.errors import InputError

XYZ = "_atom_site_fract_x _atom_site_fract_y _atom_site_fract_z"
LABELS = f"_atom_site_label {XYZ}"
TYPES = f"_atom_site_label _atom_site_type_symbol {XYZ}"
P1 = "_symmetry_space_group_name_H-M 'P 1'\n"
MGO = "Mg1 0 0 0\nO1 .5 .5 .5"


def cif(atoms: str, *, cell: tuple = (4.2,) * 3 + (90,) * 3, more: str = P1, tags=LABELS) -> str:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    head = "".join(f"_cell_{name} {value}\n" for name, value in zip(names, cell, strict=True))
    return "data_x\n" + head + more + "loop_\n" + "\n".join(tags.split()) + f"\n{atoms}\n"


def operations(*texts: str) -> str:
    return "loop_\n_symmetry_equiv_pos_as_xyz\n" + "".join(f"'{text}'\n" for text in texts)


def name(symbol: str) -> str:
    return f"_symmetry_space_group_name_H-M '{symbol}'\n"


MONOCLINIC, HEX = (5, 6, 7, 90, 100, 90), (5, 5, 14, 90, 90, 120)
CALCITE = "Ca1 0 0 0\nC1 0 0 .25\nO1 .257 0 .25"
RIGHT = {
    "charges as labels": (cif("Fe3+ 0 0 0\nO2- .5 .5 .5"), "FeO"),
    "a sign before the charge": (cif("Fe1 Fe+3 0 0 0\nO1 O-2 .5 .5 .5", tags=TYPES), "FeO"),
    "numbers as labels": (cif("1 Mg 0 0 0\n2 O .5 .5 .5", tags=TYPES), "MgO"),
    "uncertainties": (cif("Mg1 0.0(1) 0 0\nO1 .5 .5 .5", cell=("4.212(3)",) * 3 + ("90.",) * 3),
                      "MgO"),
    "dots in tags": (cif(MGO).replace("_atom_site_", "_atom_site.").replace("_cell_", "_cell."),
                     "MgO"),
    "capital tags": (cif(MGO).upper().replace("MG1", "Mg1"), "MgO"),
    "a text field": (cif(MGO, more="_symmetry_space_group_name_H-M\n;\nP 1\n;\n"), "MgO"),
    "unknown occupancies": (cif("Mg1 0 0 0 ?\nO1 .5 .5 .5 .",
                                tags=f"{LABELS} _atom_site_occupancy"), "MgO"),
    "no attached hydrogen": (cif("Mg1 0 0 0 0\nO1 .5 .5 .5 0",
                                 tags=f"{LABELS} _atom_site_attached_hydrogens"), "MgO"),
    "one disorder group": (cif("Mg1 0 0 0 .\nO1 .5 .5 .5 1",
                               tags=f"{LABELS} _atom_site_disorder_group"), "MgO"),
    "R by a hexagonal cell": (cif(CALCITE, cell=HEX, more=name("R -3 c")), "Ca6C6O18"),
    "R by a rhombohedral cell": (cif("Ca1 0 0 0\nC1 .25 .25 .25\nO1 .007 .493 .25",
                                     cell=(6.36,) * 3 + (46,) * 3, more=name("R -3 c")),
                                 "Ca2C2O6"),
    "a number of a group": (cif(CALCITE, cell=HEX, more="_symmetry_Int_Tables_number 167\n"),
                            "Ca6C6O18"),
    "P 21/n": (cif("O1 .1 .2 .3", cell=MONOCLINIC, more=name("P 1 21/n 1")), "O4"),
    "P2_1/c": (cif("O1 .1 .2 .3", cell=MONOCLINIC, more=name("P2_1/c")), "O4"),
    "a unique axis c": (cif("O1 .1 .2 .3", cell=(5, 6, 7, 90, 90, 100), more=name("P 21/b")),
                        "O4"),
    "A -1": (cif("O1 .1 .2 .3", cell=(5, 6, 7, 91, 100, 95), more=name("A -1")), "O4"),
    "C m c e": (cif("O1 0 .2 .3", cell=(5, 6, 7, 90, 90, 90), more=name("C m c e")), "O8"),
    "C m c a": (cif("O1 0 .2 .3", cell=(5, 6, 7, 90, 90, 90), more=name("C m c a")), "O8"),
    "without bars": (cif("O1 0 0 0", more=name("P m 3 m")), "O"),
    "origin S": (cif("Si1 0 0 0", cell=(5.43,) * 3 + (90,) * 3, more=name("F d -3 m S")), "Si8"),
    "origin Z": (cif("Si1 .125 .125 .125", cell=(5.43,) * 3 + (90,) * 3, more=name("F d -3 m Z")),
                 "Si8"),
    "decimal shifts": (cif("O1 .1 .2 .3", more=operations("x,y,z", "0.5+x, y+1/2 , Z")), "O2"),
    "thirds of two digits": (cif("O1 .1 .2 .3", cell=HEX,
                                 more=operations("x,y,z", "x+.33,y+.67,z+.67",
                                                 "x+.67,y+.33,z+.33")), "O3"),
    "an operation twice": (cif("O1 .1 .2 .3", more=operations("x,y,z", "x,y,z", "-x,-y,-z")),
                           "O2"),
    "magnetic operations": (
        cif("Mn1 .1 .2 .3", more="loop_\n_space_group_symop_magn_operation.id\n"
            "_space_group_symop_magn_operation.xyz\n1 x,y,z,+1\n2 x,-y,z,-1\n"), "Mn2"),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_cif_that_is_read(case: str, tmp_path: Path) -> None:
    text, formula = RIGHT[case]
    path = tmp_path / "a.cif"
    path.write_text(text)
    [item] = read_structures(path)
    assert not isinstance(item, Unreadable), item.error
    assert item.crystal.formula == formula


@pytest.mark.parametrize(
    "case", ["R by a hexagonal cell", "P 21/n", "A -1", "C m c e", "capital tags"]
)
def test_gemmi_has_the_same_atoms(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    path.write_text(RIGHT[case][0])
    [item] = read_structures(path)
    theirs = gemmi.read_small_structure(str(path)).get_all_unit_cell_sites()
    places = np.array([site.fract.tolist() for site in theirs])
    apart = item.crystal.scaled[:, None] - places[None]
    apart = np.abs(apart - np.rint(apart)).max(-1)
    assert len(theirs) == item.crystal.n_atoms
    assert apart.min(0).max() < 1e-4
    assert apart.min(1).max() < 1e-4


WRONG = {
    "water": (cif("OW 0 0 0\nMg1 .5 .5 .5"), "'OW' is not an element"),
    "Roman numbers": (cif("Fe1 FeIII 0 0 0\nO1 O .5 .5 .5", tags=TYPES), "'FeIII' is not an"),
    "sites of perovskites": (cif("A 0 0 0\nB .5 .5 .5\nX 0 .5 .5"), "'A' is not an element"),
    "a tetrahedral site": (cif("TetA 0 0 0\nO1 .5 .5 .5"), "'TetA' is not an element"),
    "a mixed type": (cif("T1 Si0.5Al0.5 0 0 0\nO1 O .5 .5 .5", tags=TYPES), "mixed site"),
    "atomic numbers": (cif("Mg1 12 0 0 0\nO1 8 .5 .5 .5", tags=TYPES), "'12' is not an element"),
    "occupancies in per cent": (cif("Mg1 0 0 0 100\nO1 .5 .5 .5 100",
                                    tags=f"{LABELS} _atom_site_occupancy"), "occupancy 100"),
    "operations that are no group": (cif("O1 .1 .2 .3", more=operations("x,y,z", "-y,x,z")),
                                     "are no group"),
    "half of a group": (cif("O1 .1 .2 .3", more=operations("x,y,z", "-x,y,-z", "x,-y,z")),
                        "are no group"),
    "a centring of a third alone": (cif("O1 .1 .2 .3", cell=HEX,
                                        more=operations("x,y,z", "x+1/3,y+2/3,z+2/3")),
                                    "are no group"),
    "magnetic generators": (
        cif("Mn1 .1 .2 .3", more="loop_\n_space_group_symop_magn_operation.xyz\n"
            "x,y,z,+1\n-y,x,z,-1\n"), "are no group"),
    "alternatives": (cif("Mg1 0 0 0 . .\nO1A .5 .5 .5 A 1\nO1B .5 .1 .5 A 2",
                         tags=f"{LABELS} _atom_site_disorder_assembly _atom_site_disorder_group"),
                     "O1A and O1B are alternatives"),
    "hydrogen without sites": (cif("Mg1 0 0 0 0\nO1 .5 .5 .5 2",
                                   tags=f"{LABELS} _atom_site_attached_hydrogens"),
                               "2 hydrogen atoms without coordinates"),
    "fewer atoms than Z asks for": (cif(MGO, more="_chemical_formula_sum 'Mg O'\n"
                                        "_cell_formula_units_Z 4\n"), "2 atoms in the cell"),
    "a density": (cif("Na1 0 0 0\nCl1 .5 .5 .5", cell=(5.64,) * 3 + (90,) * 3,
                      more="_exptl_crystal_density_diffrn 2.16\n"), "density of 0.541"),
    "a multiplicity": (cif("Mg1 0 0 0 4\nO1 .5 .5 .5 8", more=name("F m -3 m"),
                           tags=f"{LABELS} _atom_site_symmetry_multiplicity"),
                       "multiplicity says 8"),
    "two origins": (cif("Si1 0 0 0", cell=(5.43,) * 3 + (90,) * 3, more=name("F d -3 m")),
                    "has two origins"),
    "rhombohedral axes in a hexagonal cell": (cif(CALCITE, cell=HEX, more=name("R -3 c R")),
                                              "does not fit the cell"),
    "another unique axis": (cif("O1 .1 .2 .3", cell=(5, 6, 7, 90, 90, 100), more=name("P 21/c")),
                            "does not fit the cell"),
    "a cubic group": (cif("O1 0 0 0", cell=(5, 5, 6, 90, 90, 90), more=name("F m -3 m")),
                      "does not fit the cell"),
    "superspace": (cif("Mn1 .1 .25 .3", more="_space_group_ssg_name 'Pnma(0,b,0)'\n"), "modulated"),
    "nanometres": (cif(MGO, cell=(0.42,) * 3 + (90,) * 3), "Å³ per atom"),
    "radians": (cif(MGO, cell=(4.2,) * 3 + (1.5708,) * 3), "Å³ per atom"),
    "decimal commas": (cif("Mg1 0 0 0\nO1 0,5 0,5 0,5"), "'0,5' is not a number"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_cif_that_is_refused_in_words(case: str, tmp_path: Path) -> None:
    text, words = WRONG[case]
    path = tmp_path / "a.cif"
    path.write_text(text)
    [item] = read_structures(path)
    assert isinstance(item, Unreadable), item.crystal.formula
    assert words in str(item.error)


def test_a_formula_settles_what_groups_and_hydrogens_leave_open(tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    tags = f"{LABELS} _atom_site_disorder_group _atom_site_attached_hydrogens"
    atoms = "Mg1 0 0 0 1 0\nO1 .5 .5 .5 2 {}"
    for formula, read in (("Mg O", True), ("Mg O2", False), ("Mg O H2", False)):
        more = P1 + f"_chemical_formula_sum '{formula}'\n"
        path.write_text(cif(atoms.format(2), tags=tags, more=more))
        [item] = read_structures(path)
        assert isinstance(item, Unreadable) != read


def test_every_space_group_is_a_group_and_none_without_one_operation() -> None:
    rng = np.random.default_rng(0)
    for hall in range(1, 531):
        data = spglib.get_symmetry_from_database(hall)
        rotations, shifts = data["rotations"].astype(float), data["translations"]
        rounded = np.round(shifts, 4)
        assert is_group(Symmetry("", rotations, rounded, "listed")), hall
        if len(rotations) > 2:
            kept = np.delete(np.arange(len(rotations)), rng.integers(1, len(rotations)))
            assert not is_group(Symmetry("", rotations[kept], shifts[kept], "listed")), hall


CELL = "4.2 0 0\n0 4.2 0\n0 0 4.2\n"
AT = "0 0 0\n.5 .5 .5\n"


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        (f"x\n-74.088\n{CELL}Mg O\n1 1\nDirect\n{AT}", "MgO"),
        (f"x\n1 2 1\n{CELL}Mg O\n1 1\nCartesian\n0 0 0\n2.1 2.1 2.1\n", "MgO"),
        (f"x\n1\n{CELL}Mg_pv O_s\n1 1\nDirect\n{AT}", "MgO"),
        (f"x\n1\n{CELL}Mg/1a2b3c4d O/deadbeef\n1 1\nDirect\n{AT}", "MgO"),
        (f"x\n1\n{CELL}O Mg O\n1 1 1\nKartesisch\n0 0 2.1\n0 0 0\n2.1 2.1 2.1\n", "MgO2"),
        (
            f"x\n1 ! scale\n{CELL}Mg O ! species\n1 1 ! n\nDirect ! mode\n0 0 0 ! Mg\n.5 .5 .5\n",
            "MgO",
        ),
    ],
)
def test_poscars_as_ase_reads_them(text: str, formula: str, tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    path.write_text(text)
    [item] = read_structures(path)
    assert not isinstance(item, Unreadable), item.error
    theirs = ase.io.read(path, format="vasp")
    assert item.crystal.formula == formula == theirs.get_chemical_formula()
    assert np.allclose(item.crystal.cell, theirs.cell[:])
    assert np.allclose(item.crystal.positions, theirs.positions)


LATTICE = 'Lattice="4.2 0 0 0 4.2 0 0 0 4.2"'
PROPERTIES = "Properties=species:S:1:pos:R:3"
ROWS = "Mg 0 0 0\nO 2.1 2.1 2.1\n"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("POSCAR", f"Mg O Al\n1\n{CELL}1 1\nDirect\n{AT}", "no element symbols"),
        ("POSCAR", f"x\n1 -2 1\n{CELL}Mg O\n1 1\nDirect\n{AT}", "must be positive"),
        ("POSCAR", f"x\n1\n{CELL}Mg O Al\n1 1\nDirect\n{AT}", "2 counts (1 1) for 3 element"),
        ("POSCAR", f"x\n1\n{CELL}Mg O\n1 1\nDirect\n0 0 0 O\n.5 .5 .5 Mg\n", "labelled O"),
        ("POSCAR", f"x\n1\n{CELL}Mg O\n1 1\n{AT}", "expected 'Direct' or 'Cartesian'"),
        ("a.xyz", f"2\n{LATTICE} Lattice=\"9 0 0 0 9 0 0 0 9\" {PROPERTIES}\n{ROWS}",
         "gives Lattice twice"),
        ("a.xyz", f"2\n{LATTICE} {PROPERTIES}:Z:I:1\nMg 0 0 0 8\nO 2.1 2.1 2.1 12\n",
         "'species' and 'Z' name different elements"),
        ("a.xyz", f"2\nLattice=\"4 4 4 90 90 90\" {PROPERTIES}\n{ROWS}", "6 numbers, not nine"),
        ("a.xyz", f"2\n{LATTICE} {PROPERTIES} pbc=\"T T F\"\n{ROWS}", "not periodic in three"),
        ("a.xyz", f"2\n{LATTICE} {PROPERTIES}\nMg1 0 0 0\nO2 2.1 2.1 2.1\n", "not an element"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(file: str, text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_text(text)
    [item] = read_structures(path)
    assert isinstance(item, Unreadable)
    assert words in str(item.error)


def test_columns_of_extxyz_are_found_whatever_the_case_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    rows = "1 0 0 0 Mg\n8 2.1 2.1 2.1 O\n"
    path.write_text(f"2\n{LATTICE} properties=tags:I:1:pos:R:3:species:S:1\n{rows}")
    [item] = read_structures(path)
    assert not isinstance(item, Unreadable)
    assert item.crystal.formula == "MgO"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.vasp")
    with pytest.raises(InputError, match="pipe or a device"):
        list(iter_structures(tmp_path / "a.vasp"))
