"""Large extxyz files are read piece by piece, with the same result."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from nucleate.crystal import files
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import iter_structures, read_structures
from nucleate.crystal.formats import archives, cif_blocks
from nucleate.errors import InputError
from nucleate.run.listed_files import Files


@pytest.fixture
def mixed(tmp_path):
    """Good frames between broken ones."""
    path = tmp_path / "many.extxyz"
    for number in range(12):
        atoms: Atoms = bulk("Cu", "fcc", 3.6 + 0.01 * number, cubic=number % 2 == 0)
        write(path, atoms, append=True)
        if number % 5 == 1:
            with path.open("a") as stream:
                stream.write("3\nno lattice\nCu 0 0 0\n\n")
    return path


def facts(items):
    return [
        (item.name, str(getattr(item, "error", "")), getattr(item, "crystal", None))
        for item in items
    ]


@pytest.mark.parametrize("piece", [1, 40, 150, 1000, 10**6])
def test_pieces_change_nothing(mixed, monkeypatch, piece):
    whole = facts(read_structures(mixed))
    assert len(whole) == 15
    monkeypatch.setattr(files, "STREAMED", 0)
    monkeypatch.setattr(files, "_PIECE", piece)
    assert facts(iter_structures(mixed)) == whole


def test_files_are_opened_when_it_is_their_turn(mixed, tmp_path):
    items = Files([mixed, tmp_path / "absent.cif"])
    for _ in range(2):
        stream = iter(items)
        assert [next(stream).name for _ in range(2)] == ["many-0", "many-1"]


def test_what_is_written_lies_in_the_cell(tmp_path):
    scaled = [[-0.25, 1.75, -1e-17], [0.5, 1.0 - 1e-16, 2.0]]
    crystal = Crystal([11, 17], 4.0 * np.eye(3), scaled)
    files.write_cif(tmp_path / "a.cif", crystal)
    files.write_poscar(tmp_path / "POSCAR", crystal)
    rows = [line.split()[3:6] for line in (tmp_path / "a.cif").read_text().splitlines()[-2:]]
    rows += [line.split() for line in (tmp_path / "POSCAR").read_text().splitlines()[-2:]]
    assert all(0.0 <= float(value) < 1.0 for row in rows for value in row)
    for name in ("a.cif", "POSCAR"):
        ((_, read),) = files.read_crystals(tmp_path / name)
        gap = read.scaled - crystal.scaled
        assert np.abs(gap - np.rint(gap)).max() < 1e-14


@pytest.mark.parametrize("opener", [gzip.open, bz2.open, lzma.open])
@pytest.mark.parametrize("piece", [40, 10**6])
def test_a_large_compressed_file_is_read_in_pieces(mixed, tmp_path, monkeypatch, opener, piece):
    ending = {gzip.open: "gz", bz2.open: "bz2", lzma.open: "xz"}[opener]
    packed = tmp_path / f"many.extxyz.{ending}"
    with opener(packed, "wb") as stream:
        stream.write(mixed.read_bytes())
    whole = [(name, crystal) for name, _, crystal in facts(read_structures(packed))]
    monkeypatch.setattr(files, "COMPRESSED_BYTES", 0)
    monkeypatch.setattr(files, "_PIECE", piece)
    with monkeypatch.context() as patch:
        patch.setattr(files, "read_bytes", None)  # which would read it as a whole
        found = [(name, crystal) for name, _, crystal in facts(iter_structures(packed))]
    assert found == whole
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(InputError, match="is damaged"):
        list(iter_structures(packed))


def test_what_is_too_large_is_refused_in_words(tmp_path, monkeypatch):
    (tmp_path / "POSCAR").write_text("x" * 1001)
    with monkeypatch.context() as patch:
        patch.setattr(archives, "LARGEST_TEXT", 1000)
        with pytest.raises(InputError, match="larger than"):
            read_structures(tmp_path / "POSCAR")
    monkeypatch.setattr(cif_blocks, "LARGEST_BLOCK", 400)
    sites = "".join(f"Na{k} {k / 100} 0 0\n" for k in range(30))
    text = CIF + sites + "data_b" + CIF.removeprefix("data_a") + "Na1 0 0 0\n_note\n;\n"
    (tmp_path / "two.cif").write_text(text + "words\n" * 60 + ";\n")
    large, small = read_structures(tmp_path / "two.cif")
    assert "larger than" in str(large.error)
    assert small.crystal.n_atoms == 1  # text fields do not count


CIF = "data_a\n" + "".join(
    f"_cell_{name} {value}\n"
    for names, value in ((("length_a", "length_b", "length_c"), 5.0),
                         (("angle_alpha", "angle_beta", "angle_gamma"), 90))
    for name in names
)  # fmt: skip
CIF += "loop_\n_atom_site_label\n" + "".join(f"_atom_site_fract_{x}\n" for x in "xyz")


def test_a_flat_cell_with_cartesian_coordinates_is_refused_in_words(tmp_path):
    text = "x\n1.0\n4.2 0 0\n0 4.2 0\n0 0 0\nMg O\n1 1\nCartesian\n0 0 0\n2.1 2.1 2.1\n"
    (tmp_path / "POSCAR").write_text(text)
    (item,) = read_structures(tmp_path / "POSCAR")
    assert "cannot be read" not in str(item.error)
    assert "cell" in str(item.error)
