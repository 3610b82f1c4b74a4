"""Folders whose stored input has keys by their former names."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from nucleate.errors import InputError
from nucleate.run.folder import description, open_store
from nucleate.run.new_keys import with_new_keys
from nucleate.run.refinement import check_new_tiers
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store

OLD, NEW = "fmax", "fmax_ev_per_ang"


def settings(limit: float = 0.02) -> RunSettings:
    stages = [{"relax": "cell", NEW: 0.1}, {"relax": "cell", NEW: limit}]
    engine = {"kind": "cp2k", "command": "cp2k.psmp", "stage": stages}
    return RunSettings.from_dict(
        {
            "problem": {"formula": "NaCl", "max_atoms": 8},
            "tier": [{"name": "dft", "engine": engine}],
        }
    )


def with_old_keys(data: dict) -> dict:
    return json.loads(json.dumps(data).replace(f'"{NEW}": 0.1', f'"{OLD}": 0.1').replace(
        f'"{NEW}": 0.02', f'"{OLD}": 0.02'
    ))  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    meta = with_old_keys(description(settings()))
    assert [OLD in stage for stage in meta["input"]["tier"][0]["engine"]["stage"]] == [True, True]
    Store.create(tmp_path, meta).close()
    return tmp_path


def test_a_run_whose_stages_have_the_former_key_continues(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_store(folder, settings()).close()


def test_its_values_are_compared(folder):
    with pytest.raises(InputError, match=r"stage\.1\.fmax_ev_per_ang: 0\.02 -> 0\.03  \(must not"):
        open_store(folder, settings(0.03))


def test_a_refinement_whose_stages_have_the_former_key_continues(folder):
    tier = settings().tier[0].model_copy(update={"name": "fine"})
    with Store.append_to(folder) as store:
        data = with_old_keys(tier.model_dump(mode="json"))
        store.add_tier(0.0, "fine", {"source": "refine", "settings": data})
        store.commit()
        check_new_tiers(store, [tier])


def without(data: dict, *path: str | int) -> dict:
    """Return a copy without one key."""
    copy = json.loads(json.dumps(data))
    *parents, key = path
    place = copy
    for parent in parents:
        place = place[parent]
    del place[key]
    return copy


PLAIN = {"problem": {"formula": "NaCl", "max_atoms": 8}, "tier": [{"name": "spp"}]}
ADDED = [("tier", 0, "symmetrise_ang"), ("search", "new_fraction"), ("stop", "missed_below")]


def stored_without(folder: Path, path: tuple[str | int, ...]) -> None:
    meta = description(RunSettings.from_dict(PLAIN))
    Store.create(folder, {**meta, "input": without(meta["input"], *path)}).close()


@pytest.mark.parametrize("path", ADDED)
def test_a_run_from_before_a_key_was_added_continues(tmp_path, path):
    stored_without(tmp_path, path)
    open_store(tmp_path, RunSettings.from_dict(PLAIN)).close()


def test_a_key_that_was_added_since_must_have_its_default(tmp_path):
    stored_without(tmp_path, ("tier", 0, "symmetrise_ang"))
    changed = {**PLAIN, "tier": [{"name": "spp", "symmetrise_ang": 0.1}]}
    with pytest.raises(InputError, match=r"symmetrise_ang: 0\.0 -> 0\.1  \(must not change\)"):
        open_store(tmp_path, RunSettings.from_dict(changed))


def test_every_key_with_a_default_may_have_been_added_since():
    settings = RunSettings.from_dict(PLAIN)
    old = settings.to_dict()
    given = {
        ("problem", "formula"),
        ("problem", "max_atoms"),
        ("search", "kind"),
        ("executor", "kind"),
    }
    for section, keys in old.items():
        for key in keys if isinstance(keys, dict) else ():
            if (section, key) not in given:
                filled = with_new_keys(without(old, section, key), settings)
                assert filled[section][key] == old[section][key], (section, key)
