"""Files that cannot be a language are refused with a sentence; nothing is unpickled."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nucleate.errors import InputError
from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.testing.common import space_of

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")

from nucleate.generate.wyckoff_language.checkpoint import load_language


def _changed(source: Path, target: Path, **facts: object) -> Path:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(source, framework="np") as archive:
        kept = json.loads(archive.metadata()["nucleate-wyckoff-language"])
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    kept |= facts
    save_file(tensors, target, metadata={"nucleate-wyckoff-language": json.dumps(kept)})
    return target


def test_a_file_comes_back_as_it_was(small_language: Path) -> None:
    checkpoint = load_language(small_language)
    assert checkpoint.settings.width == 32
    assert checkpoint.about == {"name": "random weights"}
    assert len(checkpoint.digest) == 12


def test_others_may_read_a_file_where_they_may_read_its_folder(
    small_language: Path, tmp_path: Path
) -> None:
    load_language(small_language).save(tmp_path / "mine.safetensors")
    (tmp_path / "usual").write_text("")
    assert (tmp_path / "mine.safetensors").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_missing_and_cut_and_foreign_files(small_language: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nucleate train wyckoff-language"):
        load_language(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(small_language.read_bytes()[:5000])
    with pytest.raises(InputError, match="is damaged"):
        load_language(cut)
    other = tmp_path / "pickle.safetensors"
    other.write_bytes(pickle.dumps({"weights": [1.0] * 100}))
    with pytest.raises(InputError, match="is damaged"):
        load_language(other)
    from importlib.resources import files

    network = files("nucleate.networks.graph_network") / "checkpoints/mp2018-harmonic.safetensors"
    with pytest.raises(InputError, match="holds no language"):
        load_language(str(network))


def test_weights_of_another_type_are_one_sentence(small_language: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(small_language, framework="pt") as archive:
        facts = archive.metadata()
        weights = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    name = sorted(weights)[0]
    weights[name] = weights[name].to(torch.bfloat16)
    save_file(weights, tmp_path / "half.safetensors", metadata=facts)
    with pytest.raises(InputError, match=r"cannot be read .* write them as float32"):
        load_language(tmp_path / "half.safetensors")


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"version": 99}, "version is 99"),
        ({"settings": {"width": 64}}, "has the shape"),
        ({"settings": {"width": "wide"}}, "not a positive size"),
        ({"elements": []}, "elements"),
    ],
)
def test_other_versions_are_refused(
    small_language: Path, tmp_path: Path, facts: dict[str, object], word: str
) -> None:
    path = _changed(small_language, tmp_path / "changed.safetensors", **facts)
    with pytest.raises(InputError, match=word):
        load_language(path)
    with pytest.raises(InputError, match=r"changed\.safetensors"):
        named("wyckoff-language", checkpoint=str(path)).build(
            GeneratorContext(space_of("TiO2", 12))
        )


def test_importing_nucleate_does_not_import_torch() -> None:
    code = (
        "import sys, nucleate; from nucleate.plugins import find;"
        "find('wyckoff-language', 'generators'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
