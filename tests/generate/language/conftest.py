"""A small language with random weights: what must hold for every network holds for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def small_language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from nucleate.generate.trained import Trained, arrays_of
    from nucleate.generate.wyckoff_language.checkpoint import LANGUAGE
    from nucleate.generate.wyckoff_language.network import LanguageNetwork
    from nucleate.generate.wyckoff_language.settings import LanguageSettings

    torch.manual_seed(0)
    settings = LanguageSettings(width=32, layers=1, heads=2, components=4)
    network = LanguageNetwork(settings)
    path = tmp_path_factory.mktemp("language") / "small.safetensors"
    checkpoint = Trained(
        LANGUAGE,
        settings,
        arrays_of(network.state_dict()),
        tuple(range(1, 95)),
        {"name": "random weights"},
    )
    checkpoint.save(path)
    return path
