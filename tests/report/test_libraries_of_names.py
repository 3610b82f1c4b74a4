"""Structures are named by the libraries of their run."""

from __future__ import annotations

import pytest
from ase.build import bulk
from ase.io import write as write_structures
from tests.report.runs import FCC, record, relaxed

from nucleate.library.build import build_library
from nucleate.report.content import RunContent
from nucleate.report.naming import identity_of, structure_type, type_of
from nucleate.report.rows import ranked_rows
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
