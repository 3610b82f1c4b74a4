"""Checkpoints of CHGNet: read as torch reads them, and refused where they are damaged."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.chgnet import checkpoint
from nucleate.networks.chgnet.checkpoint import MODELS, Checkpoint, load_checkpoint
from nucleate.networks.chgnet.parameters import WIDTH, parameters_of

pytest.importorskip("chgnet")

REMEDY = "Install it again: pip install --force-reinstall chgnet"


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Return the newest checkpoint as torch reads it: arguments and weights."""
    path = checkpoint.checkpoint_path("0.3.0")
    loaded = torch.load(path, map_location="cpu", weights_only=False)["model"]
    return {key: loaded[key] for key in ("model_args", "state_dict")}


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the checkpoint of a package is looked for."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(checkpoint, "util", SimpleNamespace(find_spec=lambda _: spec))
    folder = tmp_path / "pretrained" / "0.3.0"
    folder.mkdir(parents=True)
    return folder / "own.pth.tar"


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        parameters_of(load_checkpoint())
    text = str(caught.value)
    assert str(path) in text
    assert REMEDY in text
    return text


@pytest.mark.parametrize("model", MODELS)
def test_arguments_and_weights_are_those_that_torch_reads(model: str) -> None:
    mine = load_checkpoint(model)
    path = checkpoint.checkpoint_path(model)
    theirs = torch.load(path, map_location="cpu", weights_only=False)["model"]
    assert dict(mine.arguments) == theirs["model_args"]
    assert mine.weights.keys() == theirs["state_dict"].keys()
    for name, weight in theirs["state_dict"].items():
        assert np.array_equal(mine.weights[name], weight.numpy()), name


@pytest.mark.parametrize("model", MODELS)
def test_parameters_have_the_documented_shapes(model: str) -> None:
    p = parameters_of(load_checkpoint(model))
    layers = len(p.atom.first)
    assert (p.cutoff, p.atom_embedding.shape) == (6.0 if model != "0.2.0" else 5.0, (95, WIDTH))
    assert p.atom_energy.shape == (95,)
    assert not p.atom_energy[0]
    assert p.atom.first.shape == (layers, 3, WIDTH, 2 * WIDTH)
    assert p.bond.first.shape == (layers - 1, 4, WIDTH, 2 * WIDTH)
    assert p.angle.first.shape == (layers - 2, 4, WIDTH, 2 * WIDTH)
    assert len(p.angle.second) == 0
    assert p.atom.out.shape == (layers, WIDTH, WIDTH)
    arrays = [*p.atom, *p.bond, *p.angle, *(value for value in p if isinstance(value, np.ndarray))]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_the_first_map_is_cut_by_what_it_acts_on() -> None:
    """W [centre; bond; neighbour] is the sum of the three blocks' products."""
    found = load_checkpoint()
    p = parameters_of(found)
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(3, 5, WIDTH)).astype(np.float32)
    for half, name in enumerate(("core", "gate")):
        root = f"atom_conv_layers.1.twoBody_atom.mlp_{name}.layers.0."
        whole = np.concatenate(list(parts), axis=1) @ found.weights[root + "weight"].T
        columns = slice(half * WIDTH, (half + 1) * WIDTH)
        blocks = np.einsum("pij,pjk->ik", parts, p.atom.first[1][:, :, columns])
        np.testing.assert_allclose(blocks, whole, atol=1e-4)
        assert np.array_equal(p.atom.first_bias[1, columns], found.weights[root + "bias"])


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.9999])
def test_a_file_that_was_cut_is_refused(part: float, own_file: Path, state: dict) -> None:
    torch.save({"model": state}, own_file)
    content = own_file.read_bytes()
    own_file.write_bytes(content[: int(part * len(content))])
    assert "BadZipFile" in refused(own_file)


def test_a_byte_that_changed_is_found(own_file: Path, state: dict) -> None:
    torch.save({"model": state}, own_file)
    with zipfile.ZipFile(own_file) as archive:
        largest = max(archive.infolist(), key=lambda item: item.file_size)
    content = bytearray(own_file.read_bytes())
    content[largest.header_offset + largest.file_size // 2] ^= 0x40
    own_file.write_bytes(content)
    assert "Bad CRC-32" in refused(own_file)


def test_files_of_other_kinds_are_refused(own_file: Path) -> None:
    torch.save({"weights": [1, 2]}, own_file)
    assert "KeyError: 'model'" in refused(own_file)
    torch.save([1, 2], own_file)
    refused(own_file)
    torch.save({"model": {"model_args": 3, "state_dict": {}}}, own_file)
    refused(own_file)
    with zipfile.ZipFile(own_file, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "holds no data.pkl" in refused(own_file)
    with zipfile.ZipFile(own_file, "w") as archive:
        archive.writestr("archive/data.pkl", b"not a pickle")
    refused(own_file)
    own_file.unlink()
    own_file.mkdir()
    assert "IsADirectoryError" in refused(own_file)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named(value: float, own_file: Path, state: dict) -> None:
    weights = dict(state["state_dict"])
    weights["bond_embedding.weight"] = weights["bond_embedding.weight"].clone()
    weights["bond_embedding.weight"][3, 4] = value
    torch.save({"model": {**state, "state_dict": weights}}, own_file)
    assert "weight bond_embedding.weight is not finite" in refused(own_file)


class _Trap:
    """What would run a command where a pickle is trusted."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_a_checkpoint_runs_no_code(own_file: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with zipfile.ZipFile(own_file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"model": _Trap(mark)}, protocol=2))
    refused(own_file)
    assert not mark.exists()


def without(state: dict[str, Any], part: str, name: str) -> Checkpoint:
    parts = {key: {k: v for k, v in values.items() if (key, k) != (part, name)}
             for key, values in state.items()}  # fmt: skip
    weights = {key: value.numpy() for key, value in parts["state_dict"].items()}
    return Checkpoint("0.3.0", "9.9", "", parts["model_args"], weights)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("model_args", "n_conv"),
        ("model_args", "atom_graph_cutoff"),
        ("state_dict", "bond_weights_ag.weight"),
        ("state_dict", "composition_model.fc.weight"),
        ("state_dict", "atom_conv_layers.0.twoBody_atom.mlp_core.layers.0.bias"),
        ("state_dict", "mlp.layers.0.weight"),
    ],
)
def test_a_network_of_another_architecture_is_refused(part: str, name: str, state: dict) -> None:
    words = rf"CHGNet 0.3.0 of chgnet 9.9 is of another.*{name}.*Install chgnet=="
    with pytest.raises(InputError, match=words):
        parameters_of(without(state, part, name))


def test_weights_of_another_width_are_refused(state: dict) -> None:
    found = without(state, "", "")
    weights = {**found.weights}
    name = "atom_conv_layers.1.twoBody_atom.mlp_core.layers.0.weight"
    weights[name] = weights[name][:, :-1]
    with pytest.raises(InputError, match="of another architecture"):
        parameters_of(Checkpoint("0.3.0", "9.9", "", found.arguments, weights))


def test_no_package_no_file_and_no_such_model(own_file: Path, monkeypatch) -> None:
    with pytest.raises(InputError, match=r"engine.model = '0.4.0' is not a CHGNet model; use one"):
        load_checkpoint("0.4.0")
    for spec in (SimpleNamespace(submodule_search_locations=[str(own_file.parent)]), None):
        monkeypatch.setattr(
            checkpoint, "util", SimpleNamespace(find_spec=lambda _, found=spec: found)
        )
        with pytest.raises(MissingDependencyError, match=r'pip install "nucleate\[chgnet\]"'):
            load_checkpoint()
