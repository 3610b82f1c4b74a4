"""Samples of a held-out set, and the summary of their runs."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.benchmark.csp import Entry, read_entries, summary_rows
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif
from nucleate.errors import InputError

from .stores import manganese


def table(path, count=30):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        n_atoms = int(rng.integers(1, 30))
        rows.append(
            {
                "material_id": f"x-{number}",
                "split": "val" if number % 3 else "train",
                "lattice": (np.eye(3) * (4.0 + rng.random())).ravel().tolist(),
                "species": rng.choice([8, 12, 22], n_atoms).tolist(),
                "frac_coords": rng.random(3 * n_atoms).tolist(),
            }
        )
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return rows


def test_a_sample_is_seeded_a_longer_one_begins_with_it_and_limits_hold(tmp_path):
    path = tmp_path / "set.parquet"
    rows = {row["material_id"]: row for row in table(path)}
    short = read_entries(path, number=4, seed=5)
    long = read_entries(path, number=9, seed=5)
    assert [entry.name for entry in long[:4]] == [entry.name for entry in short]
    assert [entry.name for entry in read_entries(path, number=4, seed=6)] != [
        entry.name for entry in short
    ]
    for entry in long:
        assert rows[entry.name]["split"] == "val"
        assert 4 <= entry.crystal.n_atoms <= 20
        assert entry.crystal.n_atoms <= len(rows[entry.name]["species"])


def test_a_folder_is_a_set_too_and_the_search_is_told_formula_and_size(tmp_path):
    write_cif(tmp_path / "mn.cif", manganese(shift=0.1))
    scaled = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    write_cif(tmp_path / "sto.cif", Crystal(np.array([38, 22, 8, 8, 8]), np.eye(3) * 3.905, scaled))
    entries = read_entries(tmp_path, number=10, seed=0, atoms=(1, 20))
    by_name = {entry.name: entry for entry in entries}
    assert by_name["sto"].formula == "SrTiO3"
    assert by_name["sto"].problem == {"formula_units": [1], "max_atoms": 5}
    assert by_name["mn"].problem == {"formula_units": [2], "max_atoms": 2}


def test_nothing_that_fits_is_an_error(tmp_path):
    with pytest.raises(InputError, match="neither"):
        read_entries(tmp_path / "none", number=1, seed=0)
    write_cif(tmp_path / "mn.cif", manganese())
    with pytest.raises(InputError, match="4 to 20"):
        read_entries(tmp_path, number=1, seed=0)


def test_rates_are_counted_by_size_and_elements():
    rows = [
        {"atoms": 5, "elements": 2, "verdict": "found", "rank": 1, "closest_rms": 0.02},
        {"atoms": 5, "elements": 3, "verdict": "lower", "rank": ""},
        {"atoms": 18, "elements": 3, "verdict": "not found", "rank": ""},
        {"atoms": 18, "elements": 3, "verdict": "found", "rank": 4, "closest_rms": 0.3},
    ]
    summary = {row["entries"]: row for row in summary_rows(rows)}
    assert summary["all"]["rate"] == "0.50"
    assert (summary["all"]["found as the lowest"], summary["all"]["another one lower"]) == (1, 1)
    assert summary["all"]["of these within rms 0.1"] == 1
    assert summary["1 to 6 atoms"]["number"] == 2
    assert summary["3 elements"]["found"] == 1
    assert "7 to 10 atoms" not in summary


def test_an_entry_knows_its_cell():
    assert Entry("x", manganese()).problem["formula_units"] == [2]
