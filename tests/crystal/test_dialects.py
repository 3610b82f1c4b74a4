"""Elements, occupancies and what a CIF file says of itself, as databases and programs write it."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest
from ase.build import bulk
from pymatgen.io.cif import CifWriter
from tests.crystal.dialects import SALT, TYPED, cell, difference, problem, single, sites

from nucleate.crystal.cif import format_cif
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import ReadStructure, read_structures
from nucleate.crystal.formats.cif_reader import disordered_block


@pytest.mark.parametrize("symbol", ["FE", "CL", "NA", "CA", "TI", "SI", "PB", "Fe", "MG", "AL"])
def test_capital_symbols_are_the_elements_that_they_are(symbol: str) -> None:
    for text in (
        sites(f"X1 {symbol} 0 0 0", "O1 O 0.5 0.5 0.5", tags=TYPED),
        sites(f"{symbol}1 0 0 0", "O1 0.5 0.5 0.5"),
        sites(f"{symbol} 0 0 0", "O 0.5 0.5 0.5"),
    ):
        crystal = single(cell() + text).crystal
        assert sorted(crystal.numbers) == sorted(
            [gemmi.Element(symbol.capitalize()).atomic_number, 8]
        )


@pytest.mark.parametrize(
    ("kind", "number"),
    [("Fe3+", 26), ("O2-", 8), ("O-2", 8), ("Ca+2", 20), ("Fe2.67+", 26), ("Si0+", 14), ("Cu0", 29),
     ("Na1", 11), ("Siva", 14), ("Cval", 6), ("fe", 26), ("o", 8)],
)  # fmt: skip
def test_types_with_charges(kind: str, number: int) -> None:
    assert single(cell() + sites(f"X1 {kind} 0 0 0", tags=TYPED)).crystal.numbers.tolist() == [
        number
    ]


@pytest.mark.parametrize(
    "kind",
    ["Wat", "H2O", "OH", "OH-", "NH4", "NH4+", "Ow", "M", "X", "T", "Vac", "Du", "Ca/Sr", "Mg,Fe",
     "MgFe", "Mg0.5Fe0.5", "H.5", "H1.25", "Qq", "Fe3+/Mg2+", "Ln", "REE", "A", "-", "1", "Rf"],
)  # fmt: skip
def test_types_that_are_no_element_are_refused_by_name(kind: str) -> None:
    text = problem(cell() + sites(f"S1 '{kind}' 0 0 0", tags=TYPED))
    assert kind in text
    assert "is not an element" in text


@pytest.mark.parametrize(
    "label",
    ["Wat1", "Wa", "W-at", "OW1", "Ow1", "OH1", "OH", "NH41", "T1", "M2", "A1", "Vac1", "DUM1",
     "Xe/Kr", "MgFe1", "CaSr", "(Mg,Fe)1", "OA", "Oa1", "SiAl1", "Ln1", "Mg0.5Fe", "NO1", "1", "_"],
)  # fmt: skip
def test_labels_that_are_no_element_are_refused_by_name(label: str) -> None:
    if label == "NO1":  # a file with small letters: nobelium it is not
        assert "NO1" in problem(cell() + sites("NO1 0 0 0", "Na1 0.5 0.5 0.5"))
    elif label == "W-at":  # tungsten, site -at
        assert single(cell() + sites("W-at 0 0 0")).crystal.numbers.tolist() == [74]
    else:
        assert label.split("1")[0] in problem(cell() + sites(f"'{label}' 0 0 0", "O1 0.5 0.5 0.5"))


@pytest.mark.parametrize(
    ("label", "formula", "number"),
    [("CaM1", "Ca O", 20), ("OA", "Ca O", 8), ("SiT1", "Si O", 14), ("CA1", "C O", 6),
     ("CA1", "Ca O", 20),
     ("CO1", "Co O", 27), ("OB1", "Ca O", 8), ("FE1A", "Fe O", 26), ("KA", "K O", 19),
     ("Ca1B", "Ca O", 20)],
)  # fmt: skip
def test_the_formula_sum_settles_labels(label: str, formula: str, number: int) -> None:
    other = next(word for word in formula.split() if gemmi.Element(word).atomic_number != number)
    text = cell() + f"_chemical_formula_sum '{formula}'\n"
    crystal = single(text + sites(f"{label} 0 0 0", f"{other}9 0.5 0.5 0.5")).crystal
    assert crystal.numbers[0] == number


def test_deuterium_is_hydrogen_with_a_word(tmp_path: Path) -> None:
    structure = single(cell() + sites("D1 D 0 0 0", "O1 O2- 0.5 0.5 0.5", tags=TYPED))
    assert structure.crystal.numbers.tolist() == [1, 8]
    assert structure.notes == ("deuterium is read as hydrogen",)
    (tmp_path / "POSCAR").write_text(
        "x\n1\n4 0 0\n0 4 0\n0 0 4\nD O\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
    )
    (tmp_path / "a.xyz").write_text('1\nLattice="4 0 0 0 4 0 0 0 4"\nD 0 0 0\n')
    for item in read_structures(tmp_path):
        assert isinstance(item, ReadStructure)
        assert item.crystal.numbers[0] == 1
        assert item.notes == ("deuterium is read as hydrogen",)


def test_a_contradiction_is_an_error_that_shows_both() -> None:
    rock = sites("Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5", tags=TYPED)
    head = cell(5.64)
    alone = head + "_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4\n" + rock
    text = problem(alone)  # no symmetry, and Z asks for more
    assert "2 atoms" in text
    assert "8" in text
    text = problem(head + "_chemical_formula_sum 'Na Cl O3'\n" + rock)
    assert "Cl1 Na1" in text
    assert "Cl1 Na1 O3" in text
    text = problem(head + "_cell_volume 200.0\n" + rock)
    assert "179.41" in text
    assert "200" in text
    text = problem(head + "_exptl_crystal_density_diffrn 2.163\n" + rock)
    assert "0.541" in text
    assert "2.163" in text
    group = "_space_group_name_H-M_alt 'F m -3 m'\n"
    whole = single(alone.replace("loop_", group + "loop_", 1) + "")
    assert whole.crystal.n_atoms == 8


def test_a_formula_of_the_whole_cell_is_no_contradiction() -> None:
    for text in (
        str(CifWriter(SALT.to_pymatgen())),
        format_cif(SALT),
        format_cif(SALT, symprec=0.01),
    ):
        assert difference(single(text).crystal, SALT) < 1e-3


def test_listed_operations_against_the_name_of_the_group() -> None:
    head = cell(5.64) + "_space_group_name_H-M_alt 'F m -3 m'\n_symmetry_equiv_pos_as_xyz x,y,z\n"
    text = problem(
        head + sites("Na1 0 0 0", "Cl1 0.5 0.5 0.5").replace("0.5 0.5 0.5", "0.5 0.4 0.5")
    )
    assert "F m -3 m" in text
    all_atoms = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    rows = [
        f"{'Na' if number == 11 else 'Cl'}{index} {x} {y} {z}"
        for index, (number, (x, y, z)) in enumerate(
            zip(all_atoms.numbers, all_atoms.scaled.round(6), strict=True)
        )
    ]
    assert single(head + sites(*rows)).crystal.n_atoms == 8


def test_atoms_in_one_place() -> None:
    group = "_space_group_name_H-M_alt 'P m m m'\n"
    same = sites("Na1 0 0 0", "Cl1 0.001 0 0")
    for head in (cell(), cell() + group):
        text = problem(head + same)
        assert "Na1" in text
        assert "Cl1" in text
    near = sites("Na1 0.4 0.5 0.5", "Na2 0.35 0.5 0.5")
    assert "too near" in problem(cell() + group + near)


def test_disorder_is_refused_and_its_sites_can_be_had() -> None:
    text = cell() + sites(
        "Na1 Na 0 0 0 0.5", "K1 K 0 0 0 0.5", "Cl1 Cl 0.5 0.5 0.5 1", tags=(*TYPED, "occupancy")
    )
    assert "Na1 has the occupancy 0.5" in problem(text)
    cell_, found, symmetry = disordered_block(text, "")
    np.testing.assert_allclose(cell_, 4.2 * np.eye(3), atol=1e-12)
    assert [(site.symbol, site.occupancy) for site in found] == [
        ("Na", 0.5),
        ("K", 0.5),
        ("Cl", 1.0),
    ]
    assert symmetry.order == 1
    empty = single(text.replace("0 0.5\nK1", "0 0\nK1").replace("K 0 0 0 0.5", "K 0 0 0 1"))
    assert empty.crystal.numbers.tolist() == [19, 17]
    assert "occupancy 0" in empty.notes[0]
