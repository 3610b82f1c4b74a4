"""Maps that cannot be made are refused before any work, and their folders stay usable."""

from __future__ import annotations

import pytest

import nucleate as nc
from nucleate.cli.map import parse_oxidation
from nucleate.errors import InputError
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.store import MapStore

EMT = "ase=ase.calculators.emt:EMT"


def alloy(folder, **options):
    from nucleate.cli.inputs import parse_tier

    return nc.map(
        "Cu-Au", model=parse_tier(EMT), neutral=False, folder=folder, display=False, **options
    )


def test_a_source_that_cannot_be_read_leaves_no_map_behind(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        alloy(tmp_path / "map", references=[str(tmp_path / "nowhere")])
    assert not MapStore.exists(tmp_path / "map")


def test_a_judge_that_cannot_be_used_is_refused_before_the_search(tmp_path):
    with pytest.raises(InputError, match=r"final\.judge: model = 'foo'"):
        alloy(tmp_path / "map", judge="foo")
    assert not MapStore.exists(tmp_path / "map")


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
