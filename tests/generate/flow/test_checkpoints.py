"""Files that cannot be a flow are refused with a sentence; nothing is unpickled."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nucleate.errors import InputError
from nucleate.generate.build import build_generators, named
from nucleate.generate.context import GeneratorContext
from nucleate.testing.common import space_of

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from nucleate.generate.flow.checkpoint import FLOW


def _changed(source: Path, target: Path, **facts: object) -> Path:
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(source, framework="pt") as archive:
        kept = json.loads(archive.metadata()["nucleate-flow"])
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    kept |= facts
    save_file(tensors, target, metadata={"nucleate-flow": json.dumps(kept)})
    return target


def test_a_file_comes_back_as_it_was(small_flow: Path) -> None:
    checkpoint = FLOW.load(small_flow)
    assert checkpoint.settings.width == 16
    assert checkpoint.about == {"name": "random weights"}
    assert len(checkpoint.digest) == 12


def test_missing_and_cut_and_foreign_files(small_flow: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nucleate train flow"):
        FLOW.load(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(small_flow.read_bytes()[:5000])
    with pytest.raises(InputError, match="is damaged"):
        FLOW.load(cut)
    other = tmp_path / "pickle.safetensors"
    other.write_bytes(pickle.dumps({"weights": [1.0] * 100}))
    with pytest.raises(InputError, match="is damaged"):
        FLOW.load(other)
    from importlib.resources import files

    network = files("nucleate.networks.graph_network") / "checkpoints/mp2018-harmonic.safetensors"
    with pytest.raises(InputError, match="holds no flow"):
        FLOW.load(str(network))


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"version": 99}, "version is 99"),
        ({"settings": {"width": 64}}, "has the shape"),
        ({"settings": {"width": "wide"}}, "not a positive size"),
        ({"settings": {"cutoff": 1e9}}, "not a length"),
        ({"elements": []}, "elements"),
    ],
)
def test_other_versions_are_refused(
    small_flow: Path, tmp_path: Path, facts: dict[str, object], word: str
) -> None:
    path = _changed(small_flow, tmp_path / "changed.safetensors", **facts)
    with pytest.raises(InputError, match=word):
        FLOW.load(path)
    with pytest.raises(InputError, match=r"changed\.safetensors"):
        named("flow", checkpoint=str(path)).build(GeneratorContext(space_of("TiO2", 12)))


@pytest.mark.parametrize(
    ("formula", "most", "word"),
    [("AcO2", 12, "has not seen Ac"), ("Ca3Al2Si3O12", 40, "no cell of more than 12 atoms")],
)
def test_what_it_has_not_seen_is_left_to_others_with_one_warning(
    small_flow: Path, tmp_path: Path, formula: str, most: int, word: str
) -> None:
    known = _changed(small_flow, tmp_path / "known.safetensors", elements=list(range(1, 89)))
    said: list[str] = []
    context = GeneratorContext(space_of(formula, most), warn=said.append)
    mix = build_generators([named("flow", checkpoint=str(known))], context)
    made = [mix.generate(rng=np.random.default_rng(k)) for k in range(3)]
    assert all(c is not None and c.origin.source != "flow" for c in made)
    assert len(said) == 1
    assert word in said[0]


def test_sizes_beyond_the_training_are_named(small_flow: Path) -> None:
    said: list[str] = []
    context = GeneratorContext(space_of("TiO2", 24), seed=1, warn=said.append)
    generator = named("flow", checkpoint=str(small_flow), number=3, steps=1).build(context)
    generator.prepare()
    assert len(said) == 1
    assert "at most 12 atoms" in said[0]


def test_importing_nucleate_does_not_import_torch() -> None:
    code = (
        "import sys, nucleate; from nucleate.plugins import find;"
        "find('flow', 'generators'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
