from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from ase.spacegroup import crystal as build_crystal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter

from nucleate.crystal.cif import format_cif, read_cif
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import shortest_distance
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.files import (
    read_crystals,
    write_cif,
    write_extxyz,
    write_poscar,
)
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.formula import chemical_ranks, counts_of
from nucleate.crystal.symmetry import conventional, space_group
from nucleate.errors import InputError
from strategies import crystals, rotations, supercell

CUBIC = ["Na", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)], 225, [5.64, 5.64, 5.64, 90, 90, 90]
KNOWN = {
    225: CUBIC,
    227: (["Mg", "Al", "O"], [(0.125,) * 3, (0.5,) * 3, (0.262,) * 3], 227, [8.08] * 3 + [90] * 3),
    136: (["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], 136, [4.59, 4.59, 2.96, 90, 90, 90]),
    167: (["Al", "O"], [(0, 0, 0.352), (0.306, 0, 0.25)], 167, [4.76, 4.76, 12.99, 90, 90, 120]),
    62: (
        ["Ca", "Ti", "O", "O"],
        [(0.036, 0.25, 0.993), (0, 0, 0.5), (0.484, 0.25, 0.071), (0.289, 0.037, 0.711)],
        62,
        [5.44, 7.64, 5.38, 90, 90, 90],
    ),
    14: (
        ["Zr", "O", "O"],
        [(0.275, 0.040, 0.208), (0.070, 0.332, 0.345), (0.450, 0.757, 0.479)],
        14,
        [5.15, 5.21, 5.32, 90, 99.2, 90],
    ),
    152: (
        ["Si", "O"],
        [(0.47, 0, 1 / 3), (0.413, 0.267, 0.286)],
        152,
        [4.91, 4.91, 5.4, 90, 90, 120],
    ),
    2: (["Al", "O"], [(0.1, 0.2, 0.3), (0.4, 0.7, 0.15)], 2, [4.1, 4.9, 5.3, 81, 97, 103]),
}  # fmt: skip


def known(number: int) -> Crystal:
    symbols, basis, group, cell = KNOWN[number]
    setting = 2 if number == 227 else 1
    return Crystal.from_ase(
        build_crystal(symbols, basis, spacegroup=group, cellpar=cell, setting=setting)
    )


def difference(first: Crystal, second: Crystal) -> float:
    return fingerprint_distance(fingerprint(first), fingerprint(second))


def from_pymatgen(path: Path) -> Crystal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Crystal.from_pymatgen(Structure.from_file(path))


@given(crystals())
def test_p1_cif_keeps_every_digit(crystal: Crystal) -> None:
    assume(crystal.n_atoms == 1 or shortest_distance(crystal) > 0.1)  # one place, one atom
    ((_, again),) = read_cif(format_cif(crystal))
    sign = np.sign(np.linalg.det(crystal.cell))
    np.testing.assert_array_equal(again.numbers, crystal.numbers)
    assert_same_places(again.scaled, sign * crystal.scaled)
    np.testing.assert_allclose(again.lengths, crystal.lengths, rtol=1e-12)
    np.testing.assert_allclose(again.angles, crystal.angles, rtol=1e-10)
    assert np.linalg.det(again.cell) > 0


@settings(max_examples=25)
@given(crystals(max_atoms=6))
def test_other_programs_read_our_files(tmp_path_factory: pytest.TempPathFactory, crystal) -> None:
    assume(crystal.n_atoms == 1 or shortest_distance(crystal) > 0.1)
    folder = tmp_path_factory.mktemp("files")
    for name, write in (("a.cif", write_cif), ("a.vasp", write_poscar)):
        write(folder / name, crystal)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = Crystal.from_ase(read(folder / name))
        assert difference(atoms, crystal) < 1e-4
        assert difference(read_crystals(folder / name)[0][1], crystal) < 1e-4


@settings(max_examples=30)
@given(st.lists(crystals(max_atoms=6), min_size=1, max_size=4))
def test_extxyz_keeps_every_digit(
    tmp_path_factory: pytest.TempPathFactory, frames: list[Crystal]
) -> None:
    path = tmp_path_factory.mktemp("files") / "pool.extxyz"
    items = [(f"frame {index}", crystal) for index, crystal in enumerate(frames)]
    write_extxyz(path, items)
    again = read_crystals(path)
    assert [name for name, _ in again] == [name for name, _ in items]
    for (_, one), (_, other) in zip(items, again, strict=True):
        np.testing.assert_array_equal(other.numbers, one.numbers)
        np.testing.assert_array_equal(other.cell, one.cell)
        np.testing.assert_allclose(other.scaled, one.scaled, atol=1e-11)


def assert_same_places(found, expected):
    """Coordinates of a file lie in [0, 1)."""
    assert np.all((found >= 0.0) & (found < 1.0))
    gap = found - expected
    np.testing.assert_allclose(gap, np.rint(gap), atol=1e-12)


@settings(max_examples=30)
@given(crystals())
def test_poscar_keeps_every_digit(
    tmp_path_factory: pytest.TempPathFactory, crystal: Crystal
) -> None:
    path = tmp_path_factory.mktemp("files") / "POSCAR"
    write_poscar(path, crystal)
    ((name, again),) = read_crystals(path)
    assert name == "POSCAR"
    order = chemical_ranks(crystal.numbers)
    sign = np.sign(np.linalg.det(crystal.cell))
    np.testing.assert_array_equal(again.numbers, crystal.numbers[order])
    assert list(dict.fromkeys(symbols_of(again.numbers))) == list(counts_of(crystal.numbers))
    np.testing.assert_allclose(again.cell, sign * crystal.cell, atol=1e-14)
    assert_same_places(again.scaled, sign * crystal.scaled[order])


def test_fluorine_is_no_boolean_in_extxyz(tmp_path: Path) -> None:
    fluorine = Crystal(np.array([9]), 3.0 * np.eye(3), np.zeros((1, 3)))
    write_extxyz(tmp_path / "f.extxyz", [("F", fluorine, {"formula": "F", "stable": False})])
    info = read(tmp_path / "f.extxyz").info
    assert (info["name"], info["formula"], info["stable"]) == ("F1", "F1", False)


@pytest.mark.parametrize("number", KNOWN)
@settings(max_examples=5)
@given(rotations(), st.sampled_from([(1, 1, 1), (2, 1, 1)]))
def test_symmetrised_cif_is_the_same_crystal_to_everyone(
    tmp_path_factory: pytest.TempPathFactory,
    number: int,
    rotation: np.ndarray,
    repeats: tuple[int, int, int],
) -> None:
    crystal = supercell(known(number), repeats)
    crystal = crystal.replace(cell=crystal.cell @ rotation, scaled=crystal.scaled + 0.11)
    path = tmp_path_factory.mktemp("files") / "symmetric.cif"
    write_cif(path, crystal, symprec=0.01, title="A title: 'quoted'")
    text = path.read_text()
    assert f"_space_group_IT_number {number}\n" in text
    assert "tolerance of 0.01 Å" in text
    whole = conventional(crystal, 0.01)
    assert whole is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms = read(path)
    assert atoms.info["spacegroup"].no == number
    for other in (read_crystals(path)[0][1], from_pymatgen(path), Crystal.from_ase(atoms)):
        assert other.n_atoms == whole.n_atoms
        assert difference(other, crystal) < 2e-3
        assert space_group(other, 1e-3)[0] == number


def test_a_crystal_without_symmetry_is_written_as_it_is() -> None:
    rng = np.random.default_rng(0)
    crystal = Crystal(np.array([22, 8, 8]), np.eye(3) * 4 + rng.random((3, 3)), rng.random((3, 3)))
    text = format_cif(crystal, symprec=0.01)
    assert "_space_group_IT_number 1\n" in text
    assert "Symmetrised" not in text
    assert read_cif(text)[0][1].n_atoms == 3


@pytest.mark.parametrize("number", KNOWN)
@pytest.mark.parametrize("operations", [True, False])
def test_symmetric_cif_of_pymatgen_is_expanded(number: int, operations: bool) -> None:
    crystal = known(number)
    text = str(CifWriter(crystal.to_pymatgen(), symprec=0.01))
    if not operations:  # only the name of the space group is left
        lines = text.splitlines()
        start = next(i for i, line in enumerate(lines) if "_symmetry_equiv_pos_site_id" in line)
        end = next(i for i, line in enumerate(lines) if i > start and line.startswith("loop_"))
        text = "\n".join(lines[: start - 1] + lines[end:])
        if number == 227:  # Z and multiplicities settle the origin; without them nothing does
            bare = re.sub(r"_cell_(formula_units_Z|volume).*\n", "", text)
            bare = re.sub(r"( (?:Mg|Al|O) +\w+ +)\d+", r"\1?", bare)
            with pytest.raises(InputError, match="two origins"):
                read_cif(bare)
    ((_, again),) = read_cif(text)
    assert again.n_atoms == conventional(crystal, 0.01).n_atoms  # type: ignore[union-attr]
    assert difference(again, crystal) < 5e-3


SITES = """
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""
CELL = """data_test
_cell_length_a 4.0(1)
_cell_length_b 4.0
_cell_length_c 4.000(12)
_cell_angle_alpha 90
_cell_angle_beta 90.
_cell_angle_gamma 90.00
"""


def test_cif_syntax() -> None:
    text = (
        "# comment with 'quotes\r\n" + CELL + "_publ_title\n;\ndata_ not a block\nloop_\n;\n"
        "_other 'it''s # quoted'\n_author \"O'Neill\"\n" + SITES
        + "Ca1 Ca2+ 0.25(3) .5 -0.75 # tail\nO1' O2- 0.7500 0. 1.25\nD1 D 0 0 0\n"
    )  # fmt: skip
    ((name, crystal),) = read_cif(text)
    assert name == "test"
    assert crystal.numbers.tolist() == [20, 8, 1]
    np.testing.assert_allclose(crystal.scaled[0], [0.25, 0.5, -0.75])
    np.testing.assert_allclose(crystal.lengths, 4.0)


def test_low_precision_special_positions_are_one_atom() -> None:
    cell = CELL.replace("gamma 90.00", "gamma 120")
    operations = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-y,x-y,z'\n'y-x,-x,+z'\n"
    ((_, crystal),) = read_cif(
        cell + operations + SITES + "C1 C 0.333 0.667 1/2\n".replace("1/2", "0.5")
    )
    assert crystal.n_atoms == 1
    np.testing.assert_allclose(crystal.scaled[0], [1 / 3, 2 / 3, 0.5], atol=4e-4)


@pytest.mark.parametrize("operation", ["1/2+x, -y , Z+0.5", "x+1/2,-y,z+2/4", " 0.5 + x,-1*y,z+.5"])
def test_spellings_of_operations(operation: str) -> None:
    text = CELL + f"loop_\n_space_group_symop_operation_xyz\nx,y,z\n'{operation}'\n"
    ((_, crystal),) = read_cif(text + SITES + "O1 O 0.1 0.2 0.3\n")
    np.testing.assert_allclose(crystal.scaled, [[0.1, 0.2, 0.3], [0.6, 0.8, 0.8]])


def test_several_blocks() -> None:
    block = CELL + SITES + "O1 O 0 0 0\n"
    text = "data_global\n_audit_author_name x\n" + block + block.replace("data_test", "data_two")
    assert [name for name, _ in read_cif(text)] == ["test", "two"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no data block"),
        ("nonsense", "no data block"),
        (CELL, "no data block"),
        (CELL + SITES + "O1 O 0 0 ?\n", r"'\?' is not a number"),
        (CELL + SITES + "O1 O 0 0\n", "not a multiple"),
        (CELL + SITES + "Q1 Qq 0 0 0\n", "'Qq' is not an element"),
        (CELL.replace("_cell_length_b 4.0\n", "") + SITES + "O1 O 0 0 0\n", "_cell_length_b"),
        (CELL.replace("beta 90.", "beta 0") + SITES + "O1 O 0 0 0\n", "angles"),
        (CELL + "_symmetry_space_group_name_H-M 'K 7'\n" + SITES + "O1 O 0 0 0\n", "K 7"),
        (CELL + "_space_group_IT_number 194\n" + SITES + "O1 O 0 0 0\n", "does not fit the cell"),
        (CELL + "_symmetry_equiv_pos_as_xyz 'x,y'\n" + SITES + "O1 O 0 0 0\n", "three parts"),
        (CELL + "_symmetry_equiv_pos_as_xyz 'x,y,q'\n" + SITES + "O1 O 0 0 0\n", "cannot be read"),
        (
            CELL + SITES + "_atom_site_occupancy\nO1 O 0 0 0 1.0\nO2 O 0.5 0 0 0.5\n",
            "site O2 has the occupancy 0.5",
        ),
    ],
)
def test_bad_cif_says_what_is_wrong(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as raised:
        read_crystals(path)
    assert str(path) in str(raised.value)


def test_unknown_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format cannot be determined"):
        read_crystals(tmp_path / "structure.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_crystals(tmp_path / "missing.cif")
    with pytest.raises(InputError, match="cannot be read"):
        read_crystals(tmp_path.with_suffix(".cif") / "x.cif")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xyz", ""),
        ("a.xyz", "2\n\nO 0 0 0\n"),
        ("a.xyz", "1\n\nO 0 0 0\n"),
        ("a.extxyz", '1\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T F"\nO 0 0 0\n'),
        ("a.extxyz", '1\nLattice="4 0 0 0 4 0 4 4 0"\nO 0 0 0\n'),
        ("a.extxyz", '1\nLattice="4 0 0 0 4 0 0 0 4"\nX 0 0 0\n'),
        ("a.extxyz", '1\nLattice="4 0 0 0 4 0 0 0 4"\nO nan 0 0\n'),
        ("a.vasp", "nothing\n1.0\n"),
        ("POSCAR", "x\n1.0\n1 0 0\n0 1 0\n0 0 1\nO\n2\nDirect\n0 0 0\n"),
    ],
)
def test_bad_files_say_so(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=name):
        read_crystals(path)


def test_names_of_frames(tmp_path: Path) -> None:
    crystal = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    path = tmp_path / "pool.extxyz"
    write_extxyz(path, [('best "one"\n', crystal, {"energy_ev": -1.5, "converged": True})])
    write_extxyz(path, [("second", crystal)], append=True)
    assert [name for name, _ in read_crystals(path)] == ["best 'one'", "second"]
    frame = read(path, index=0)
    assert frame.info["energy_ev"] == -1.5
    assert frame.info["converged"]
    plain = tmp_path / "plain.xyz"
    plain.write_text(
        path.read_text().replace('name="second"', "").replace("name=\"best 'one'\"", "")
    )
    assert [name for name, _ in read_crystals(plain)] == ["plain-0", "plain-1"]
    write_cif(tmp_path / "salt.cif", crystal)
    assert [name for name, _ in read_crystals(tmp_path / "salt.cif")] == ["salt"]


def test_reference_files_are_read_as_pymatgen_reads_them(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("targets/*.cif")):
        ((_, crystal),) = read_crystals(path)
        other = from_pymatgen(path)
        assert other.n_atoms == crystal.n_atoms
        assert difference(other, crystal) < 5e-3
