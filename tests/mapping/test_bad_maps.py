"""Maps that cannot be made are refused before any work, and their folders stay usable."""

from __future__ import annotations

import pytest
from tests.cli.conftest import call_in

import nucleate as nc
from nucleate.cli.map import parse_oxidation
from nucleate.errors import InputError
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.store import MapStore

EMT = "ase=ase.calculators.emt:EMT"
TIERS = [{"name": "emt", "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}]


def alloy(folder, **options):
    from nucleate.cli.inputs import parse_tier

    return nc.map(
        "Cu-Au", model=parse_tier(EMT), neutral=False, folder=folder, display=False, **options
    )


def test_a_source_that_cannot_be_read_leaves_no_map_behind(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        alloy(tmp_path / "map", references=[str(tmp_path / "nowhere")])
    assert not (tmp_path / "map").exists()


def test_a_judge_that_cannot_be_used_is_refused_before_the_search(tmp_path):
    with pytest.raises(InputError, match=r"final\.judge: model = 'foo'"):
        alloy(tmp_path / "map", judge="foo")
    assert not (tmp_path / "map").exists()


def stored(folder, system):
    settings = MapSettings.from_dict({"field": {"system": system, "neutral": False}})
    MapStore.open(folder, settings).close()


def test_another_order_of_the_elements_is_the_same_field(tmp_path):
    from nucleate.api.map_inputs import settings_of_map

    stored(tmp_path, "Cu-Au")
    settings, _ = settings_of_map("Au-Cu", {}, folder=tmp_path)
    MapStore.open(tmp_path, settings).close()
    other = MapSettings.from_dict({"field": {"system": "Cu-Ag", "neutral": False}})
    with pytest.raises(InputError, match=r"map\.db was made by another input"):
        MapStore.open(tmp_path, other)


def test_a_charge_without_an_element():
    with pytest.raises(InputError, match="not an element with charges"):
        parse_oxidation(["=2"])


@pytest.mark.parametrize("content", [b"", b"no database at all" * 200])
def test_a_damaged_store_is_said_to_be_damaged(tmp_path, content):
    (tmp_path / "map.db").write_bytes(content)
    with pytest.raises(InputError, match=r"map\.db is damaged, or not the store of a map"):
        nc.open_map(tmp_path)


def test_damaged_references_of_a_map_and_of_the_user(tmp_path, monkeypatch):
    from nucleate.mapping import cache

    monkeypatch.setattr(cache, "user_cache", lambda: tmp_path / "user")
    (tmp_path / "user" / "nucleate").mkdir(parents=True)
    (tmp_path / "user" / "nucleate" / cache.NAME).write_bytes(b"no database at all" * 200)
    with cache.Caches(tmp_path / "map", "a") as caches:
        assert caches.get("anything") is None
    (tmp_path / "map" / cache.NAME).write_bytes(b"no database at all" * 200)
    with pytest.raises(InputError, match="Delete it: the known"):
        cache.Caches(tmp_path / "map")


def test_a_value_in_place_of_a_section(tmp_path):
    (tmp_path / "field.toml").write_text("field = 3")
    with pytest.raises(InputError, match="field = 3 is not a section"):
        nc.map(tmp_path / "field.toml", display=False)
    with pytest.raises(InputError, match="stop = 3 is not a section"):
        nc.map({"field": {"system": "Cu-Au"}, "stop": 3}, structures=5, display=False)


def test_what_no_run_accepts_is_refused_before_any_work(tmp_path):
    data = {
        "field": {"system": "Cu-Au"},
        "search": {"known": "off", "generators": [{"kind": "prototypes"}, {"kind": "symmetric"}]},
        "tier": TIERS,
    }
    with pytest.raises(InputError, match=r"search\.generators\.0 \('prototypes'\) has no effect"):
        nc.map(data, folder=tmp_path / "map", display=False)
    assert not (tmp_path / "map" / "map.db").exists()


@pytest.mark.slow
def test_a_map_that_is_judged_without_being_polished_is_searched(tmp_path):
    found = alloy(
        tmp_path / "map", judge=TIERS[0], references=[], max_atoms=4, max_ratio=1, structures=6,
        workers=1,
    )  # fmt: skip
    assert found.status()["structures"] > 0


def test_a_map_without_known_structures_is_searched(tmp_path):
    found = nc.map(
        {
            "field": {"system": "Cu-Au", "references": [], "max_atoms": 4, "max_ratio": 1},
            "search": {"known": "off"},
            "tier": TIERS,
        },
        folder=tmp_path / "map",
        structures=9,
        workers=1,
        display=False,
    )
    assert found.status()["structures"] >= 9


def test_options_without_effect_on_a_map_are_refused(quick_map, tmp_path):
    for words, option in (
        (("status", "map", "--order", "energy"), "--order"),
        (("export", "map", "--order", "energy", "--out", "x"), "--order"),
        (("export", "map", "--all", "--best", "3", "--cell", "given"), "--all, --best, --cell"),
    ):
        result = call_in(tmp_path, words[0], quick_map, *words[2:])
        assert result.status == 2
        assert f"{option} of this command has no effect on a map; leave it out" in " ".join(
            result.err.split()
        )
    assert not (tmp_path / "x").exists()
