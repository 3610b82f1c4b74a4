"""What a hostile file, folder or name must not achieve; one row per attack.

Run folders of somebody else are in ``test_foreign.py``, names and texts in ``tests/text``, links
and CSV cells in ``tests/report/test_writing.py``.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import resource
import sys
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import (
    Unreadable,
    read_structures,
    write_cif,
    write_extxyz,
    write_poscar,
)
from nucleate.crystal.formats import archives
from nucleate.errors import InputError
from nucleate.library.container import Container
from nucleate.names import safe_name
from nucleate.networks.chgnet.checkpoint import _TorchUnpickler
from nucleate.potentials.spp import SppLibrary
from nucleate.potentials.toml_format import read_force_field
from nucleate.powder.measured import read_pattern
from nucleate.powder.radiation import Radiation
from nucleate.report.render import html_of, write_rows
from nucleate.run.settings import LARGEST_INPUT, read_toml
from nucleate.text import clean, label, table_cell

XRAYS = Radiation("CuKa", ((1.5406, 1.0),))
SALT = Crystal([11, 17], 4.0 * np.eye(3), [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
POSCAR = "x\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
PAIRS = zip("abcdefgh", "bcdefghi", strict=True)
ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{10 * f"&{a};"}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><l>&i;</l>"
)


class Evil:
    """Touches a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def evil_npz(tmp_path: Path) -> Path:
    array = np.empty(1, dtype=object)
    array[0] = Evil(tmp_path / "owned")
    np.savez(tmp_path / "evil.npz", header=array, allow_pickle=True)
    return tmp_path / "evil.npz"


def evil_library(tmp_path: Path) -> Path:
    array = np.empty(1, dtype=object)
    array[0] = Evil(tmp_path / "owned")
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "evil.nlib", "w") as archive:
        text = '{"format": "nucleate known structures", "version": 1}'
        archive.writestr("library.json", text)
        archive.writestr("a.npy", stream.getvalue())
    return tmp_path / "evil.nlib"


def evil_torch(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "evil.pth.tar", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(tmp_path / "owned")))
    return tmp_path / "evil.pth.tar"


def read_torch(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        _TorchUnpickler.read(archive)


PICKLES = {
    "npz": (evil_npz, SppLibrary.load, InputError),
    "library": (evil_library, lambda path: Container(path).array("a"), InputError),
    "torch": (evil_torch, read_torch, pickle.UnpicklingError),
}


@pytest.mark.parametrize("kind", PICKLES)
def test_no_pickle_is_executed(kind, tmp_path):
    make, read, error = PICKLES[kind]
    path = make(tmp_path)
    with suppress(error):
        read(path)  # the reader of torch's files builds nothing in place of what it does not know
    assert not (tmp_path / "owned").exists()


def bomb(kind: str, tmp_path: Path) -> Path:
    zeros = bytes(1 << 20)
    if kind == "gz":
        path = tmp_path / "bomb.cif.gz"
        with gzip.open(path, "wb", compresslevel=1) as stream:
            for _ in range(300):
                stream.write(zeros)
        return path
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("a.cif", "w") as stream:
                for _ in range(300):
                    stream.write(zeros)
            archive.writestr("POSCAR", POSCAR)
        return path
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("a.cif")
        member.size = 300 << 20
        archive.addfile(member, Zeros(member.size))
    return path


class Zeros(io.RawIOBase):
    """Zeros without end."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, n=-1):
        return bytes(n)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gz", "zip", "tar.gz"])
def test_bombs_are_refused_in_bounded_memory(kind, tmp_path):
    path = bomb(kind, tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with suppress(InputError):
        assert any(isinstance(item, Unreadable) for item in read_structures(path))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 700


HOSTILE_NAMES = [
    "../../escaped", "/tmp/nucleate-escaped", "a/../../../b", "..\\..\\x", "C:\\x", "a:b", "-rf",
    "$(touch owned)", "`touch owned`", ";touch owned", "a\nb", "\x1b]0;t\x07", "<script>", "[red]x",
    "=1+1", "CON", "x" * 5000, "\ud800", "\u202eevil", "%s%n", "{0.__class__}",
    "'; DROP TABLE x; --",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_name_is_only_a_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inside = tmp_path / "out"
    inside.mkdir()
    path = inside / f"{safe_name(name)}.cif"
    write_cif(path, SALT)
    assert path.resolve().parent == inside.resolve()
    write_extxyz(inside / "a.xyz", [(name, SALT)])
    write_poscar(inside / "POSCAR", SALT, title=name)
    for file in (inside / "a.xyz", inside / "POSCAR"):
        (item,) = read_structures(file)
        assert item.crystal.n_atoms == 2
        text = file.read_text(encoding="utf-8")
        assert "\x1b" not in text
    assert "<script>" not in html_of([name], [[name]])
    assert "\x1b" not in clean(name)
    assert "\n" not in label(name)
    write_rows(inside / "t.csv", [{"name": clean(name)}])
    assert not (inside / "t.csv").read_text(encoding="utf-8").splitlines()[1].startswith("=")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../escaped.vasp", "/abs/x.vasp", "a/../../x.vasp"])
def test_members_of_archives_are_never_written(kind, name, tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"x.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, POSCAR)
    else:
        with tarfile.open(path, "w") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(POSCAR)
            archive.addfile(member, io.BytesIO(POSCAR.encode()))
    (item,) = read_structures(path)
    assert not isinstance(item, Unreadable)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [path.name]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_archives_are_not_read(kind, tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("POSCAR")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    assert list(archives.members(path)) == []


def test_an_archive_of_too_many_members_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 10)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.vasp", POSCAR)
    with pytest.raises(InputError, match="members"):
        read_structures(tmp_path / "x.zip")


def refused_toml(tmp_path, text):
    (tmp_path / "x.toml").write_bytes(text)
    with pytest.raises(InputError):
        read_toml(tmp_path / "x.toml")
    with pytest.raises(InputError):
        read_force_field(tmp_path / "x.toml")


@pytest.mark.parametrize(
    "text",
    [
        b"a = " + 50_000 * b"[",
        b"a = " + 5_000 * b"{a=",
        b"[" + b"a." * 2_000 + b"a",
        b"a = 1" * 100_000,
        b"\xff\xfe\x00",
        b"a = " + b"9" * 5_000,
    ],
    ids=["brackets", "tables", "dots", "long", "binary", "digits"],
)
def test_hostile_toml_is_refused(tmp_path, text):
    refused_toml(tmp_path, text)


def test_huge_toml_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "x.toml").open("wb") as stream:
        stream.truncate(LARGEST_INPUT + 1)
    with pytest.raises(InputError, match="MB"):
        read_toml(tmp_path / "x.toml")


def read_one(path):
    if path.suffix.startswith(".x"):
        return read_pattern(path, XRAYS)
    (item,) = read_structures(path)
    if isinstance(item, Unreadable):
        raise item.error
    return item


@pytest.mark.parametrize("name", ["x.xml", "x.xrdml", "x.xy", "POSCAR", "x.cif"])
def test_entities_of_xml_are_not_expanded(tmp_path, name):
    path = tmp_path / name
    path.write_text(ENTITIES)
    with pytest.raises(InputError):
        read_one(path)


@pytest.mark.skipif(sys.platform == "win32", reason="devices of POSIX")
@pytest.mark.parametrize("cell", ["=cmd|'/C calc'!A0", "@SUM(1)", "+1+1", "-1+1", "\t=1", "\r=1"])
def test_cells_of_tables_are_no_formulas(cell):
    assert not table_cell(cell).lstrip("\t\r ").startswith(("=", "@", "+", "-"))
