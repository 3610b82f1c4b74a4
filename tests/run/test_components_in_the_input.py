"""Components in the input: misspelt keys, wrong groups, and the round trip to a worker."""

from __future__ import annotations

import json

import pytest
from pydantic import Field

from nucleate.energy.engine import Engine
from nucleate.errors import InputError
from nucleate.plugins import find, kinds
from nucleate.relax.settings import TierSettings
from nucleate.run.settings import RunSettings


class Outside(Engine):
    """An engine that is not shipped."""

    cutoff: float = Field(6.0, gt=0.0)


OUTSIDE = f"{__name__}:Outside"
SYMMETRIC = "nucleate.generate.kinds.symmetric:SymmetricSettings"


def refused(**tables) -> str:
    with pytest.raises(InputError) as error:
        RunSettings.from_dict({"problem": {"formula": "SrTiO3", "max_atoms": 5}, **tables})
    return str(error.value)


@pytest.mark.parametrize(
    ("engine", "key", "nearest"),
    [
        ({"kind": "chgnet", "devise": "cpu"}, "tier[0].engine.devise", "'device'"),
        ({"kind": "spp", "fil": "x"}, "tier[0].engine.fil", "'file'"),
        ({"kind": "vasp", "comand": "x"}, "tier[0].engine.comand", "'command'"),
        ({"kind": "vasp", "stage": [{"kspacng": 1}]}, "engine.stage[0].kspacng", "'kspacing'"),
        ({"kind": OUTSIDE, "cutof": 1.0}, "tier[0].engine.cutof", "'cutoff'"),
    ],
)
def test_a_misspelt_key_of_an_engine_names_the_nearest_key(engine, key, nearest):
    message = refused(tier=[{"engine": engine}])
    assert key in message
    assert f"Did you mean {nearest}?" in message


@pytest.mark.parametrize("kind", ["lowest-minima", "basin-hopping"])
def test_a_misspelt_key_of_a_search_and_of_its_generators_names_the_nearest_key(kind):
    assert "Did you mean 'population'?" in refused(search={"kind": kind, "populaton": 3})
    generators = [{"kind": "symmetric"}, {"kind": "blocks", "wieght": 1}]
    message = refused(search={"kind": kind, "generators": generators})
    assert "search.generators[1].wieght" in message
    assert "Did you mean 'weight'?" in message


def test_a_value_out_of_bounds_keeps_its_place():
    message = refused(tier=[{"engine": {"kind": OUTSIDE, "cutoff": -1.0}}])
    assert message.startswith("tier[0].engine.cutoff = -1.0 must be greater than 0")


def test_a_component_of_another_group_is_refused():
    message = refused(tier=[{"engine": {"kind": SYMMETRIC}}])
    assert "tier[0].engine" in message
    assert "belongs to the generators, not to the models and programs" in message
    assert "belongs to the models" in refused(search={"generators": [{"kind": OUTSIDE}]})
    assert "belongs to the models" in refused(search={"kind": OUTSIDE})


def test_a_module_that_fails_to_import_is_named_with_its_error(tmp_path, monkeypatch):
    (tmp_path / "broken_engine.py").write_text("raise RuntimeError('no licence\\nmore lines')\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = refused(tier=[{"engine": {"kind": "broken_engine:Engine"}}])
    assert "broken_engine" in message
    assert "RuntimeError: no licence" in message
    assert "more lines" not in message


@pytest.mark.parametrize("kind", [*kinds()["models"], OUTSIDE])
def test_a_tier_survives_the_way_to_a_worker(kind):
    needs = {"ase": {"calculator": "ase.calculators.emt:EMT"}, "force-field": {"file": "a.toml"}}
    needs |= {"torch-sim": {"model": "a:B"}, "surrogate": {"file": "a.fit"}}
    tier = TierSettings.model_validate({"engine": {"kind": kind, **needs.get(kind, {})}})
    data = tier.model_dump(mode="json")
    again = TierSettings.model_validate(json.loads(json.dumps(data)))
    assert again == tier
    assert type(again.engine) is find(kind, "models")
    assert again.model_dump(mode="json") == data


def test_the_schema_has_every_shipped_kind_and_allows_others():
    schema = json.dumps(RunSettings.model_json_schema())
    shipped = [
        kind for group in ("generators", "models", "programs") for kind in kinds()[group].values()
    ]
    assert all(f'"{kind.load().__name__}"' in schema for kind in shipped)
    assert '"pattern": ":"' in schema
