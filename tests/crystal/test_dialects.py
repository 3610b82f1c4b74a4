"""Every dialect that databases and programs write: elements, symmetry, archives, several in one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import gemmi
import numpy as np
import pytest
from ase.build import bulk
from ase.io import write as write_ase
from pymatgen.io.cif import CifWriter

from nucleate.crystal.cif import format_cif, read_cif, sites_with_occupancies
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import (
    ReadStructure,
    Unreadable,
    read_crystals,
    read_structures,
    write_extxyz,
    write_poscar,
)
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.formats.cif_reader import read_cif_text
from nucleate.errors import InputError

SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
CELL = """data_test
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha {alpha}
_cell_angle_beta {beta}
_cell_angle_gamma {gamma}
"""
TYPED = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
LABELLED = ("label", "fract_x", "fract_y", "fract_z")


def cell(a=4.2, b=None, c=None, alpha=90, beta=90, gamma=90) -> str:
    return CELL.format(a=a, b=b or a, c=c or a, alpha=alpha, beta=beta, gamma=gamma)


def sites(*rows: str, tags: tuple[str, ...] = LABELLED) -> str:
    return "loop_\n" + "".join(f"_atom_site_{tag}\n" for tag in tags) + "\n".join(rows) + "\n"


def single(text: str) -> ReadStructure:
    (item,) = read_cif_text(text)
    assert isinstance(item, ReadStructure), item.error
    return item


def problem(text: str) -> str:
    (item,) = read_cif_text(text)
    assert isinstance(item, Unreadable), item.crystal.formula
    return str(item.error)


def difference(first: Crystal, second: Crystal) -> float:
    return fingerprint_distance(fingerprint(first), fingerprint(second))


# Elements


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


# What the file says of itself


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
    ((name, found, symmetry),) = sites_with_occupancies(text)
    assert name == "test"
    assert [(site.symbol, site.occupancy) for site in found] == [
        ("Na", 0.5),
        ("K", 0.5),
        ("Cl", 1.0),
    ]
    assert symmetry.order == 1
    empty = single(text.replace("0 0.5\nK1", "0 0\nK1").replace("K 0 0 0 0.5", "K 0 0 0 1"))
    assert empty.crystal.numbers.tolist() == [19, 17]
    assert "occupancy 0" in empty.notes[0]


# Symmetry


def asymmetric(entry: gemmi.SpaceGroup) -> str:
    """Return cell and one general atom that every operation of a setting allows."""
    system = entry.crystal_system_str()
    if entry.ext == "R":
        return cell(31.0, alpha=75, beta=75, gamma=75)
    if system in ("trigonal", "hexagonal"):
        return cell(31.0, c=37.0, gamma=120)
    if system == "cubic":
        return cell(41.0)
    if system == "tetragonal":
        return cell(31.0, c=37.0)
    if system == "orthorhombic":
        return cell(31.0, 37.0, 43.0)
    if system == "monoclinic":
        axis = "abc".index(entry.qualifier.strip("-")[0]) if entry.qualifier else 1
        angles = {("alpha", "beta", "gamma")[axis]: 100}
        return cell(31.0, 37.0, 43.0, **angles)
    return cell(31.0, 37.0, 43.0, 81, 95, 103)


def test_every_setting_is_read_by_its_hall_symbol_and_name() -> None:
    """Against gemmi's own expansion: all 530 settings by Hall symbol, extended name, short name."""
    row = sites("O1 0.137 0.231 0.389")
    for place, entry in enumerate(gemmi.spacegroup_table_itb()):
        head = asymmetric(entry)
        point = np.array([0.137, 0.231, 0.389])
        expected = np.array([op.apply_to_xyz(point.tolist()) for op in entry.operations()]) % 1.0
        shown = entry.xhm() if place % 2 else entry.xhm().replace(" ", "")
        for line in (
            f"_symmetry_space_group_name_Hall '{entry.hall}'",
            f"_space_group_name_H-M_alt '{shown}'",
        ):
            got = single(f"{head}{line}\n{row}").crystal.scaled % 1.0
            assert len(got) == len(expected), (entry.xhm(), line)
            gaps = got[:, None] - expected[None]
            gaps -= np.rint(gaps)
            assert np.abs(gaps).max(axis=2).min(axis=1).max() < 1e-6, (entry.xhm(), line)


