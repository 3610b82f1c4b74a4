"""Every key of every kind of network: good values come back, bad ones are named with a remedy."""

from __future__ import annotations

import io
import json
import tomllib
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest

from nucleate.energy.engine import Engine
from nucleate.errors import InputError
from nucleate.networks.keys import Cutoff, Device
from nucleate.networks.mlip import MlipSettings
from nucleate.plugins import find, kinds
from nucleate.run.settings import RelaxationSettings, json_schema
from nucleate.run.spec import spec_of
from nucleate.run.wire import frame, read_frame

KINDS = [
    kind.name for kind in kinds()["models"].values() if kind.path.startswith("nucleate.networks.")
]
REQUIRED: dict[str, dict[str, Any]] = {
    "ase": {"calculator": "ase.calculators.emt:EMT"},
    "torch-sim": {"model": "torch_sim.models.lennard_jones:LennardJonesModel"},
}
OF_PACKAGES = [kind for kind in KINDS if issubclass(find(kind, "models"), MlipSettings)]

OTHER: dict[str, dict[str, Any]] = {
    "ase": {"calculator": "ase.calculators.lj:LennardJones", "cutoff": 7.5,
            "options": {"sigma": 2.2, "rc": 7, "smooth": True, "more": ["a", {"b": 1.5}]}},
    "chgnet": {"model": "r2scan", "device": "cuda:1", "fuse": True},
    "grace": {"model": "GRACE-1L-OAM", "cutoff": 6.5},
    "mace": {"model": "small", "head": "pbe", "dtype": "float32", "device": "cuda", "cutoff": 5},
    "matgl": {"model": "M3GNet-PES", "cutoff": 4.5},
    "mattersim": {"model": "mattersim-v1.0.0-1m", "device": "cuda:0", "cutoff": 5.5},
    "orb": {"model": "orb-v3-direct-20-omat", "checkpoint": "own.ckpt", "dtype": "float32",
            "device": "mps", "cutoff": 5.5},
    "sevennet": {"model": "7net-mf-0", "modal": "R2SCAN", "device": "cuda:0"},
    "torch-sim": {"model": "my.models:Model", "options": {"device": "cpu"}, "cutoff": 3.5},
    "upet": {"model": "pet-mad-s", "version": "1.6.0", "dtype": "float32", "device": "xpu",
             "cutoff": 5.5},
}  # fmt: skip
"""A value other than the default for every key of every kind."""

NAMES = [("", "empty; give a name or a path"), (" ", "empty; give a name or a path"),
         (3, "must be a valid string"), (None, "must be a valid string")]  # fmt: skip
BAD: dict[str, list[tuple[Any, str]]] = {
    "device": [("gpu", "choose cpu, or cuda:0"), ("cuda:-1", "choose cpu"), ("", "choose cpu"),
               ("cuda:", "choose cpu"), ("CPU", "choose cpu"), (0, "must be a valid string")],
    "cutoff": [(0, "greater than 0"), (-1.0, "greater than 0"), (101, "less than or equal to 100"),
               (float("inf"), "less than"), (float("nan"), "less than|greater than"),
               ("six", "must be a valid number"), (None, "must be a valid number")],
    "options": [([], "must be a table with keys"), ("sigma = 2", "must be a table with keys")],
    "dtype": [("float16", "must be 'float32' or 'float64'"), (64, "must be 'float32'"),
              (None, "must be 'float32'")],
    "calculator": NAMES,
    "version": NAMES,
    "checkpoint": NAMES[:3],
    "head": NAMES[:3],
    "modal": [("PBE+U", "must be 'PBE' or 'R2SCAN'"), ("", "must be 'PBE' or 'R2SCAN'")],
    "fuse": [("perhaps", "must be a valid boolean"), (2, "must be a valid boolean")],
}  # fmt: skip
"""Values that a key never takes, and what the message says of them."""
CLOSED = {
    ("chgnet", "model"): [("0.4.0", "must be '0.3.0', 'r2scan' or '0.2.0'"), (0.3, "must be")],
    ("sevennet", "model"): [("7net", "must be '7net-0', '7net-l3i5' or '7net-mf-0'")],
}
"""Keys that take other values in some kind than elsewhere."""


def keys_of(kind: str) -> list[str]:
    return [key for key in find(kind, "models").model_fields if key != "kind"]


def table(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, **REQUIRED.get(kind, {}), **more}


def read(engine: dict[str, Any]) -> Engine:
    return RelaxationSettings.from_dict({"tier": [{"engine": engine}]}).tier[0].engine


