"""Seeds are checked and given in order; a mix falls through to another generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif, write_extxyz
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate import settings as generate_settings
from nucleate.generate.mix import GeneratorMix
from nucleate.generate.seeds import SeedsGenerator, load_seeds
from nucleate.generate.settings import GeneratorContext, SeedsSettings, build_generators

NACL = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=16)
ROCKSALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
CAESIUM = Crystal.from_ase(bulk("NaCl", "cesiumchloride", a=3.45))


def test_seeds_come_in_order_then_none(tmp_path: Path) -> None:
    write_extxyz(tmp_path / "a.extxyz", [("one", ROCKSALT), ("two", CAESIUM)])
    write_cif(tmp_path / "b.cif", ROCKSALT)
    generator = SeedsGenerator(NACL, load_seeds(str(tmp_path)))
    rng = np.random.default_rng(0)
    drawn = [generator.generate(rng=rng) for _ in range(4)]
    assert drawn[3] is None
    volumes = [item.crystal.volume for item in drawn[:3] if item is not None]
    expected = [ROCKSALT.volume, CAESIUM.volume, ROCKSALT.volume]
    np.testing.assert_allclose(volumes, expected, rtol=1e-8)


def test_wrong_seeds_are_named(tmp_path: Path) -> None:
    wrong = Crystal.from_ase(bulk("KCl", "rocksalt", a=6.3))
    with pytest.raises(InputError, match=r"bad\.cif has the composition .*not NaCl"):
        SeedsGenerator(NACL, [("bad.cif", wrong)])
    large = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64) * (3, 3, 1))
    with pytest.raises(InputError, match="18 atoms, more than max_atoms = 16"):
        SeedsGenerator(NACL, [("large.cif", large)])
    with pytest.raises(InputError, match="matches no structure file"):
        load_seeds(str(tmp_path / "*.cif"))


def test_mix_falls_through_and_counts() -> None:
    empty = SeedsGenerator(NACL, [])
    full = SeedsGenerator(NACL, [("x", ROCKSALT)])
    mix = GeneratorMix([(empty, 5.0), (full, 1.0)])
    assert mix.generate(rng=np.random.default_rng(0)) is not None
    assert mix.generate(rng=np.random.default_rng(0)) is None
    assert mix.counts["seeds"] == 1
    with pytest.raises(ValueError, match="positive weight"):
        GeneratorMix([(full, 0.0)])


def test_seeds_alone_come_first_and_are_completed(tmp_path: Path) -> None:
    write_cif(tmp_path / "b.cif", ROCKSALT)
    mix = build_generators([SeedsSettings(files=str(tmp_path / "b.cif"))], NACL)
    sources = []
    for seed in range(4):
        candidate = mix.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        sources.append(candidate.origin.source)
    assert sources[0] == "seeds"
    assert "seeds" not in sources[1:]


def kinds_of(mix):
    return [generator.name for generator in mix.generators]


def test_a_run_of_large_cells_begins_with_a_pool_and_small_ones_need_none(tmp_path):
    pytest.importorskip("torch")
    large = SearchSpace.create(Composition.from_formula("Ca3Ti2O7"), max_atoms=48)
    small = SearchSpace.create(Composition.from_formula("Ca3Ti2O7"), max_atoms=12)
    around = GeneratorContext(folder=tmp_path, score=None)
    assert "graph-search" in kinds_of(build_generators([], large, around))
    assert kinds_of(build_generators([], small, around)) == ["symmetric", "blocks"]
    assert kinds_of(build_generators([], large)) == ["symmetric", "blocks"]


def test_without_torch_the_defaults_do_without_a_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(generate_settings, "_has_torch", lambda: False)
    space = SearchSpace.create(Composition.from_formula("Ca3Ti2O7"), max_atoms=48)
    around = GeneratorContext(folder=tmp_path, score=None)
    assert kinds_of(build_generators([], space, around)) == ["symmetric", "blocks"]