@pytest.mark.parametrize(
    ("name", "hall"),
    [("R -3 m H", '-R 3 2"'), ("R-3mH", '-R 3 2"'), ("R 3 c :H", 'R 3 -2"c'), ("P 21/n", "-P 2yn"),
     ("P 21/a", "-P 2yab"), ("I 2/a", "-I 2ya"), ("P2(1)/c", "-P 2ybc"), ("P 2_1/c", "-P 2ybc"),
     ("F d -3 m Z", "-F 4vw 2vw 3"), ("F d -3 m S", "F 4d 2 3 -1d"), ("Fd-3m:2", "-F 4vw 2vw 3"),
     ("F d -3 m (origin choice 2)", "-F 4vw 2vw 3"), ("P 4/n m m :2", "-P 4a 2a"),
     ("F m 3 m", "-F 4 2 3"),
     ("P n m a", "-P 2ac 2n"), ("PNMA", "-P 2ac 2n"), ("P b n m", "-P 2c 2ab"),
     ("C m c e", "-C 2bc 2"),
     ("P 63/m m c", "-P 6c 2c"), ("P6_3/mmc", "-P 6c 2c")],
)  # fmt: skip
def test_names_as_databases_spell_them(name: str, hall: str) -> None:
    expected = gemmi.symops_from_hall(hall)
    found = gemmi.find_spacegroup_by_ops(expected)
    assert found is not None
    text = f"{asymmetric(found)}_symmetry_space_group_name_H-M '{name}'\n" + sites(
        "O1 .137 .231 .389"
    )
    again = single(text).crystal
    by_hall = single(text.replace("_H-M", "_Hall").replace(name, hall)).crystal
    assert again.n_atoms == len(list(expected))
    np.testing.assert_allclose(
        np.sort(again.scaled % 1, 0), np.sort(by_hall.scaled % 1, 0), atol=1e-9
    )


@pytest.mark.parametrize("number", [48, 50, 59, 68, 70, 85, 88, 125, 129, 141, 201, 222, 227])
def test_two_origins_are_refused_in_every_setting_unless_a_code_tells(
    number: int,
) -> None:
    entries = [entry for entry in gemmi.spacegroup_table_itb() if entry.number == number]
    assert {entry.ext for entry in entries} == {"1", "2"}
    for entry in entries:
        head = asymmetric(entry)
        row = sites("O1 0.137 0.231 0.389")
        assert "two origins" in problem(f"{head}_symmetry_space_group_name_H-M '{entry.hm}'\n{row}")
        code = f"_space_group.IT_coordinate_system_code {entry.ext}\n"
        named = f"{head}_space_group_name_H-M_alt '{entry.hm}'\n"
        assert single(named + code + row).crystal.n_atoms == len(list(entry.operations()))
    assert "two origins" in problem(
        f"{asymmetric(entries[0])}_space_group_IT_number {number}\n{row}"
    )


