"""Folders whose stored input has keys by their former names."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from nucleate.errors import InputError
from nucleate.run.folder import description, open_store
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
