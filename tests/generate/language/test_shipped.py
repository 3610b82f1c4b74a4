"""The language that comes with the package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.testing import check_generator
from nucleate.testing.common import space_of

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from nucleate.generate.wyckoff_language.checkpoint import load_language


def test_it_is_small_and_says_where_it_comes_from() -> None:
    path = files("nucleate.generate") / "wyckoff_language" / "checkpoints" / "mp.safetensors"
    assert len(path.read_bytes()) < 10_000_000
    about = load_language().about
    assert "CC-BY 4.0" in about["licence"]
    assert "Materials Project" in about["licence"]
    assert "eleven benchmark compositions" in about["notes"]


def test_simple_compounds_have_their_structure_first() -> None:
    for formula, group, words in (
        ("NaCl", 225, "Na a, Cl b"),
        ("CaF2", 225, "Ca a, F c"),
        ("SrTiO3", 221, "Sr a, Ti b, O c"),
    ):
        settings = named("wyckoff-language", number=4)
        generator = settings.build(GeneratorContext(space_of(formula, 12)))
        found = [
            (m.detail["space_group_number"], m.detail["wyckoff"]) for m in generator.members[:3]
        ]
        assert (group, words) in found
        first = generator.generate(rng=np.random.default_rng(0))
        assert first is not None
        assert first.origin.source == "wyckoff-language"
        assert {"log_likelihood", "log_density", "wyckoff"} <= set(first.origin.detail)


def test_it_keeps_the_contract_of_generators() -> None:
    check_generator(named("wyckoff-language", number=6), formula="TiO2", max_atoms=12)
