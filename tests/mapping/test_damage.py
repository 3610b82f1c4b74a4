"""A run of a map that cannot be read is a gap in the map, and the map continues."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

import nucleate as nc
from nucleate.errors import InputError
from nucleate.mapping.reading import read_map

DATA = {
    "field": {"system": "Cu-Au", "max_atoms": 4, "max_atoms_per_formula": 3},
    "search": {"generators": [{"kind": "symmetric"}], "known": "no-formula"},
    "tier": [{"name": "emt", "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}],
    "allocation": {"rule": "equal", "first": 3, "slice": 3},
    "stop": {"structures": 24},
    "run": {"workers": 1},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, short_visits):
    folder = tmp_path_factory.mktemp("damage") / "map"
    nc.map(DATA, folder=folder, display=False)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    copy = tmp_path / "map"
    shutil.copytree(made, copy)
    return copy


def emptied(path):
    path.write_bytes(b"")


def of_another_kind(path):
    path.write_bytes(b"no database at all " * 500)


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def overwritten(path):
    """Keep the first page, so that only reading the rows tells of the damage."""
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(bytes(data))


SLOW = [pytest.param(harm, marks=pytest.mark.slow) for harm in (of_another_kind, cut)]


@pytest.mark.parametrize("harm", [emptied, *SLOW, overwritten])
def test_one_damaged_run_is_a_gap_and_the_map_continues(folder, harm):
    before = nc.open_map(folder)
    others = {row.formula: row.energy_ev_per_atom for row in before.rows if row.formula != "AuCu"}
    harm(folder / "compositions" / "AuCu" / "run.db")
    state = read_map(folder)
    (site,) = [site for site in state.energies.sites if site.is_damaged]
    assert (site.formula, site.best, site.n_structures) == ("AuCu", None, 0)
    assert "Delete the folder" in site.closed
    assert "AuCu" in site.closed
    again = nc.map("Cu-Au", folder=folder, structures=26, display=False)
    facts = again.status()
    assert facts["damaged"] == [site.closed]
    assert facts["structures"] >= 26
    after = {row.formula: row for row in again.rows}
    assert after["AuCu"].state == "no energy"
    assert after["AuCu"].reason == site.closed
    for formula, energy in others.items():
        if energy is not None:
            assert after[formula].energy_ev_per_atom <= energy + 1e-9
    again.export()
    assert "Delete the folder" in (folder / "map.html").read_text(encoding="utf-8")
    assert [event for event in read_map(folder).events if event[2:4] == ("blank", "AuCu")]


def test_a_deleted_run_is_searched_anew(folder):
    emptied(folder / "compositions" / "AuCu" / "run.db")
    shutil.rmtree(folder / "compositions" / "AuCu")
    again = nc.map("Cu-Au", folder=folder, structures=26, display=False)
    assert not again.status()["damaged"]
    assert again.phase("CuAu").site is not None


@pytest.mark.slow
def test_a_geometry_that_is_found_damaged_late_counts_no_more(folder):
    """Energies can be read, and the structure that has the lowest cannot."""
    path = folder / "compositions" / "AuCu" / "run.db"
    with sqlite3.connect(path) as db:
        for table in ("candidate", "outcome"):
            db.execute(f"UPDATE {table} SET cell = x'00' WHERE cell IS NOT NULL")
    db.close()
    assert nc.open_map(folder).phase("AuCu").site is not None
    with pytest.raises(InputError, match="Delete the folder"):
        nc.open_map(folder).best("AuCu")
    assert nc.open_map(folder).export() == folder
    again = nc.map("Cu-Au", folder=folder, structures=26, display=False)
    assert again.status()["structures"] >= 26
    assert again.best("Cu") is not None
