from __future__ import annotations

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds.lattice import LatticeSettings
from nucleate.plugins import find


def context(formula: str, told: list[str] | None = None) -> GeneratorContext:
    space = SearchSpace.create(Composition.from_formula(formula), max_atoms=10)
    return GeneratorContext(space, warn=([] if told is None else told).append)


def test_the_generator_gives_rock_salt_and_comes_to_an_end() -> None:
    assert find("lattice", "generators") is LatticeSettings
    where = context("MgO")
    settings = LatticeSettings(grids=150, relaxed=6, max_atoms=4)
    generator = settings.build(where)
    assert generator is not None
    rng = np.random.default_rng(0)
    candidates = []
    while (candidate := generator.generate(rng=rng)) is not None:
        candidates.append(candidate)
        generator.note(candidate.origin)
    assert candidates
    first = candidates[0]
    from nucleate.crystal.symmetry import space_group

    assert space_group(first.crystal, 0.1)[1] == "Fm-3m"
    assert first.origin.source == "lattice"
    assert first.origin.detail["grid_rank_proven"] == 1
    again = settings.build(where)
    assert again is not None
    same = again.generate(rng=np.random.default_rng(5))
    assert same is not None
    assert np.array_equal(same.crystal.scaled, first.crystal.scaled)


def test_metals_are_left_to_others() -> None:
    told: list[str] = []
    assert LatticeSettings().build(context("Cu", told)) is None
    assert "no oxidation states" in told[0]
