"""Symmetric crystals have the symmetry, the atoms and the contacts that were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group, symmetry_dataset
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.generate.wyckoff import operations, orbits, sites


@pytest.mark.parametrize("number", range(1, 231))
def test_every_orbit_is_closed_under_its_group(number: int) -> None:
    rotations, translations = operations(number)
    rng = np.random.default_rng(number)
    for site, orbit in zip(sites(number), orbits(number), strict=True):
        points = orbit.points(rng.random(site.freedom))
        images = (np.einsum("ni,kij->knj", points, rotations) + translations[:, None]).reshape(
            -1, 3
        )
        gaps = images[:, None] - points[None]
        gaps -= np.rint(gaps)
        nearest = np.abs(gaps).max(axis=2).min(axis=1)
        assert nearest.max() < 1e-9
        assert len(points) == site.multiplicity


@pytest.mark.parametrize(
    ("formula", "max_atoms"), [("SrTiO3", 20), ("CoAs2", 12), ("Ca3Ti2O7", 50), ("Mn", 30)]
)
def test_draws_are_valid_and_have_the_group_drawn(formula: str, max_atoms: int) -> None:
    space = SearchSpace.create(Composition.from_formula(formula), max_atoms=max_atoms)
    generator = SymmetricGenerator(space)
    found = 0
    for seed in range(30):
        candidate = generator.generate(rng=np.random.default_rng(seed))
        if candidate is None:
            continue
        found += 1
        crystal, detail = candidate.crystal, candidate.origin.detail
        assert space.rejection(crystal) is None
        assert crystal.n_atoms == detail["formula_units"] * space.composition.n_atoms
        number = int(detail["space_group_number"])
        dataset = symmetry_dataset(crystal, 1e-3)
        assert dataset is not None
        order = len(operations(number)[0])
        assert len(dataset.operations.rotations) % order == 0, "a supergroup, or the group drawn"
        assert space_group(crystal, 1e-3)[0] >= 2
    assert found >= 25


def test_same_stream_gives_the_same_crystal() -> None:
    space = SearchSpace.create(Composition.from_formula("YWB4"), max_atoms=24)
    first, second = (
        SymmetricGenerator(space).generate(rng=np.random.default_rng(3)) for _ in range(2)
    )
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.crystal.scaled, second.crystal.scaled)
    np.testing.assert_array_equal(first.crystal.cell, second.crystal.cell)


def test_limit_of_formula_units_holds() -> None:
    space = SearchSpace.create(Composition.from_formula("SrTiO3"), max_atoms=40)
    generator = SymmetricGenerator(space)
    for seed in range(10):
        candidate = generator.generate(rng=np.random.default_rng(seed), max_formula_units=2)
        assert candidate is None or candidate.crystal.n_atoms <= 10
    assert generator.generate(rng=np.random.default_rng(0), max_formula_units=0) is None
