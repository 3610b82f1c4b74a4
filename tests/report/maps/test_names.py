"""Structure types, Pearson symbols and nearest known compounds of the rows of a map."""

from __future__ import annotations

import csv

import ase.io
import numpy as np
import pytest
from tests.report.maps.made import made_map

from nucleate.crystal.crystal import Crystal
from nucleate.report.maps.export import _write_structures
from nucleate.report.maps.named import named
from nucleate.report.maps.page import map_page_text
from nucleate.report.maps.rows import map_rows
from nucleate.report.maps.status import map_status, status_text
from nucleate.report.render import write_rows

PEROVSKITE = Crystal(
    np.array([38, 22, 8, 8, 8]),
    np.eye(3) * 3.94,
    np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
)


@pytest.fixture
def state(tmp_path):
    """Return a map in which SrTiO3 is a cubic perovskite below the hull of everything else."""
    found = made_map("SrO-TiO2", tmp_path, max_atoms_per_formula=9)
    site = next(site for site in found.energies.sites if site.formula == "SrTiO3")
    site.note(9, -6.0)
    site.best_crystal = PEROVSKITE
    found.energies.update()
    return found


def test_a_perovskite_is_named_in_rows_files_page_and_text(state, tmp_path):
    rows = named(map_rows(state.energies), state)
    row = next(row for row in rows if row.formula == "SrTiO3")
    assert row.structure_type == "CaTiO3 (Cubic Perovskite, E2_1)"
    assert row.pearson == "cP5"
    assert row.nearest
    assert row.nearest_distance is not None
    assert row.nearest_distance < 0.35
    write_rows(tmp_path / "hull.csv", [item.to_dict() for item in rows])
    with (tmp_path / "hull.csv").open(encoding="utf-8") as stream:
        read = {line["formula"]: line for line in csv.DictReader(stream)}
    assert read["SrTiO3"]["structure_type"] == row.structure_type
    assert read["SrTiO3"]["pearson"] == "cP5"
    _write_structures(tmp_path, state, rows)
    frames = ase.io.read(tmp_path / "structures.extxyz", ":")
    types = [frame.info.get("structure_type") for frame in frames]
    assert row.structure_type in types
    text = map_page_text(state, rows)
    assert "Perovskite" in text.split("<script")[0]
    assert '"type":"CaTiO3"' in text
    like = f"CaTiO3 (cP5), like {row.nearest.split()[0]} {row.nearest_distance:.2f}"
    assert like in status_text(map_status(state))


def test_only_the_first_rows_are_named_where_few_are_shown(state):
    rows = named(map_rows(state.energies), state, most=1)
    assert rows[0].structure_type
    assert not any(row.structure_type for row in rows[1:])


def test_names_are_of_the_libraries_of_the_map(state):
    state.meta["input"]["search"]["library"] = [str(state.folder / "nothing.nlib")]
    rows = named(map_rows(state.energies), state)
    assert not any(row.structure_type for row in rows)
