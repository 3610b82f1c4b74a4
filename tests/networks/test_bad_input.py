"""Messages of the networks name the key, the value and the remedy."""

from __future__ import annotations

import pytest
import torch

from nucleate.errors import InputError
from nucleate.networks.device import check_device
from nucleate.networks.factory import made_by_path
from nucleate.networks.given import GivenSettings
from nucleate.networks.graph_network.checkpoint import (
    Checkpoint,
    build_network,
    load_checkpoint,
    save_checkpoint,
)
from nucleate.networks.graph_network.settings import HarmonicSettings

EXAMPLE = "ase.calculators.emt:EMT"


@pytest.mark.parametrize(
    ("path", "options", "error", "words"),
    [
        ("EMT", {}, InputError, "not an import path. Write it like"),
        (":EMT", {}, InputError, "not an import path. Write it like"),
        ("ase.calculators.emt:", {}, InputError, "not an import path. Write it like"),
        (".emt:EMT", {}, InputError, "not an import path. Write it like"),
        ("no_such_module:X", {}, InputError, "no_such_module is not installed"),
        ("ase.calculators.emt:EMTT", {}, InputError, "has no EMTT. Correct the path"),
        ("ase.units:create_units", {"colour": 1}, InputError, "colour"),
    ],
)
def test_an_import_path_that_gives_nothing(path, options, error, words):
    with pytest.raises(error, match=words) as caught:
        made_by_path("calculator", path, options, EXAMPLE)
    assert f"calculator = {path!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("device", "gpus", "words"),
    [
        ("gpu", 1, "choose cpu or cuda"),
        ("cuda:-1", 1, "choose cpu or cuda"),
        ("cuda:", 1, "choose cpu or cuda"),
        ("cpu:0", 1, "choose cpu or cuda"),
        ("cuda", 0, "torch sees no GPU here; use cpu"),
        ("cuda:2", 2, "the last GPU that torch sees is cuda:1"),
    ],
)
def test_a_device_that_is_not_there(device, gpus, words, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(InputError, match=words) as caught:
        check_device(device)
    assert f"device = {device!r}" in str(caught.value)


def test_devices_that_are_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device in ("cpu", "cuda", "cuda:0", "cuda:1"):
        check_device(device)


def test_an_object_that_is_no_model_and_one_that_is_gone():
    with pytest.raises(InputError, match=r"model is a list. Give the name of a model"):
        GivenSettings.of([])
    gone = GivenSettings(name="my.module:Calculator")
    with pytest.raises(InputError, match=r"my.module:Calculator lives in the process"):
        gone.build(None)


@pytest.fixture(scope="module")
def weights():
    settings = HarmonicSettings()
    torch.manual_seed(1)
    return Checkpoint(settings, (build_network(settings).state_dict(),), (8, 12))


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
def test_a_file_that_was_cut_is_refused(weights, part, tmp_path):
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, weights)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InputError, match=r"damaged.*copy it again") as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named(weights, value, tmp_path):
    state = dict(weights.members[0])
    name = next(key for key, tensor in state.items() if tensor.is_floating_point())
    state[name] = state[name].clone()
    state[name].view(-1)[-1] = value
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, Checkpoint(weights.settings, (state,), weights.elements))
    with pytest.raises(InputError, match=f"weight 0.{name} is not finite"):
        load_checkpoint(path)


def test_a_file_of_other_tensors_and_no_file(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"holds no nucleate graph network; train one"):
        load_checkpoint(path)
    with pytest.raises(InputError, match=r"there is no such file.*or one of: .*mp2018-harmonic"):
        load_checkpoint(tmp_path / "absent.safetensors")