def test_content_settles_the_origin() -> None:
    head = cell(5.43) + "_space_group_name_H-M_alt 'F d -3 m'\n_space_group_IT_number 227\n"
    text = head + "_chemical_formula_sum Si\n_cell_formula_units_Z 8\n" + sites("Si1 0 0 0")
    structure = single(text)
    assert structure.crystal.n_atoms == 8
    assert "F d -3 m:1" in structure.notes[0]
    assert "two origins" in problem(text.replace("Z 8", "Z 9"))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("_space_group_name_Hall '-F 4 2 3'\n_space_group_IT_number 221\n", "225"),
        ("_space_group_name_H-M_alt 'F m -3 m'\n_space_group_IT_number 221\n", "225"),
        ("_space_group_name_Hall 'Q 7'\n", "Hall symbol"),
        ("_space_group_name_H-M_alt 'P 6/m m m'\n", "does not fit the cell"),
        ("_space_group_IT_number 231\n", "231"),
        ("_symmetry_equiv_pos_as_xyz 'x,y'\n", "three parts"),
        ("_symmetry_equiv_pos_as_xyz 'x+1/0,y,z'\n", "cannot be read"),
        ("_symmetry_equiv_pos_as_xyz 'x+0.5/2,y,z'\n", "cannot be read"),
        ("_symmetry_equiv_pos_as_xyz 'x,x,z'\n", "cannot be read"),
        ("_symmetry_equiv_pos_as_xyz 'x+y2,y,z'\n", "cannot be read"),
        ("_cell_modulation_dimension 1\n", "modulated"),
        ("_space_group_ssg_name 'Pnma(00g)0s0'\n", "modulated"),
        ("_space_group_magn.name_BNS 'P_a 2/m'\n", "magnetic"),
    ],
)
def test_symmetry_that_cannot_be_used(lines: str, told: str) -> None:
    assert told in problem(cell(5.64) + lines + sites("Na1 0 0 0", "Cl1 0.5 0.5 0.5"))


def test_a_magnetic_name_gives_its_chemical_group() -> None:
    text = cell(7.13, c=4.05) + "_space_group.magn_name_BNS \"P 4/m' b' m' \"\n"
    structure = single(text + sites("Gd1 0.31746 0.81746 0", "B1 0 0 0.2029"))
    assert structure.crystal.formula == "B4Gd4"
    assert "magnetic" in structure.notes[0]


# Several in one file, archives, encodings


def test_one_bad_structure_costs_only_itself(tmp_path: Path) -> None:
    good = format_cif(SALT)
    bad = cell() + sites("Wat1 0 0 0")
    broken = "data_broken\n_cell_length_a 'never ends\n;\n"
    (tmp_path / "a.cif").write_text(good + bad + broken + good.replace("data_", "data_two_"))
    poscar = tmp_path / "POSCAR_good"
    write_poscar(poscar, SALT)
    text = poscar.read_text()
    (tmp_path / "POSCAR").write_text(text + text.replace("1 1", "1 7") + "\n\n" + text)
    write_extxyz(tmp_path / "a.xyz", [("one", SALT), ("two", SALT), ("three", SALT)])
    lines = (tmp_path / "a.xyz").read_text().split("\n")
    lines[4] = "3"
    (tmp_path / "a.xyz").write_text("\n".join(lines))
    expected = {
        "a.cif": [True, False, False, True],
        "POSCAR": [True, False, True],
        "a.xyz": [True, False, True],
    }
    for name, states in expected.items():
        items = read_structures(tmp_path / name)
        assert [isinstance(item, ReadStructure) for item in items] == states, name
        with pytest.raises(InputError, match=name):
            read_crystals(tmp_path / name)
        for item in items:
            if isinstance(item, ReadStructure):
                assert difference(item.crystal, SALT) < 1e-4
    folder = read_structures(tmp_path)
    assert sum(isinstance(item, ReadStructure) for item in folder) == 7
    assert sum(isinstance(item, Unreadable) for item in folder) == 4


def test_a_folder_means_all_its_structure_files(tmp_path: Path) -> None:
    names = [
        "POSCAR",
        "POSCAR_2",
        "CONTCAR",
        "a.vasp",
        "b.cif",
        "c.extxyz",
        "d.xyz",
        "e.cif.gz",
        "f.POSCAR",
    ]
    for name in names:
        if name.startswith(("b", "e")):
            text = format_cif(SALT).encode()
            (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
        elif name.endswith("xyz"):
            write_extxyz(tmp_path / name, [("x", SALT)])
        else:
            write_poscar(tmp_path / name, SALT)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "INCAR").write_text("x")
    (tmp_path / "res.res").write_text(
        "TITL x\nCELL 1 5.64 5.64 5.64 90 90 90\nLATT -4\nSFAC Na Cl\n"
        "Na 1 0 0 0 1\nCl 2 .5 .5 .5 1\nEND\n"
    )
    items = read_structures(tmp_path)
    assert len(items) == len(names) + 1
    for item in items:
        assert isinstance(item, ReadStructure), item
        assert difference(item.crystal, SALT) < 1e-3
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no structure files"):
        read_structures(empty)


