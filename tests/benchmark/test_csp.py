"""Samples of a held-out set, and the summary of their runs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.library.conftest import caesium_chloride, rocksalt

from nucleate.benchmark import experiments, warm_up
from nucleate.benchmark.csp import Entry, entry_folder, ranked_rows, read_entries, summary_rows
from nucleate.benchmark.rates import measured_row
from nucleate.benchmark.rates import summary_rows as measures_of
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif
from nucleate.errors import InputError
from nucleate.library.build import write_library
from nucleate.library.entries import Known
from nucleate.run.store import Store

from .stores import manganese, write_run


@dataclass(frozen=True)
class FolderOf:
    """What ``write_run`` takes for a cell, with a folder of its own."""

    path: Path
    compound: str = "Mn"
    seed: int = 0

    def folder(self, out):
        return self.path


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


def test_a_file_that_cannot_be_read_costs_only_itself(tmp_path, caplog):
    write_cif(tmp_path / "mn.cif", manganese())
    (tmp_path / "bad.cif").write_text("junk")
    entries = read_entries(tmp_path, number=5, seed=0, atoms=(1, 20))
    assert [entry.name for entry in entries] == ["mn"]
    assert "1 left out" in caplog.text
    assert "bad.cif" in caplog.text


def test_nothing_that_fits_is_an_error(tmp_path):
    with pytest.raises(InputError, match="neither"):
        read_entries(tmp_path / "none", number=1, seed=0)
    write_cif(tmp_path / "mn.cif", manganese())
    with pytest.raises(InputError, match="4 to 20"):
        read_entries(tmp_path, number=1, seed=0)


def test_rates_are_counted_by_size_and_elements():
    verdicts = [(5, 2, "found", 1, 0.02, 0.0), (5, 3, "lower", "", "", 0.1),
                (18, 3, "not found", "", "", None), (18, 3, "found", 4, 0.3, None)]  # fmt: skip
    names = ("atoms", "elements", "verdict", "rank", "closest_rms", "above_hull")
    rows = [{"known": "off", **dict(zip(names, row, strict=True))} for row in verdicts]
    summary = {row["entries"]: row for row in summary_rows(rows)}
    assert summary["all"]["rate"] == "0.50"
    assert (summary["all"]["found as the lowest"], summary["all"]["another one lower"]) == (1, 1)
    assert summary["all"]["of these within rms 0.1"] == 1
    assert summary["1 to 6 atoms"]["number"] == 2
    assert summary["3 elements"]["found"] == 1
    assert summary["on the hull"]["found"] == 1
    assert "7 to 10 atoms" not in summary


def test_an_entry_knows_its_cell():
    assert Entry("x", manganese()).problem["formula_units"] == [2]


EMT = {"name": "emt", "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}


@pytest.fixture
def with_emt(monkeypatch):
    """Let the experiments relax with EMT in place of CHGNet."""
    monkeypatch.setattr(experiments, "_first_tiers", lambda data: [dict(EMT)])
    monkeypatch.setattr(warm_up, "warm_up", lambda: "nothing to compile")


@pytest.mark.slow
def test_searches_under_several_hold_outs_are_measured_as_candidates_are(
    tmp_path, nucleate, with_emt
):
    pytest.importorskip("pymatgen")
    library = [Known("l-1", caesium_chloride("CuPd", 3.0)), Known("l-2", rocksalt("AgO", 4.8))]
    write_library(iter(library), tmp_path / "small.nlib", {"source": "textbooks"})
    (tmp_path / "set").mkdir()
    write_cif(tmp_path / "set" / "b2.cif", caesium_chloride("AgPd", 3.2))
    words = ("benchmark", "csp", "set", "--atoms", "1-4", "--budget", "1s", "--workers", "1",
             "--out", "out", "--library", "small.nlib")  # fmt: skip
    both = ("--known", "no-formula", "--known", "off")
    result = nucleate(*words, *both)
    assert result.status == 0, result.err
    assert "[2 of 2] b2 PdAg" in result.out
    measures = {
        row["known"]: row
        for row in csv.DictReader((tmp_path / "out" / "csp-measures.csv").open())
        if row["entries"] == "all"
    }
    assert set(measures) == {"no-formula", "off"}
    assert measures["no-formula"]["match@100"].startswith("100.0 (20.7-100.0)")
    assert {"tight@1", "match@5", "match@20", "rms@1", "METRe", "cRMSE"} <= set(measures["off"])
    found = csv.DictReader((tmp_path / "out" / "csp.csv").open())
    assert [(row["known"], row["entry"]) for row in found] == [("no-formula", "b2"), ("off", "b2")]
    with Store.read(tmp_path / "out" / "csp-no-formula" / "b2") as store:
        assert store.meta["input"]["search"]["known"] == "no-formula"

    again = nucleate(*words, *both)
    assert again.out.count("done before") == 2
    assert nucleate("benchmark", "csp", "set", *words[3:-2], *both).status == 2  # another library
    assert nucleate(*words, *both, "--seed", "3").status == 2


def test_the_structures_of_a_run_are_ranked_by_energy(tmp_path):
    pytest.importorskip("pymatgen")
    crystals = [manganese(shift=0.2), manganese(edge=2.9, shift=0.25), manganese()]
    entry = Entry("Mn", manganese(edge=2.8))
    write_run(tmp_path, FolderOf(entry_folder(tmp_path, entry)), [-8.0, -7.0, -8.5],
              crystals=crystals)  # fmt: skip
    (row,) = ranked_rows(tmp_path, [entry], above_hull={"Mn": 0.02})
    assert row["candidates"] == 3
    assert list(row["tight"]) == ["1"]
    assert row["above_hull"] == 0.02
    (of_all, *_) = measures_of([row])
    assert of_all["tight@1"].startswith("100.0")
    assert "above the hull" in [line["entries"] for line in measures_of([row])]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--known", "some"), "some"),
        (("--known", "no-prototype"), "generate-only"),
        (("--library", "x.nlib"), "no effect"),
        (("--same-size",), "--same-size"),
    ],
)
def test_words_that_searches_do_not_take_are_refused(tmp_path, nucleate, words, named):
    write_cif(tmp_path / "mn.cif", manganese())
    result = nucleate("benchmark", "csp", ".", "--atoms", "1-4", *words)
    assert result.status == 2
    assert named in result.err


def test_references_share_a_list_only_where_it_is_one_list():
    rows = [{"formula": "TiO2", "loose": {"2": 0.1}, "tight": {}} for _ in range(2)]
    table = [row | about_row(k) for k, row in enumerate(rows)]
    (shared, *_) = measures_of([row | {"list": "a"} for row in table])
    (apart, *_) = measures_of([row | {"list": str(k)} for k, row in enumerate(table)])
    assert shared["METRe"].startswith("100.0")  # two candidates for two references
    assert apart["METRe"].startswith("0.0")  # one for each
    crystal = Crystal(np.array([11]), 3.0 * np.eye(3), np.zeros((1, 3)))
    entry = Entry("a", crystal)
    one, other = (measured_row(entry, "off", [item], None)["list"] for item in (
        crystal, crystal.replace(cell=3.1 * np.eye(3))))  # fmt: skip
    assert one != other


def about_row(number):
    return {"entry": str(number), "known": "off", "atoms": 6, "elements": 2, "above_hull": None}
