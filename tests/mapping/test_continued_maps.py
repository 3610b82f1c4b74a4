"""What a map takes up, adds and drops when it is continued with other options."""

from __future__ import annotations

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

import nucleate as nc
from nucleate.api.continued import changes_in_words, field_of_now, stop_of_now
from nucleate.api.inputs import settings_of
from nucleate.api.map import preview_map
from nucleate.api.map_inputs import settings_of_map
from nucleate.cli.map import parse_oxidation
from nucleate.errors import InputError
from nucleate.mapping.reading import read_map
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.store import MapStore
from nucleate.report.maps.status import status_text
from nucleate.run.folder import open_store

TIER = {"name": "emt", "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}


def stored(folder, **sections):
    data = {"field": {"system": "Cu-Au", "neutral": False}, **sections}
    MapStore.open(folder, MapSettings.from_dict(data)).close()


def test_limits_of_an_earlier_start_end_with_the_next_rule(tmp_path):
    stored(tmp_path, stop={"structures": 99, "time": 5.0, "expected_change_mev": 0.5})
    kept, _ = settings_of_map("Cu-Au", {}, folder=tmp_path)
    assert (kept.stop.structures, kept.stop.time) == (99, None)
    new, _ = settings_of_map("Cu-Au", {"stop": {"time": "20s"}}, folder=tmp_path)
    assert (new.stop.structures, new.stop.time) == (None, 20.0)
    assert new.stop.expected_change_mev == 0.5
    words = changes_in_words(kept.to_dict(), new.to_dict())
    assert words == ["stop.structures = 99 of an earlier start counts no more"]
    assert stop_of_now({"core_time": 9.0}, {"core_time": None}) == {"core_time": 9.0}


def test_limits_of_a_run_end_in_the_same_way(tmp_path):
    first = settings_of("SrTiO3", {"stop": {"structures": 99}})
    open_store(tmp_path, first).close()
    assert settings_of("SrTiO3", folder=tmp_path).stop.structures == 99
    again = settings_of("SrTiO3", {"stop": {"time": "20s"}}, folder=tmp_path)
    assert (again.stop.structures, again.stop.time) == (None, 20.0)


def test_lines_and_points_are_added_and_windows_replaced(tmp_path):
    field = {"system": "Cu-Au", "neutral": False, "points": ["Cu7Au"], "windows": ["x(Cu) < 0.5"]}
    stored(tmp_path, field=field)
    options = {"points": ["CuAu7", "Cu7Au"], "lines": ["Cu-Au"], "windows": ["none"]}
    found, _ = settings_of_map("Cu-Au", {"field": options}, folder=tmp_path)
    assert found.field.points == ("Cu7Au", "CuAu7")
    assert found.field.lines == ("Cu-Au",)
    assert found.field.windows == ()
    with MapStore.read(tmp_path) as store:
        words = changes_in_words(store.meta["input"], found.to_dict())
    assert words == [
        "field.lines: Cu-Au added to those of the map",
        "field.points: CuAu7 added to those of the map",
        "field.windows: none instead of x(Cu) < 0.5",
    ]


def test_every_key_that_changes_is_said(tmp_path):
    stored(tmp_path)
    options = {"windows": ["x(Cu) < 0.5"], "max_ratio": 2, "max_atoms_per_formula": 4}
    found, _ = settings_of_map("Cu-Au", {"field": options}, folder=tmp_path)
    with MapStore.read(tmp_path) as store:
        words = changes_in_words(store.meta["input"], found.to_dict())
    assert words == [
        "field.windows: x(Cu) < 0.5 instead of none",
        "field.max_ratio: 2 instead of 6",
        "field.max_atoms_per_formula: 4 instead of the default",
    ]


def test_an_empty_list_is_no_option_left_out(tmp_path):
    field = {"system": "Cu-Au", "neutral": False, "windows": ["x(Cu) < 0.5"]}
    stored(tmp_path, field=field, tier=[TIER])
    found = preview_map("Cu-Au", folder=tmp_path, windows=[], model=[TIER])
    assert found.settings.field.windows == ()
    new = preview_map("Cu-Au", folder=tmp_path / "new", references=[], model=[TIER])
    assert new.settings.field.references == ()
    assert not new.references.found


def test_end_members_may_be_spelt_in_another_way(tmp_path):
    stored(tmp_path, field={"system": "Al2O3-Ca(OH)2"})
    found, _ = settings_of_map("CaO2H2-O3Al2", {}, folder=tmp_path)
    assert found.field.system == "Al2O3-Ca(OH)2"


def test_another_field_in_the_folder_is_refused_as_such(tmp_path):
    stored(tmp_path, field={"system": "Cu-Au-Ni", "neutral": False, "points": ["CuAuNi2"]})
    with pytest.raises(InputError, match=r"field\.system: .*must not change"):
        preview_map("Cu-Au", folder=tmp_path, model=[TIER])


def test_a_preview_says_what_would_change(tmp_path):
    stored(tmp_path, tier=[TIER], stop={"structures": 9})
    found = preview_map("Cu-Au", folder=tmp_path, points="Cu7Au", time="1h", trust=True)
    assert found.changes == (
        "field.points: Cu7Au added to those of the map",
        "stop.structures = 9 of an earlier start counts no more",
    )


def test_a_file_of_references_is_one_source_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = {"references": ["shipped", "known"]}
    new = {"references": [str(tmp_path / "known"), str(tmp_path / "more")]}
    found = field_of_now(old, new, is_stored=True)["references"]
    assert found == ["shipped", "known", str(tmp_path / "more")]
    assert field_of_now(old, new, is_stored=False)["references"] == new["references"]


def test_references_are_added_to_a_map(tmp_path):
    known, more = tmp_path / "known", tmp_path / "more"
    for folder in (known, more):
        folder.mkdir()
    for name in ("Cu", "Au"):
        bulk(name).write(known / f"{name}.cif")
    bulk("CuAu", "cesiumchloride", a=3.0).write(more / "alloy.cif")
    options = {"model": EMT(), "folder": tmp_path / "map", "display": False}
    field = {"max_atoms": 2, "max_atoms_per_formula": 2, "neutral": False}
    first = nc.map("Cu-Au", references=str(known), core_time=1e-6, **field, **options)
    assert first.status()["references"] == 2
    spent_s = first.status()["references_core_s"]
    assert spent_s > 0.0
    found = nc.map("Cu-Au", references=more, core_time=1e-6, **options)
    assert {item.name for item in read_map(found.folder).energies.references} == {
        "Cu", "Au", "alloy",
    }  # fmt: skip
    assert found.phase("CuAu").reference.name == "alloy"
    facts = found.status()
    assert facts["sources"] == [str(known), str(more)]
    assert facts["references_core_s"] > spent_s
    text = status_text(facts)
    assert f"s of processor time for the search, {facts['references_core_s']:.0f} s for" in text
    assert "tiers: EMT, at 0 GPa; 3 known structures of " in text
    assert {item.name for item in found.potentials} >= {"Au", "Cu"}
    assert [item.formula for item in found.to_make_next] == []


def test_charges_of_an_element_stand_in_one_option():
    with pytest.raises(InputError, match=r"names Sn once more.*Sn=2,4"):
        parse_oxidation(["Sn=2,4", "Sn=3"])


def test_a_text_is_one_item_and_charges_name_elements(tmp_path):
    from nucleate.api.map import preview_map

    found = preview_map("Cu-Au", neutral=False, windows="x(Cu) < 0.5", points="Cu7Au", model=EMT())
    assert found.settings.field.windows == ("x(Cu) < 0.5",)
    assert found.settings.field.points == ("Cu7Au",)
    with pytest.raises(InputError, match=r"oxidation_states = \[1\] does not name elements"):
        preview_map("Sr-Ti-O", oxidation_states=[1], folder=tmp_path)
