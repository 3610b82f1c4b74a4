"""Large extxyz files are read piece by piece, with the same result."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from nucleate.crystal import files
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import iter_structures, read_structures
from nucleate.run.relaxation import Files


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
