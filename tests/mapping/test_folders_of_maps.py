"""Folders of maps in commands for runs, in ``nucleate.open`` and in ``--dry-run``."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

import nucleate as nc
from nucleate.api.map import empty_lines, preview_map
from nucleate.api.map_inputs import settings_of_map
from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.mapping.cache import NAME
from nucleate.mapping.field import field_of
from nucleate.mapping.settings import FieldSettings, MapSettings
from nucleate.mapping.site import folder_of, name_of
from nucleate.mapping.store import MapStore
from nucleate.names import is_safe_name
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


def test_a_line_without_a_neutral_composition_is_named():
    data = {"system": "Al-O", "lines": ["Al2O3-O"]}
    (text,) = empty_lines(FieldSettings.model_validate(data))
    assert "none of the compositions on it is charge-neutral" in text
    assert empty_lines(FieldSettings.model_validate({**data, "neutral": False})) == []


def test_no_two_compositions_have_one_folder_where_cases_are_the_same():
    field = field_of(MapSettings.from_dict({"field": {"system": "C-Co-O", "neutral": False}}))
    names = [name_of(item) for item in field.compositions]
    assert {"Co", "C1O", "C1O2"} <= set(names) or {"Co", "C1O", "CO2"} <= set(names)
    assert len({name.casefold() for name in names}) == len(names)
    assert [Composition.from_formula(name) for name in names] == list(field.compositions)
    nitride = Composition.from_formula("CoN")
    assert is_safe_name(name_of(nitride)), "Windows has taken CON"


def test_folders_of_an_earlier_version_are_found(tmp_path):
    (tmp_path / "CO").mkdir()
    oxide = Composition.from_formula("CO")
    made = {path.name for path in tmp_path.iterdir()}
    assert folder_of(oxide, tmp_path, made) == tmp_path / "CO"
    assert folder_of(oxide, tmp_path) == tmp_path / "C1O"


def test_an_open_map_sees_known_compounds_that_are_relaxed_meanwhile(quick_map, tmp_path):
    shutil.copytree(quick_map, tmp_path / "map")
    found = nc.open(tmp_path / "map")
    before = found._state()
    assert found._state() is before
    with sqlite3.connect(tmp_path / "map" / NAME) as db:
        db.execute("CREATE TABLE further (a)")
    assert found._state() is not before
