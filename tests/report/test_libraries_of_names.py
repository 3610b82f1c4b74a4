"""Structures are named by the libraries of their run."""

from __future__ import annotations

import csv
import time
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write as write_structures
from tests.report.runs import FCC, record, relaxed

from nucleate.crystal.crystal import Crystal
from nucleate.library.build import build_library
from nucleate.library.library import SHIPPED
from nucleate.report.columns import columns
from nucleate.report.content import RunContent
from nucleate.report.findings import Finding
from nucleate.report.naming import (
    NAMED,
    identity_of,
    structure_type,
    type_cell,
    type_in_words,
    type_of,
)
from nucleate.report.render import row_dict, write_csv
from nucleate.report.rows import Row, ranked_rows
from nucleate.report.terminal import plain_fitted
from nucleate.report.views import (
    BOARD,
    RANKING,
    SHORT_RANKING,
    SHORT_STATUS,
    STATUS,
    TERMINAL_RANKING,
)
from nucleate.search.record import SearchUpdate


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Return a library of one compound, rock salt."""
    folder = tmp_path_factory.mktemp("library")
    salt = bulk("NaCl", "rocksalt", a=5.64)
    salt.info["e_above_hull"] = 0.0
    write_structures(folder / "salt.extxyz", [salt])
    build_library([folder / "salt.extxyz"], folder / "own.nlib")
    return str(folder / "own.nlib")


def rows_with(*libraries):
    told = [(record(0, ("emt", relaxed(FCC, -1.0)), crystal=FCC), SearchUpdate(True))]
    meta = {"input": {"search": {"library": list(libraries)}} if libraries else {}}
    return ranked_rows(RunContent(meta, told, ("emt",)).ranked())


def test_a_ranking_is_named_by_the_libraries_of_its_run(own):
    for libraries, nearest in (((own,), ""), ((), "mp-30"), ((own, "shipped"), "mp-30")):
        (row,) = rows_with(*libraries)
        found = identity_of(row.crystal, row.libraries)
        assert found is not None
        assert found.nearest == nearest
        assert structure_type(row) == "Cu (Copper, A1)"  # the type has a name of its own


def test_a_library_that_is_gone_names_nothing(own, tmp_path):
    gone = str(tmp_path / "gone.nlib")
    assert type_of(FCC, (gone,)) is None
    assert type_of(FCC, (gone, own)) == "Cu (Copper, A1)"
    found = identity_of(FCC, (gone, "shipped"))
    assert found is not None
    assert found.pearson == "cF4"


SALT = Crystal.from_ase(bulk("KF", "rocksalt", a=5.34))


def salt_row(library: str, **values) -> Row:
    row = Row.of_record(record(5, ("emt", relaxed(SALT, -1.5)), crystal=SALT))
    return replace(row, rank=1, above_best=0.0, copies=1, libraries=(library,), **values)


def test_every_ranking_has_pearson_symbol_and_nearest_known_compound(own, tmp_path):
    row = salt_row(own)
    far = replace(salt_row(own), rank=NAMED + 1)
    expected = {
        "structure_type": "NaCl (Halite, Rock Salt, B1)", "pearson": "cF8",
        "nearest": "NaCl salt", "nearest_distance": 0.0,
    }  # fmt: skip
    for view in (RANKING, SHORT_RANKING, STATUS):
        found = row_dict(row, columns(*view))
        assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-3)
        assert not expected.keys() & row_dict(far, columns(*view)).keys()
    write_csv(tmp_path / "ranking.csv", [row, far], columns(*RANKING))
    with (tmp_path / "ranking.csv").open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["pearson"], first["nearest"], second["pearson"]) == ("cF8", "NaCl salt", "")


@pytest.mark.parametrize("view", [TERMINAL_RANKING, SHORT_STATUS, BOARD])
def test_a_printed_ranking_has_them_in_one_cell_where_there_is_room(own, view):
    row = salt_row(own)
    wide = plain_fitted([row], columns(*view), 120)
    assert "NaCl (cF8), like NaCl 0.00" in wide
    assert "type, nearest known" in wide
    narrow = plain_fitted([row], columns(*view), 60)
    assert "NaCl" in narrow
    assert "like" not in narrow
    assert max(map(len, narrow.splitlines())) <= 60
    gone = salt_row(own, finding=Finding(5, "emt", family=1, structure_type="NaCl (B1)"))
    gone = replace(gone, libraries=("gone.nlib",))
    assert "NaCl " in plain_fitted([gone], columns(*view), 120), "kept by the final phase"


def test_a_name_takes_less_than_20_ms():
    rng = np.random.default_rng(0)
    type_in_words(salt_row(SHIPPED))  # opens the library
    many = []
    for _ in range(20):
        crystal = SALT.replace(cell=SALT.cell * rng.uniform(0.9, 1.1))
        many.append(Row.of_record(record(5, ("emt", relaxed(crystal, -1.5)), crystal=crystal)))
    start = time.process_time()
    assert all("cF8" in str(type_in_words(row)) for row in many)
    assert (time.process_time() - start) / len(many) < 0.02


@pytest.mark.parametrize(
    ("given", "told"),
    [(("SiO2 [quartz (alpha)]", "hP9", "BeF2", 0.025), "SiO2 (hP9), like BeF2 0.03"),
     (("GeO2", "hP9", "GeO2", 0.213), "hP9, like GeO2 0.21"),
     (("C (Graphite, A9)", "hP4", "", None), "C (hP4)"),
     (("new type", "oP12", "CrN2", 0.5), "new type (oP12)"),
     (("new type", "", "", None), "new type")],
)  # fmt: skip
def test_names_in_a_cell(given, told):
    assert type_cell(*given) == told
