"""Tiers without a name have that of their engine, and in older folders the one they had."""

from __future__ import annotations

import pytest

from nucleate.api.inputs import settings_of
from nucleate.api.map_inputs import settings_of_map
from nucleate.cli.inputs import parse_tier
from nucleate.errors import InputError
from nucleate.mapping.store import MapStore
from nucleate.relax.settings import TierSettings
from nucleate.run.folder import open_store
from nucleate.run.settings import RunSettings

EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}


@pytest.mark.parametrize(
    "engine",
    [EMT, {"kind": "chgnet"}, {"kind": "spp"}, {"kind": "lammps", "command": "lmp"}],
    ids=lambda engine: engine["kind"],
)
def test_a_tier_is_named_as_on_the_command_line(engine):
    assert TierSettings(engine=engine).name == engine["kind"]
    calculator = engine.get("calculator")
    text = f"{engine['kind']}={calculator}" if calculator else engine["kind"]
    assert parse_tier(text)["name"] == engine["kind"]
    assert TierSettings(engine=engine, name="mine").name == "mine"
    assert TierSettings().name == "chgnet"


def test_two_tiers_of_one_kind_need_names():
    data = {"problem": {"formula": "Cu"}, "tier": [{"engine": EMT}, {"engine": EMT}]}
    with pytest.raises(InputError, match="ase"):
        RunSettings.from_dict(data)


def test_a_run_that_was_stored_with_the_former_name_continues(tmp_path):
    now = {"problem": {"formula": "Cu", "max_atoms": 4}, "tier": [{"engine": EMT}]}
    old = {**now, "tier": [{"name": "chgnet", "engine": EMT}]}
    open_store(tmp_path, RunSettings.from_dict(old)).close()
    settings = settings_of(now, folder=tmp_path)
    assert settings.tier[0].name == "chgnet"
    open_store(tmp_path, settings).close()
    named = {**now, "tier": [{"name": "ase", "engine": EMT}]}
    with pytest.raises(InputError, match="chgnet"):
        open_store(tmp_path, settings_of(named, folder=tmp_path))


def test_a_map_that_was_stored_with_the_former_name_continues(tmp_path):
    now = {"field": {"system": "Cu-Au", "max_atoms": 4}, "tier": [{"engine": EMT}]}
    old, _ = settings_of_map({**now, "tier": [{"name": "chgnet", "engine": EMT}]}, {})
    MapStore.open(tmp_path, old)
    settings, _ = settings_of_map(now, {}, folder=tmp_path)
    assert settings.tier[0].name == "chgnet"
    MapStore.open(tmp_path, settings)
    fresh, _ = settings_of_map(now, {}, folder=tmp_path / "other")
    assert fresh.tier[0].name == "ase"
