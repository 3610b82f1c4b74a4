"""Loaders: good rows come back, bad rows are counted by reason."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.db import connect

from nucleate.crystal.cif import format_cif
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.fitting.datasets import load_dataset
from nucleate.fitting.datasets.splits import leaking_rows, reduced_formula, split_by_formula


def salt(anion: int = 17, length: float = 5.6) -> Crystal:
    cell = length / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return Crystal(np.array([11, anion]), cell, np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))


SALTS = [salt(anion) for anion in (9, 17, 35, 53)]


def as_pymatgen(crystal: Crystal) -> dict:
    symbols = {11: "Na", 9: "F", 17: "Cl", 35: "Br", 53: "I"}
    return {
        "lattice": {"matrix": crystal.cell.tolist()},
        "sites": [
            {"species": [{"element": symbols[int(z)], "occu": 1}], "abc": x.tolist()}
            for z, x in zip(crystal.numbers, crystal.scaled, strict=True)
        ],
    }


def test_matbench_file(tmp_path: Path) -> None:
    disordered = as_pymatgen(SALTS[0])
    disordered["sites"][0]["species"][0]["occu"] = 0.5
    data = {
        "index": ["a", "b", "c", "d"],
        "columns": ["structure", "e_form"],
        "data": [
            [as_pymatgen(SALTS[0]), -2.9],
            [as_pymatgen(SALTS[1]), None],
            [disordered, 0.0],
            [{}, 1],
        ],
    }
    path = tmp_path / "matbench_mp_e_form.json.gz"
    with gzip.open(path, "wt") as stream:
        json.dump(data, stream)
    found = load_dataset(path)
    assert found.keys == ("a",)
    assert found.energies == pytest.approx([-2.9])
    assert np.allclose(found.crystals[0].cell, SALTS[0].cell)
    assert found.report.left_out == {
        "missing energy": ["b"],
        "disordered": ["c"],
        "broken structure": ["d"],
    }
    assert any("missing energy: 1 (b)" in line for line in found.report.lines())


def test_csv_of_cifs(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["", "material_id", "formation_energy_per_atom", "band_gap", "cif"])
        writer.writerow([0, "x", -2.0, 5.0, format_cif(SALTS[1])])
        writer.writerow([1, "y", -2.0, 5.0, "data_broken"])
        writer.writerow([2, "z", "", 5.0, format_cif(SALTS[1])])
        writer.writerow([3, "w", "n/a", 5.0, format_cif(SALTS[1])])
    found = load_dataset(path)
    assert found.keys == ("x",)
    assert found.crystals[0].volume_per_atom == pytest.approx(SALTS[1].volume_per_atom, rel=1e-4)
    assert found.report.left_out == {
        "broken structure": ["y"],
        "missing energy": ["z"],
        "energy not finite": ["w"],
    }
    assert load_dataset(path, energies=False).keys == ("x", "z", "w")
    assert "band_gap" in found.report.ignored_columns


def test_extxyz_and_database(tmp_path: Path) -> None:
    frames = [crystal.to_ase() for crystal in SALTS]
    for number, atoms in enumerate(frames):
        atoms.info.update(my_energy=-number / 2, material_id=f"m{number}")
    ase.io.write(tmp_path / "a.extxyz", frames)
    found = load_dataset(tmp_path / "a.extxyz", energy_column="my_energy")
    assert found.keys == ("m0", "m1", "m2", "m3")
    with connect(tmp_path / "a.db") as database:
        for atoms in frames:
            database.write(atoms, formation_energy=atoms.info["my_energy"])
    assert load_dataset(tmp_path / "a.db").energies == pytest.approx(found.energies)
    with pytest.raises(
        InputError, match=r"no column of formation energies.*--energy-column.*my_energy"
    ):
        load_dataset(tmp_path / "a.extxyz")


def test_one_bad_frame_costs_only_itself(tmp_path: Path) -> None:
    frames = [crystal.to_ase() for crystal in SALTS]
    for number, atoms in enumerate(frames):
        atoms.info.update(e_form=-number / 2, material_id=f"m{number}")
    path = tmp_path / "a.extxyz"
    ase.io.write(path, frames)
    lines = path.read_text().splitlines()
    second = len(frames[0]) + 2
    lines[second + 2] = lines[second + 2].replace(lines[second + 2].split()[1], "12,5", 1)
    path.write_text("\n".join(lines))
    found = load_dataset(path)
    assert found.keys == ("m0", "m2", "m3")
    assert found.report.left_out == {"broken structure": ["a-1"]}


def test_one_bad_row_of_a_database_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with connect(path) as database:
        for crystal in SALTS:
            database.write(crystal.to_ase(), e_form=-1.0)
    with closing(sqlite3.connect(path)) as tables:
        tables.execute("UPDATE systems SET positions = ? WHERE id = 2", (b"abc",))
        tables.commit()
    found = load_dataset(path)
    assert found.report.left_out == {"broken structure": ["2"]}
    assert len(found.keys) == len(SALTS) - 1
    path.write_bytes(b"no database" * 100)
    with pytest.raises(InputError, match="cannot be read"):
        load_dataset(path)


def write_parquet(path: Path, crystals: list[Crystal], energies: list, split: list[str]) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    columns = {
        "material_id": [f"r{number}" for number in range(len(crystals))],
        "lattice": [crystal.cell.ravel().tolist() for crystal in crystals],
        "species": [crystal.numbers.tolist() for crystal in crystals],
        "frac_coords": [crystal.scaled.ravel().tolist() for crystal in crystals],
        "e_form_mp2018": energies,
        "e_form_mp2021": energies,
        "split": split,
    }
    pq.write_table(pa.table(columns), path)


def test_parquet_screens_crystals_and_keeps_formulas_apart(tmp_path: Path) -> None:
    helium = Crystal(np.array([2]), np.eye(3) * 3.0, np.zeros((1, 3)))
    crystals = [
        SALTS[0],
        SALTS[1],
        SALTS[1],
        SALTS[2],
        salt(9, length=1.2),
        salt(length=30.0),
        helium,
        SALTS[3],
        SALTS[3],
        SALTS[3],
    ]
    energies = [-2.9, -2.0, -2.0, -1.8, -2.0, -2.0, 0.0, 5.0, None, -1e6]
    split = ["train", "train", "test", "val", *["train"] * 6]
    path = tmp_path / "d.parquet"
    write_parquet(path, crystals, energies, split)
    found = load_dataset(path)
    assert found.keys == ("r0", "r2", "r3")
    assert found.report.left_out["formula in a later split"] == ["r1"]
    assert found.report.left_out["contact below 0.7 Å"] == ["r4"]
    assert found.report.left_out["energy above 2.5 eV/atom"] == ["r7"]
    assert found.report.left_out["missing energy"] == ["r8"]
    assert found.report.left_out["energy below -10 eV/atom, no formation energy"] == ["r9"]
    assert found.report.left_out["noble gas"] == ["r6"]
    assert {"r4", "r5"} <= {key for keys in found.report.left_out.values() for key in keys}
    assert "e_form_mp2021" in found.report.ignored_columns
    assert found.report.sizes == {"train": 1, "val": 1, "test": 1}


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_dataset(tmp_path / "none.csv")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InputError, match="format cannot be determined"):
        load_dataset(tmp_path / "a.txt")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(InputError, match="no column 'cif'; it has x, y"):
        load_dataset(tmp_path / "a.csv")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InputError, match="not a matbench file"):
        load_dataset(tmp_path / "a.json")


def test_a_folder_without_energies_serves_generators_only(tmp_path: Path) -> None:
    for number, crystal in enumerate(SALTS):
        (tmp_path / f"s{number}.cif").write_text(format_cif(crystal))
    (tmp_path / "broken.cif").write_text("data_broken")
    found = load_dataset(tmp_path, energies=False)
    assert found.keys == tuple(f"s{number}" for number in range(len(SALTS)))
    assert np.isnan(found.energies).all()
    assert found.report.left_out == {"broken structure": ["broken"]}
    assert not any("energies from" in line for line in found.report.lines())
    with pytest.raises(InputError, match=r"no formation energies, nor .* an extxyz file") as found:
        load_dataset(tmp_path)
    assert "--energy-column" not in str(found.value)


def test_columns_that_may_be_energies_are_offered(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("cif,energy,split\nnothing,-1.0,train\n")
    with pytest.raises(InputError, match=r"with --energy-column: energy$"):
        load_dataset(path)


def test_generators_keep_crystals_without_an_energy(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    write_parquet(path, SALTS, [-2.0, None, -1.8, 5.0], ["train", "train", "val", "val"])
    found = load_dataset(path, energies=False)
    assert found.keys == ("r0", "r1", "r2")
    assert found.energies == pytest.approx([-2.0, np.nan, -1.8], nan_ok=True)
    assert found.report.left_out == {"energy above 2.5 eV/atom": ["r3"]}
    assert found.unlabelled == ()
    assert load_dataset(path).unlabelled == (SALTS[1],)


def test_split_is_by_formula() -> None:
    formulas = [f"f{number % 200}" for number in range(1000)]
    split = split_by_formula(formulas, val=0.1, test=0.1)
    for number in range(200):
        assert len(set(split[number::200])) == 1
    assert 0.6 < (split == "train").mean() < 0.95
    assert leaking_rows(["a", "a", "b", "a"], ["train", "val", "train", "val"]) == [0]
    double = Crystal(np.array([11, 17, 11, 17]), np.eye(3), np.zeros((4, 3)))
    assert reduced_formula(double) == reduced_formula(SALTS[1])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "formula,e\nNaCl,-1.0\n", r"no column 'cif'; it has formula, e\. Rename"),
        ("a.csv", "cif,e\nno crystal,-1.0\n", r"none of 1 rows .*\(.*: 1\)\. Check the format"),
        ("a.csv", "cif,e\n", r"none of 0 rows has a structure that can be used\. Check"),
    ],
)
def test_a_file_without_structures_is_one_sentence_with_the_remedy(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        load_dataset(tmp_path / name, energies=False)
    assert "\n" not in str(caught.value)
