"""Several structures in one file, folders, archives, encodings; POSCAR and extxyz."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase.io import write as write_ase
from tests.crystal.dialects import SALT, cell, difference, sites

from nucleate.crystal.cif import format_cif, read_cif
from nucleate.crystal.files import (
    ReadStructure,
    Unreadable,
    read_crystals,
    read_structures,
    write_extxyz,
    write_poscar,
)
from nucleate.errors import InputError


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
