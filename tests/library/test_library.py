from __future__ import annotations

import json
import time
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase.build import molecule
from ase.db import connect
from tests.library.conftest import KNOWN, caesium_chloride, perovskite, rocksalt

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif, write_extxyz
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.library.build import build_library, write_library
from nucleate.library.entries import Known
from nucleate.library.library import SHIPPED_PATH, Library

if TYPE_CHECKING:
    from collections.abc import Iterator


def numbers_of(formula: str) -> dict[int, int]:
    composition = Composition.from_formula(formula)
    return dict(zip(composition.elements, composition.counts.values(), strict=True))


def test_entries_come_back(small: Library) -> None:
    assert len(small) == len(KNOWN)
    for known in KNOWN:
        own = dict(zip(*np.unique(known.crystal.numbers, return_counts=True), strict=True))
        unit = int(np.gcd.reduce(list(own.values())))
        found = small.entries_of({int(z): int(n) // unit for z, n in own.items()})
        (number,) = [n for n in found if small.entry(n).name == known.name]
        entry = small.entry(number)
        assert entry.in_icsd == known.in_icsd
        assert entry.above_hull == known.above_hull
        print_ = fingerprint(small.crystal(number))
        assert fingerprint_distance(print_, fingerprint(known.crystal)) < 2e-3


def test_lowest_of_a_formula_comes_first(small: Library) -> None:
    names = [small.entry(n).name for n in small.entries_of(numbers_of("KCl"))]
    assert names == ["t-2", "t-5"]
    assert small.entries_of(numbers_of("CaO")) == []
    assert small.entries_of(numbers_of("Ca5O3")) == []
    found = small.known_structures(Composition.from_formula("KCl"))
    assert [entry.space_group for entry in found] == ["Fm-3m", "Pm-3m"]


def test_one_entry_a_formula_and_prototype(tmp_path) -> None:
    entries = [
        Known("a", rocksalt("NaCl", 5.6), 0.02),
        Known("b", rocksalt("NaCl", 5.7), 0.01),
        Known("c", rocksalt("NaCl", 5.8)),
    ]
    header = write_library(iter(entries), tmp_path / "x.nlib", {})
    library = Library.load([tmp_path / "x.nlib"])
    assert len(library) == 1
    assert library.entry(0).name == "b"
    assert header["left_out"]["repeated"] == 2


def test_equal_entries_share_energy_and_flag(tmp_path) -> None:
    energies = [
        Known("e-1", rocksalt("NaCl", 5.6), 0.05),
        Known("e-2", rocksalt("KCl", 6.3), 0.0),
        Known("e-3", rocksalt("MgO", 4.2), 0.0, False),
    ]
    flags = [
        Known("f-1", rocksalt("NaCl", 5.7), None, True),
        Known("f-2", rocksalt("KCl", 6.2), None, False),
        Known("f-3", rocksalt("MgO", 4.3), 0.01, True),
        Known("f-4", rocksalt("CaO", 4.8), None, True),
    ]
    write_library(iter(energies), tmp_path / "e.nlib", {})
    write_library(iter(flags), tmp_path / "f.nlib", {})
    write_library(iter(energies + flags), tmp_path / "both.nlib", {})
    expected = [
        ("CaO", None, True),
        ("KCl", 0.0, False),
        ("MgO", 0.0, False),  # what the lowest says itself counts
        ("NaCl", 0.05, True),
    ]
    for names in (["both"], ["e", "f"], ["f", "e"]):
        library = Library.load([tmp_path / f"{name}.nlib" for name in names])
        entries = [library.entry(n) for n in range(len(library))]
        assert sorted((e.formula, e.above_hull, e.in_icsd) for e in entries) == expected


def test_a_line_break_in_an_identifier_shifts_no_name(tmp_path) -> None:
    entries = [
        Known("a\nb", rocksalt("NaCl", 5.6)),
        Known("c", rocksalt("KCl", 6.3)),
        Known("a b", rocksalt("MgO", 4.2), file="in\nput"),
    ]
    write_library(iter(entries), tmp_path / "x.nlib", {})
    library = Library.load([tmp_path / "x.nlib"])
    names = {library.entry(n).formula: library.entry(n).name for n in range(len(library))}
    assert names == {"NaCl": "a b", "KCl": "c", "MgO": "in put/a b"}


def test_a_library_in_a_missing_folder_is_refused_before_the_work(tmp_path) -> None:
    def entries() -> Iterator[Known]:
        pytest.fail("the source was read")
        yield KNOWN[0]

    with pytest.raises(InputError, match="is not a folder"):
        write_library(entries(), tmp_path / "none" / "x.nlib", {})


def test_same_data_give_the_same_file(tmp_path) -> None:
    for name in ("a.nlib", "b.nlib"):
        write_library(iter(KNOWN), tmp_path / name, {"source": "x"})
    assert (tmp_path / "a.nlib").read_bytes() == (tmp_path / "b.nlib").read_bytes()


def test_every_source_gives_the_same_library(tmp_path) -> None:
    cifs = tmp_path / "cifs"
    cifs.mkdir()
    for known in KNOWN:
        write_cif(cifs / f"{known.name}.cif", known.crystal)
    write_extxyz(tmp_path / "all.extxyz", [(known.name, known.crystal) for known in KNOWN])
    with connect(tmp_path / "all.db") as database:
        for known in KNOWN:
            database.write(known.crystal.to_ase(), material_id=known.name)
    documents = [
        {
            "material_id": known.name,
            "energy_above_hull": known.above_hull,
            "theoretical": not known.in_icsd,
            "structure": known.crystal.to_pymatgen().as_dict(),
        }
        for known in KNOWN
    ]
    (tmp_path / "mp.json").write_text(json.dumps({"data": documents}))
    sources = [cifs, tmp_path / "all.extxyz", tmp_path / "all.db", tmp_path / "mp.json"]
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {
        "material_id": [known.name for known in KNOWN],
        "split": ["train"] * len(KNOWN),
        "lattice": [known.crystal.cell.ravel().tolist() for known in KNOWN],
        "species": [known.crystal.numbers.tolist() for known in KNOWN],
        "frac_coords": [known.crystal.scaled.ravel().tolist() for known in KNOWN],
        "e_above_hull": [known.above_hull for known in KNOWN],
    }
    parquet.write_table(pyarrow.table(table), tmp_path / "all.parquet")
    sources.append(tmp_path / "all.parquet")
    for source in sources:
        out = tmp_path / f"{source.stem}-{source.suffix.strip('.')}.nlib"
        assert build_library([source], out)["entries"] == len(KNOWN), source
        library = Library.load([out])
        assert [library.entry(n).proto.label for n in range(len(library))] == _labels(library)
        assert sorted(library.entry(n).name for n in range(len(library))) == sorted(
            known.name for known in KNOWN
        )
    assert Library.load([tmp_path / "mp-json.nlib"]).entry(0).in_icsd is not None
    with pytest.raises(InputError, match="no entry"):
        build_library([tmp_path / "all.parquet"], tmp_path / "none.nlib", splits=["val"])


def _labels(library: Library) -> list[str]:
    counts = np.diff(library._arrays.starts)
    return [label for label, n in zip(library.labels, counts, strict=True) for _ in range(n)]


def test_two_libraries_are_one(library_path, tmp_path) -> None:
    other = [
        Known("u-1", rocksalt("NaCl", 5.5), -0.01),
        Known("u-2", perovskite("Ca", "Ti", "O", 3.84), 0.0),
    ]
    write_library(iter(other), tmp_path / "own.nlib", {})
    both = Library.load([library_path, tmp_path / "own.nlib"])
    assert len(both) == len(KNOWN) + 1
    assert [both.entry(n).name for n in both.entries_of(numbers_of("NaCl"))] == ["u-1"]
    assert [both.entry(n).name for n in both.entries_of(numbers_of("CaTiO3"))] == ["u-2"]
    alone = Library.load([library_path])
    for formula in ("SrTiO3", "TiO2", "MgO"):
        (one,), (two,) = (lib.entries_of(numbers_of(formula)) for lib in (alone, both))
        first, second = alone.crystal(one), both.crystal(two)
        assert fingerprint_distance(fingerprint(first), fingerprint(second)) < 1e-6
    assert both.similarity.shape == (104, 104)


def test_an_identifier_of_two_libraries_stands_for_one_structure(tmp_path) -> None:
    first = [Known("salt", rocksalt("NaCl", 5.6)), Known("x", rocksalt("KCl", 6.3))]
    second = [Known("salt", rocksalt("LiF", 4.0)), Known("x", rocksalt("KCl", 6.2)),
              Known("y", rocksalt("MgO", 4.2))]  # fmt: skip
    third = [Known("salt", caesium_chloride("CsCl", 4.12)), Known("y", rocksalt("CaO", 4.8))]
    paths = [tmp_path / "a.nlib", tmp_path / "b.nlib", tmp_path / "c" / "b.nlib"]
    paths[2].parent.mkdir()
    for entries, path in zip((first, second, third), paths, strict=True):
        write_library(iter(entries), path, {})
    library = Library.load(paths)
    names = {library.entry(n).formula: library.entry(n).name for n in range(len(library))}
    assert names == {
        "NaCl": "salt", "LiF": "b/salt", "CsCl": "b/salt-2", "KCl": "x", "MgO": "y", "CaO": "b/y",
    }  # fmt: skip
    assert library.remark == (
        "3 identifiers stand for different structures in several libraries, salt the first: that "
        "of a keeps it, that of b is called b/salt."
    )
    assert Library.load(paths[:1]).remark == Library.load([paths[0], paths[0]]).remark == ""
    turned = Library.load([paths[1], paths[0]])
    assert [turned.entry(n).name for n in turned.entries_of(numbers_of("LiF"))] == ["salt"]
    assert turned.remark.startswith("1 identifier stands")


def test_an_identifier_that_only_equals_share_is_kept(tmp_path) -> None:
    entries = [
        Known("salt", rocksalt("NaCl", 5.6), 0.1, file="one"),
        Known("salt", rocksalt("NaCl", 5.7), 0.0, file="two"),
    ]
    header = write_library(iter(entries), tmp_path / "x.nlib", {})
    assert Library.load([tmp_path / "x.nlib"]).entry(0).name == "salt"
    assert "renamed" not in header


def test_broken_files_are_refused_in_a_sentence(library_path, tmp_path) -> None:
    content = library_path.read_bytes()
    cut = tmp_path / "cut.nlib"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cut short"):
        Library.load([cut])
    with pytest.raises(InputError, match="does not exist"):
        Library.load([tmp_path / "none.nlib"])
    foreign = tmp_path / "foreign.nlib"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("library.json", "{}")
    with pytest.raises(InputError, match="not a library"):
        Library.load([foreign])
    newer = tmp_path / "newer.nlib"
    with zipfile.ZipFile(library_path) as old, zipfile.ZipFile(newer, "w") as archive:
        for name in old.namelist():
            data = old.read(name)
            if name == "library.json":
                data = json.dumps({**json.loads(data), "version": 99}).encode()
            archive.writestr(name, data)
    with pytest.raises(InputError, match="version 99"):
        Library.load([newer])
    damaged = tmp_path / "damaged.nlib"
    with zipfile.ZipFile(library_path) as old, zipfile.ZipFile(damaged, "w") as archive:
        for name in old.namelist():
            if name != "points.npy":
                archive.writestr(name, old.read(name))
    with pytest.raises(InputError, match="damaged"):
        Library.load([damaged]).crystal(0)


def test_broken_entries_are_refused_in_a_sentence(tmp_path) -> None:
    flat = Crystal(np.array([11, 17]), np.diag([3.0, 3.0, 0.0]), np.zeros((2, 3)))
    out = tmp_path / "x.nlib"
    with pytest.raises(InputError, match="bad: its cell has no volume"):
        write_library(iter([Known("bad", flat)]), out, {})
    with pytest.raises(InputError, match="no entry"):
        write_library(iter([]), out, {})
    with pytest.raises(InputError, match=r"ends in \.nlib"):
        write_library(iter(KNOWN), tmp_path / "x.zip", {})
    with pytest.raises(InputError, match="does not exist"):
        build_library([tmp_path / "none.parquet"], out)
    (tmp_path / "x.foo").write_text("")
    with pytest.raises(InputError, match="cannot be determined"):
        build_library([tmp_path / "x.foo"], out)
    (tmp_path / "bad.json").write_text('[{"material_id": "a"}]')
    with pytest.raises(InputError, match="no structure"):
        build_library([tmp_path / "bad.json"], out)
    assert not out.exists()


def test_unusable_structures_are_counted(tmp_path) -> None:
    empty = Known("vacuum", rocksalt("NaCl", 13.0))
    close = Known("close", rocksalt("NaCl", 1.2))
    header = write_library(iter([*KNOWN, empty, close]), tmp_path / "x.nlib", {})
    assert header["entries"] == len(KNOWN)
    assert header["left_out"]["empty_space"] == header["left_out"]["overlapping"] == 1


SHARED_SITE = """data_mixed
_cell_length_a 4.2
_cell_length_b 4.2
_cell_length_c 4.2
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Mg1 Mg 0 0 0 0.5
Fe1 Fe 0 0 0 0.5
O1 O 0.5 0.5 0.5 1.0
"""


def test_entries_that_cannot_be_used_cost_only_themselves(tmp_path) -> None:
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "more" / "two"]
    for folder, formula in zip(folders, ("NaCl", "KCl", "LiF"), strict=True):
        folder.mkdir(parents=True)
        write_cif(folder / "salt.cif", rocksalt(formula, 5.6))
    (folders[0] / "mixed.cif").write_text(SHARED_SITE)
    (folders[0] / "junk.cif").write_bytes(b"\x00junk\xff")
    partly = rocksalt("MgO", 4.2).to_pymatgen().as_dict()
    partly["sites"][0]["species"][0]["occu"] = 0.5
    whole = {"material_id": "mp-2", "structure": rocksalt("NiO", 4.2).to_pymatgen().as_dict()}
    documents = [{"material_id": "mp-1", "structure": partly}, whole, 7]
    (tmp_path / "mp.json").write_text(json.dumps(documents))
    with connect(tmp_path / "ase.db") as database:
        database.write(rocksalt("KF", 5.3).to_ase(), material_id="salt")
        database.write(rocksalt("RbF", 5.6).to_ase(), material_id="salt")
        database.write(Crystal(np.array([8]), np.eye(3) * 9, np.zeros((1, 3))).to_ase(), name="x")
        database.write(molecule("O2"), material_id="gas")
    header = build_library(
        [*folders, tmp_path / "mp.json", tmp_path / "ase.db"], tmp_path / "x.nlib"
    )
    assert header["entries"] == 6
    assert header["left_out"]["unreadable"] == 5
    assert (header["renamed"], header["first_renamed"]) == (4, "two/salt")
    assert header["left_out"]["empty_space"] == 1
    told = " ".join(header["first_left_out"])
    assert str(tmp_path) not in told
    for words in ("mixed.cif", "junk.cif", "mp-1: ", "partly occupied", "document 2", "gas: "):
        assert words in told
    library = Library.load([tmp_path / "x.nlib"])
    names = {library.entry(number).name for number in range(len(library))}
    assert names == {"salt", "two/salt", "two/salt-2", "mp-2", "ase/salt", "ase/salt-2"}


def test_values_of_a_comment_line_are_those_of_an_entry(tmp_path) -> None:
    path = tmp_path / "two.extxyz"
    values = [
        {"e_above_hull": 0.0, "material_id": "my-1", "in_icsd": True},
        {"energy_above_hull": 0.02, "material_id": "my-2", "theoretical": True},
        {"material_id": "my-3", "theoretical": "False"},
        {"e_above_hull": "unknown", "material_id": "my-4"},
    ]
    salts = [rocksalt(formula, 5.6) for formula in ("NaCl", "KCl", "LiF", "NaF")]
    write_extxyz(path, [("x", salt, info) for salt, info in zip(salts, values, strict=True)])
    with connect(tmp_path / "ase.db") as database:
        database.write(rocksalt("KF", 5.3).to_ase(), material_id="my-5", theoretical=False)
    header = build_library([path, tmp_path / "ase.db"], tmp_path / "x.nlib")
    assert (header["with_energy"], header["with_icsd_flag"]) == (2, 4)
    assert "my-4" in header["first_left_out"][0]
    library = Library.load([tmp_path / "x.nlib"])
    found = {e.name: (e.above_hull, e.in_icsd) for e in map(library.entry, range(len(library)))}
    assert found == {
        "my-1": (0.0, True), "my-2": (0.02, False), "my-3": (None, True), "my-5": (None, True),
    }  # fmt: skip


@pytest.mark.skipif(not SHIPPED_PATH.exists(), reason="no shipped library")
def test_shipped_library_is_small_and_opens_at_once() -> None:
    assert SHIPPED_PATH.stat().st_size < 10_000_000
    begin = time.process_time()
    library = Library.load()
    assert library.group((1, 1)) is not None
    assert time.process_time() - begin < 0.3
    header = library.headers[0]
    assert header["licence"] == "CC-BY-4.0"
    assert "Jain" in header["citation"]
    assert len(library) == header["entries"] > 90_000


@pytest.mark.skipif(not SHIPPED_PATH.exists(), reason="no shipped library")
def test_shipped_library_suggests_what_is_known_of_relatives() -> None:
    library = Library.load()
    composition = Composition.from_formula("YWB4")
    space = SearchSpace.create(composition)
    best = library.candidates(composition, space, known="no-formula", most=5)[0]
    assert best.detail["prototype"] == "ABC4_oP24_55_g_g_4h"
    assert space.rejection(best.crystal) is None
