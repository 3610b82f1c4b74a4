"""Files of graph networks: what comes back, and what is refused with a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.networks.graph_network.checkpoint import (
    SHIPPED,
    Checkpoint,
    build_network,
    load_checkpoint,
    save_checkpoint,
    shipped_checkpoints,
)
from nucleate.networks.graph_network.network import GraphNetwork
from nucleate.networks.graph_network.settings import (
    CONFIGURATIONS,
    HarmonicSettings,
    MegnetSettings,
    configuration,
    settings_from_dict,
    settings_to_dict,
)

from .conftest import SMALL, untrained

SALT = Crystal(
    np.array([11, 17]), 2.8 * (1.0 - np.eye(3)), np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return the file of a small harmonic ensemble of two."""
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, untrained("harmonic", members=2).checkpoint)
    return path


def rewritten(
    path: Path,
    change: Callable[[dict[str, Any]], Any] = lambda facts: None,
    tensors: Callable[[dict[str, torch.Tensor]], Any] = lambda weights: None,
) -> None:
    """Change the facts and the tensors of a file; a value that is returned takes their place."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as archive:
        facts = json.loads(archive.metadata()["nucleate"])
    weights = load_file(path)
    other = change(facts)
    tensors(weights)
    text = other if isinstance(other, str) else json.dumps(facts if other is None else other)
    save_file(weights, path, metadata={"nucleate": text})


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert str(path) in text
    assert f"train one or use {SHIPPED}" in text
    return text


@pytest.mark.parametrize("kind", SMALL)
def test_a_file_gives_back_what_was_saved(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    made = replace(untrained(kind, members=2).checkpoint, about={"data": "tests", "mae": 0.1})
    save_checkpoint(path, made)
    save_checkpoint(path, made)  # in the place of the first
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    found = load_checkpoint(path)
    assert (found.settings, found.elements, found.about) == (
        made.settings, made.elements, made.about,
    )  # fmt: skip
    assert len(found.digest) == 12
    for mine, theirs in zip(found.members, made.members, strict=True):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_the_digest_is_that_of_the_weights(saved: Path) -> None:
    first = load_checkpoint(saved).digest
    assert load_checkpoint(saved).digest == first
    save_checkpoint(saved, untrained("harmonic", seed=9).checkpoint)
    assert load_checkpoint(saved).digest != first


def test_shipped_networks_are_known_by_name() -> None:
    assert SHIPPED in shipped_checkpoints()
    found = load_checkpoint(SHIPPED)
    assert found.about
    assert found.digest
    assert max(found.elements) < found.settings.elements
    with pytest.raises(InputError, match=f"there is no such file.*or one of: .*{SHIPPED}"):
        load_checkpoint("mp2018-harmonics")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: "{", "JSONDecodeError"),
        (lambda facts: "", "JSONDecodeError"),
        (lambda facts: [1, 2], "TypeError"),
        (lambda facts: facts.pop("settings"), "TypeError|KeyError: 'settings'"),
        (lambda facts: facts.__delitem__("settings"), "KeyError: 'settings'"),
        (lambda facts: facts.__delitem__("elements"), "KeyError: 'elements'"),
        (lambda facts: facts.__delitem__("about"), "KeyError: 'about'"),
        (lambda facts: facts.update(about="words"), "ValueError"),
        (lambda facts: facts.update(settings="harmonic"), "AttributeError|TypeError"),
        (lambda facts: facts["settings"].__delitem__("kind"), "KeyError: 'kind'"),
        (lambda facts: facts["settings"].update(kind="transformer"), "KeyError: 'transformer'"),
        (lambda facts: facts["settings"].update(kind="megnet"), "TypeError"),
        (lambda facts: facts["settings"].update(colour=3), "colour"),
        (lambda facts: facts["settings"].update(width=-16), "its width is -16"),
        (lambda facts: facts["settings"].update(width="16"), "TypeError"),
        (lambda facts: facts["settings"].update(neighbours=0), "its neighbours is 0"),
        (lambda facts: facts["settings"].update(r_max=float("nan")), "its r_max is nan"),
        (lambda facts: facts["settings"].update(r_max=float("inf")), "its r_max is inf"),
        (lambda facts: facts["settings"].update(width=16.5), "its width is 16.5"),
        (lambda facts: facts["settings"].update(neighbours=6.5), "its neighbours is 6.5"),
        (lambda facts: facts["settings"].update(width=32), "has the shape"),
        (lambda facts: facts["settings"].update(blocks=3), r"blocks\.2.* has the shape None"),
        (lambda facts: facts.update(elements=[8, "O"]), "its elements are"),
        (lambda facts: facts.update(elements=[0]), "its elements are"),
        (lambda facts: facts.update(elements=[8, 100]), "its elements are"),
        (lambda facts: facts.update(elements=7), "TypeError"),
    ],
)
def test_wrong_facts_are_refused(change: Callable, words: str, saved: Path) -> None:
    def changed(facts: dict[str, Any]) -> Any:
        other = change(facts)
        return other if isinstance(other, (str, list)) else None

    rewritten(saved, changed)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(refused(saved))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.clear(), r"its members are \[\]"),
        (lambda w: w.pop("1.embedding.weight"), r"1.embedding.weight has the shape None, not"),
        (lambda w: w.update({"0.more": torch.ones(2)}), r"0.more has the shape \(2,\), not None"),
        (
            lambda w: w.update({"0.readout.5.bias": torch.ones(2)}),
            r"0.readout.5.bias has the shape \(2,\), not \(1,\)",
        ),
        (lambda w: w.update({"bias": torch.ones(2)}), "ValueError: invalid literal"),
        (
            lambda w: [w.update({"3" + name[1:]: w.pop(name)}) for name in list(w) if name < "1"],
            r"its members are \[1, 3\]",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change: Callable, words: str, saved: Path) -> None:
    rewritten(saved, tensors=change)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(refused(saved))


@settings(max_examples=15, deadline=None)
@given(
    data=st.recursive(
        st.none() | st.integers(-3, 200) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=6,
    ),
    key=st.sampled_from(["settings", "elements", "about", "kind", ""]),
)
def test_no_facts_end_in_another_error(tmp_path_factory, data: Any, key: str) -> None:
    """Whatever is put in the place of a fact is refused, or is as good as the fact."""
    path = tmp_path_factory.mktemp("facts") / "own.safetensors"
    save_checkpoint(path, untrained("megnet").checkpoint)

    def changed(facts: dict[str, Any]) -> Any:
        if not key:
            return data if isinstance(data, (dict, list)) else None
        (facts["settings"] if key == "kind" else facts)[key] = data
        return None

    rewritten(path, changed)
    try:
        found = load_checkpoint(path)
    except InputError:
        return
    assert found.networks()


def test_members_predict_their_mean_and_the_first_stands_alone(tmp_path: Path) -> None:
    both = untrained("harmonic", members=2)
    alone = [
        GraphNetwork(replace(both.checkpoint, members=(state,))).energies([SALT])[0]
        for state in both.checkpoint.members
    ]
    assert alone[0] != alone[1]
    assert both.energies([SALT])[0] == pytest.approx(np.mean(alone), abs=1e-6)
    assert both.first().energies([SALT])[0] == alone[0]
    found = both.gradients([SALT])
    assert found.energies_ev_per_atom[0] == pytest.approx(np.mean(alone), abs=1e-6)


def test_networks_come_ready_to_predict() -> None:
    network = untrained("megnet")
    for member in network.checkpoint.networks():
        assert not member.training
    for member in network._members:
        assert not any(parameter.requires_grad for parameter in member.parameters())


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_any_work(device: str) -> None:
    with pytest.raises(InputError, match=f"device = '{device}'"):
        GraphNetwork(untrained("harmonic").checkpoint, device=device)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_settings_survive_json(name: str) -> None:
    made = configuration(name)
    data = json.loads(json.dumps(settings_to_dict(made)))
    assert data["kind"] in name
    assert settings_from_dict(data) == made
    assert type(settings_from_dict(data)) is type(made)


def test_an_unknown_configuration_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'mega' does not exist; choose one of harmonic, megnet"):
        configuration("mega")


@pytest.mark.parametrize("made", [HarmonicSettings(blocks=1), MegnetSettings(blocks=1)])
def test_the_same_seed_gives_the_same_weights(made: HarmonicSettings | MegnetSettings) -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(build_network(made).state_dict())
    names = [name for name in states[0] if name.endswith("weight")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in names)
    assert not all(torch.equal(states[0][name], states[2][name]) for name in names)


def test_a_checkpoint_of_no_members_is_not_saved_over_a_good_one(saved: Path) -> None:
    """An interrupted save leaves what was there: the new file takes its place in one step."""

    class Broken(dict):
        def items(self):
            raise KeyboardInterrupt

    before = saved.read_bytes()
    made = Checkpoint(SMALL["harmonic"], (Broken(),), (1,))
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(saved, made)
    assert saved.read_bytes() == before
