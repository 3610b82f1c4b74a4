"""Folders of maps in commands for runs, in ``nucleate.open`` and in ``--dry-run``."""

from __future__ import annotations

import pytest

import nucleate as nc
from nucleate.api.map import empty_lines, preview_map
from nucleate.api.map_inputs import settings_of_map
from nucleate.errors import InputError
from nucleate.mapping.settings import FieldSettings
from nucleate.mapping.store import MapStore
from nucleate.run.store import Store

DATA = {
    "field": {"system": "Cu-Au", "max_atoms": 4},
    "tier": [{"engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}],
}


@pytest.fixture
def folder(tmp_path):
    settings, _ = settings_of_map(DATA, {})
    path = tmp_path / "map"
    path.mkdir()
    MapStore.open(path, settings)
    return path


def test_open_gives_the_map(folder):
    found = nc.open(folder)
    assert isinstance(found, nc.PhaseMap)
    assert found.system == "Au-Cu"


def test_a_command_for_runs_names_the_runs_of_a_map(folder):
    (folder / "compositions" / "CuAu").mkdir(parents=True)
    (folder / "compositions" / "CuAu" / "run.db").touch()
    with pytest.raises(InputError, match=r"folder of a map; .* give one, such as .*/CuAu"):
        Store.read(folder)
    with pytest.raises(InputError, match="Give the folder that a search has made"):
        Store.read(folder.parent)


def test_a_preview_finds_that_the_folder_holds_another_map(folder):
    preview_map(DATA, folder=folder)
    other = {**DATA, "field": {**DATA["field"], "pressure_gpa": 5.0}}
    with pytest.raises(InputError, match="pressure_gpa"):
        preview_map(other, folder=folder)


def test_a_line_that_adds_nothing_is_named():
    def lines(size):
        data = {"system": "Sr-Ti-O", "lines": ["SrO-TiO2"], "max_atoms_per_formula": size}
        return empty_lines(FieldSettings.model_validate(data))

    assert lines(9) == []
    (text,) = lines(4)
    assert "'SrO-TiO2' adds nothing" in text
    assert "--max-formula" in text