def as_toml(value: Any) -> str:
    """Return a value as TOML writes it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value)


CASES = [
    pytest.param(kind, key, value, words, id=f"{kind}-{key}-{value}")
    for kind in KINDS
    for key in keys_of(kind)
    for value, words in CLOSED.get((kind, key), BAD.get(key, NAMES))
]


def test_every_network_is_here() -> None:
    assert set(OTHER) == set(KINDS)
    for kind in KINDS:
        assert set(OTHER[kind]) == set(keys_of(kind)), kind
        defaults = find(kind, "models").model_fields
        for key, value in OTHER[kind].items():
            assert value != defaults[key].get_default(call_default_factory=True)


@pytest.mark.parametrize(("kind", "key", "value", "words"), CASES)
def test_a_bad_value_is_named_with_its_key_and_what_to_write(
    kind: str, key: str, value: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(table(kind, **{key: value}))
    text = str(caught.value)
    assert text.startswith(f"tier[0].engine.{key}")
    assert isinstance(value, (dict, list)) or repr(value) in text
    assert text.endswith(".")
    assert "\n" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_key_is_named_with_the_known_ones(kind: str) -> None:
    with pytest.raises(InputError, match=r"engine.xyzzy is not a key .* Known keys: ") as caught:
        read(table(kind, xyzzy=1))
    for key in keys_of(kind):
        assert key in str(caught.value)


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_key_that_is_needed_is_asked_for(kind: str) -> None:
    (key,) = REQUIRED[kind]
    with pytest.raises(InputError, match=rf"tier\[0\].engine.{key} is missing. Add it."):
        read({"kind": kind})


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_survive_every_way_of_writing_them(kind: str) -> None:
    made = read(table(kind))
    assert read(made.model_dump(mode="json")) == made
    assert type(made).model_validate_json(made.model_dump_json()) == made
    assert made.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_other_values_survive_toml_and_messages_to_workers(kind: str) -> None:
    text = f"[[tier]]\nengine = {as_toml({'kind': kind, **OTHER[kind]})}\n"
    settings = RelaxationSettings.from_dict(tomllib.loads(text))
    engine = settings.tier[0].engine
    for key, value in OTHER[kind].items():
        assert getattr(engine, key) == value
    spec = spec_of(settings.tier, 0.0, settings.run)
    received = read_frame(io.BytesIO(frame({"op": "start", "tiers": list(spec.tiers)})))
    assert received is not None
    again = RelaxationSettings.from_dict({"tier": received["tiers"]})
    assert again.tier == settings.tier
    assert again.tier[0].engine.model_dump() == engine.model_dump()


@pytest.mark.parametrize("kind", OF_PACKAGES)
def test_the_home_folder_is_written_out(kind: str, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = read(table(kind, model="~/own.pt"))
    assert made.model_dump()["model"] == str(tmp_path / "own.pt")
    with pytest.raises(InputError, match=r"= '~no-such-user/x.pt': there is no such home folder"):
        read(table(kind, model="~no-such-user/x.pt"))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_cannot_be_changed_after_they_are_checked(kind: str) -> None:
    made = read(table(kind))
    key = keys_of(kind)[0]
    with pytest.raises(ValueError, match="frozen"):
        setattr(made, key, "other")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def run_of(engine: dict[str, Any]) -> dict[str, Any]:
    return {"problem": {"formula": "NaCl"}, "tier": [{"engine": engine}]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_takes_what_the_input_takes(kind: str, validator) -> None:
    validator.validate(run_of(table(kind)))
    validator.validate(run_of({"kind": kind, **OTHER[kind]}))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(run_of(table(kind, colour="red")))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "cutoff" in keys_of(kind)])
def test_the_schema_has_the_limits_of_the_cutoff(kind: str, validator) -> None:
    for value in (0, -1.0, 101, "six"):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(run_of(table(kind, cutoff=value)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_says_what_it_is(kind: str) -> None:
    for key, field in find(kind, "models").model_fields.items():
        assert field.description, key
        assert field.description.strip().endswith("."), key


@pytest.mark.parametrize("kind", KINDS)
def test_shared_keys_are_the_same_in_every_kind(kind: str) -> None:
    hints = get_type_hints(find(kind, "models"), include_extras=True)
    for key, shared in (("device", Device), ("cutoff", Cutoff)):
        if key in hints:
            assert get_args(hints[key])[:2] == get_args(shared)[:2]


@pytest.mark.parametrize("kind", OF_PACKAGES)
def test_kinds_of_packages_name_them_for_import_and_for_pip(kind: str) -> None:
    component = find(kind, "models")
    assert component.module.isidentifier()
    assert component.distribution.replace("-", "_").lower()
    assert component.__doc__
    assert component.distribution in component.__doc__


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (
            {"kind": "chgnet", "fuse": True},
            r'fuse = true needs a GPU: set engine.device = "cuda:0"',
        ),
        ({"kind": "chgnet", "fuse": True, "device": "cpu"}, "or leave fuse out"),
    ],
)
def test_kernels_of_a_gpu_are_not_asked_for_on_a_cpu(engine: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(engine)
    assert read({"kind": "chgnet", "fuse": False}).model_dump()["fuse"] is False


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_support_what_a_batched_model_supports(kind: str) -> None:
    component = find(kind, "models")
    depth = "guards.max_depth_ev_per_atom"
    assert component.supports >= {"fix_symmetry", "guards.energy_window_ev_per_atom"}
    assert (depth in component.supports) == (kind == "chgnet")
    assert component.energy_unit == "eV"
    assert component.ranks_single_points
    assert not component.is_program
    tier = {"name": "t", "engine": table(kind), "guards": {"max_depth_ev_per_atom": 1.0}}
    if kind == "chgnet":
        RelaxationSettings.from_dict({"tier": [tier]})
    else:
        with pytest.raises(InputError, match=f"{depth} is not for engine '{kind}'.*Remove it"):
            RelaxationSettings.from_dict({"tier": [tier]})
