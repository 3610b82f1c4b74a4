"""Runs that were begun by hand in the folder of a map, or copied into it."""

from __future__ import annotations

import shutil

import pytest

import nucleate as nc
from nucleate.errors import InputError
from nucleate.mapping.comparable import Standard
from nucleate.mapping.reading import read_map
from nucleate.run.store import Store

DATA = {
    "field": {"system": "Cu-Au", "max_atoms": 4, "max_atoms_per_formula": 4},
    "search": {"generators": [{"kind": "symmetric"}], "known": "no-formula"},
    "tier": [{"name": "emt", "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}],
    "allocation": {"rule": "equal", "first": 3, "slice": 3},
    "stop": {"structures": 6},
    "run": {"workers": 1},
}
LOWER = {**DATA["tier"][0], "max_steps": 7}


@pytest.fixture(scope="module")
def made(tmp_path_factory, short_visits):
    folder = tmp_path_factory.mktemp("by-hand") / "map"
    nc.map(DATA, folder=folder, display=False)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    copy = tmp_path / "map"
    shutil.copytree(made, copy)
    return copy


def row_of(folder, formula):
    return {row.formula: row for row in nc.open_map(folder).rows}[formula]


def unvisited(folder):
    """Return a composition of the field that has no run."""
    rows = [row.formula for row in nc.open_map(folder).rows if row.state == "not visited"]
    return next(name for name in rows if not (folder / "compositions" / name).exists())


def test_a_run_begun_by_hand_has_the_input_of_the_map_and_is_continued(folder):
    name = unvisited(folder)
    place = folder / "compositions" / name
    nc.predict(name, folder=place, structures=3, display=False)
    with Store.read(place) as store:
        stored = store.meta["input"]
    assert [tier["name"] for tier in stored["tier"]] == ["emt"]
    assert stored["problem"]["max_atoms"] == 4
    before = row_of(folder, name)
    assert before.n_structures == 3
    nc.map("Cu-Au", folder=folder, structures=30, display=False)
    after = row_of(folder, name)
    assert after.n_structures > 3
    assert after.energy_ev_per_atom <= before.energy_ev_per_atom


@pytest.mark.parametrize(
    "options",
    [{"model": [LOWER]}, {"pressure_gpa": 5.0}, {"max_atoms": 8}],
    ids=["model", "pressure", "cells"],
)
def test_what_the_map_could_not_count_or_continue_is_refused(folder, options):
    name = unvisited(folder)
    place = folder / "compositions" / name
    with pytest.raises(InputError, match="must not change"):
        nc.predict(name, folder=place, structures=3, display=False, **options)
    assert not place.exists()


def test_another_composition_is_refused(folder):
    name = unvisited(folder)
    place = folder / "compositions" / name
    for formula, text in (("Cu7Au", "Write --out"), ("CuNi", "not in that field")):
        with pytest.raises(InputError, match=text):
            nc.predict(formula, folder=place, structures=3, display=False)


def test_a_run_of_another_model_does_not_enter_the_hull(folder, tmp_path):
    name = unvisited(folder)
    place = folder / "compositions" / name
    elsewhere = tmp_path / "elsewhere"
    nc.predict(
        {
            "problem": {"formula": name, "max_atoms": 4},
            "search": DATA["search"],
            "tier": [LOWER],
            "run": {"workers": 1},
            "stop": {"structures": 3},
        },
        folder=elsewhere,
        display=False,
    )
    shutil.copytree(elsewhere, place)
    assert row_of(folder, name).energy_ev_per_atom is None
    (line,) = nc.open_map(folder).status()["damaged"]
    assert f"{place} holds a run with tier.max_steps = 7, and the map has" in line
    assert "move it elsewhere" in line
    after = nc.map("Cu-Au", folder=folder, structures=8, display=False).status()
    assert after["damaged"] == [line]


def test_a_run_of_another_composition_does_not_enter_the_hull(folder):
    name = unvisited(folder)
    run = next(path for path in (folder / "compositions").iterdir() if Store.exists(path))
    shutil.copytree(run, folder / "compositions" / name)
    (line,) = nc.open_map(folder).status()["damaged"]
    assert f"holds a run of {run.name}, not of {name}" in line


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"problem": {"pressure_gpa": 5.0}}, "pressure_gpa = 5.0, and the map has 0.0"),
        ({"tier": [{**DATA["tier"][0], "name": "other"}]}, "without the tier 'emt' of the map"),
    ],
    ids=["pressure", "name"],
)
def test_what_differs_is_named(made, change, text):
    site = next(site for site in read_map(made).energies.sites if site.n_structures)
    with Store.read(site.folder) as store:
        meta = store.meta
    standard = Standard(meta["input"]["tier"][0], 0.0)
    standard.check(meta, site.composition, site.folder)
    other = {**meta, "input": {**meta["input"], **change}}
    with pytest.raises(InputError, match=text):
        standard.check(other, site.composition, site.folder)


def test_keys_of_another_version_are_not_compared(made):
    site = next(site for site in read_map(made).energies.sites if site.n_structures)
    with Store.read(site.folder) as store:
        meta = store.meta
    tier = meta["input"]["tier"][0]
    Standard({**tier, "key_of_tomorrow": 1}, 0.0).check(meta, site.composition, site.folder)
    with pytest.raises(InputError, match="max_steps"):
        Standard({**tier, "max_steps": 1}, 0.0).check(meta, site.composition, site.folder)