def test_compressed_files_and_archives(tmp_path: Path) -> None:
    text = format_cif(SALT).encode()
    for ending, pack in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        path = tmp_path / f"salt.cif{ending}"
        path.write_bytes(pack(text))
        ((name, crystal),) = read_crystals(path)
        assert name == "salt"
        assert difference(crystal, SALT) < 1e-4
        path.write_bytes(pack(text)[:-20])
        with pytest.raises(InputError, match="damaged"):
            read_crystals(path)
        path.write_bytes(text)
        with pytest.raises(InputError, match="not compressed as its ending"):
            read_crystals(path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/POSCAR", "nothing")
        archive.writestr("folder/salt.cif", text)
        archive.writestr("readme.txt", "x")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name, data in (("x/POSCAR", b"nothing"), ("x/salt.cif.gz", gzip.compress(text))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    for name in ("a.zip", "a.tar.gz"):
        items = read_structures(tmp_path / name)
        assert [isinstance(item, Unreadable) for item in items] == [True, False]
        assert "POSCAR" in str(items[0].error)  # type: ignore[union-attr]
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
        with pytest.raises(InputError, match="archive cannot be read"):
            read_structures(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_structures(tmp_path / "missing.zip")
    (tmp_path / "e.zip").write_bytes(b"PK\x05\x06" + b"\0" * 18)
    with pytest.raises(InputError, match="no structure files"):
        read_structures(tmp_path / "e.zip")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, end: str, tmp_path: Path) -> None:
    text = format_cif(SALT).replace("data_", "# Müller & Söhne, 5 Å\ndata_")
    (tmp_path / "a.cif").write_bytes(text.replace("\n", end).encode(encoding))
    write_poscar(tmp_path / "POSCAR", SALT, title="Müller")
    poscar = (tmp_path / "POSCAR").read_text()
    (tmp_path / "POSCAR").write_bytes(poscar.replace("\n", end).encode(encoding))
    write_extxyz(tmp_path / "a.xyz", [("Müller", SALT)])
    xyz = (tmp_path / "a.xyz").read_text()
    (tmp_path / "a.xyz").write_bytes(xyz.replace("\n", end).encode(encoding))
    items = read_structures(tmp_path)
    assert len(items) == 3
    for item in items:
        assert isinstance(item, ReadStructure), item
        assert difference(item.crystal, SALT) < 1e-4


def test_file_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/salt-\xff[red].cif"))
    try:
        path.write_text("data_x\n")
    except OSError:
        pytest.skip("the file system takes no such names")
    with pytest.raises(InputError) as raised:
        read_crystals(path)
    str(raised.value).encode("utf-8")
    path.write_text(format_cif(SALT))
    ((name, _),) = read_crystals(path)
    name.encode("utf-8")
    assert "[red]" in name


def test_binary_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.cif", "POSCAR", "a.xyz"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 4)
        with pytest.raises(InputError, match="NUL byte"):
            read_crystals(tmp_path / name)


# POSCAR and extxyz


def poscar(text: str, tmp_path: Path) -> ReadStructure | Unreadable:
    (tmp_path / "POSCAR").write_text(text)
    (item,) = read_structures(tmp_path / "POSCAR")
    return item


VASP4 = "{title}\n{scale}\n4.2 0 0\n0 4.2 0\n0 0 4.2\n1 1\nDirect\n0 0 0{mg}\n0.5 0.5 0.5{o}\n"


@pytest.mark.parametrize("title", ["Mg O", "MgO", "Mg1 O1", "Mg4O4", "MgO cell", "Mg O cell"])
def test_vasp4_takes_its_elements_from_the_title(title: str, tmp_path: Path) -> None:
    item = poscar(VASP4.format(title=title, scale=1.0, mg="", o=""), tmp_path)
    assert isinstance(item, ReadStructure), item.error
    assert item.crystal.numbers.tolist() == [12, 8]


def test_poscar_dialects(tmp_path: Path) -> None:
    item = poscar(VASP4.format(title="x", scale=1.0, mg=" Mg", o=" O"), tmp_path)
    assert isinstance(item, ReadStructure)
    assert item.crystal.numbers.tolist() == [12, 8]
    for title, mg, told in (("x", "", "no element symbols"), ("Mg O", " Ca", "labelled Ca")):
        item = poscar(VASP4.format(title=title, scale=1.0, mg=mg, o=""), tmp_path)
        assert isinstance(item, Unreadable)
        assert told in str(item.error)
    item = poscar(VASP4.format(title="Mg O", scale=-80.0, mg="", o=""), tmp_path)
    assert isinstance(item, ReadStructure)
    np.testing.assert_allclose(item.crystal.volume, 80.0)
    item = poscar(VASP4.format(title="Mg O", scale="1 1 2", mg="", o=""), tmp_path)
    assert isinstance(item, ReadStructure)
    np.testing.assert_allclose(item.crystal.lengths, [4.2, 4.2, 8.4])
    five = VASP4.replace("1 1\n", "Mg_pv O_s\n1 1\n")
    item = poscar(five.format(title="Na Cl", scale=1.0, mg="", o=""), tmp_path)
    assert isinstance(item, ReadStructure)
    assert item.crystal.numbers.tolist() == [12, 8]
    assert "the title says Na Cl" in item.notes[0]
    velocities = five.format(title="x", scale=1.0, mg="", o="") + "\n 0.1 0 0\n 0 0.1 0\n"
    assert isinstance(poscar(velocities, tmp_path), ReadStructure)
    assert isinstance(poscar(velocities + " 0 0 0.1\n", tmp_path), Unreadable)
    for scale in ("0", "nan", "x", "1 1", "-1 1 1"):
        assert isinstance(
            poscar(five.format(title="x", scale=scale, mg="", o=""), tmp_path), Unreadable
        )
    assert "Direct" in str(
        poscar(five.replace("Direct\n", "").format(title="x", scale=1, mg="", o=""), tmp_path)
    )


def test_extxyz_dialects(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text(
        '2\nLattice="4.2 0 0 0 4.2 0 0 0 4.2" Properties=species:S:1:pos:R:3:forces:R:3 '
        'stress="1 2 3 4 5 6" free_energy=-3.5 config_type=bulk pbc=[True, True, True] flag\n'
        "Mg 0 0 0 0 0 0\nO 2.1 2.1 2.1 0 0 0\n"
    )
    (item,) = read_structures(path)
    assert isinstance(item, ReadStructure), item.error
    assert item.info["free_energy"] == -3.5
    assert item.info["flag"] is True
    np.testing.assert_array_equal(item.info["stress"], [1, 2, 3, 4, 5, 6])
    frames = [SALT.to_ase(), SALT.to_ase()]
    write_ase(path, frames, format="extxyz")
    assert len(read_crystals(path)) == 2
    for head, told in (
        ("Properties=species:S:1:pos:R:2:x:R:1", "2 numbers"),
        ("Properties=pos:R:3", "columns"),
        ("Properties=x", "cannot be read"),
        ("Properties=species:S:1:pos:R:3:move_mask:R:1", "5"),
        ('pbc="T T F"', "not periodic"),
    ):
        path.write_text(f'1\nLattice="4 0 0 0 4 0 0 0 4" {head}\nMg 0 0 0\n')
        with pytest.raises(InputError, match=told):
            read_crystals(path)


def test_read_cif_raises_for_the_first_bad_block() -> None:
    with pytest.raises(InputError, match="data block 'test'"):
        read_cif(format_cif(SALT) + cell() + sites("Wat1 0 0 0"))
