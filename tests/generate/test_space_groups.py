"""Every space group can be drawn, and its crystals have it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import symmetry_dataset
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.generate.wyckoff import operations

FORMULAS = ("SiO2", "SrTiO3", "Ca3Ti2O7", "NaCl", "Mn")


@pytest.fixture(scope="module")
def generators():
    return [
        SymmetricGenerator(SearchSpace.create(Composition.from_formula(formula), max_atoms=52))
        for formula in FORMULAS
    ]


def drawn(generator, group, rng):
    """Return a crystal of one group in the smallest cell that holds it, or None."""
    for units in generator.space.formula_units:
        content = generator.content(units)
        if content.flat_shares[group] == 0.0:
            continue
        only = np.zeros_like(content.shares)
        only[group] = 1.0
        generator._content[units] = replace(content, shares=only, flat_shares=only)
        attempts = (generator.attempt(units, rng=rng) for _ in range(15))
        candidate = next((item for item in attempts if item is not None), None)
        generator._content[units] = content
        if candidate is not None:
            return candidate
    return None


@pytest.mark.parametrize("group", range(2, 231))
def test_a_crystal_of_each_group(group, generators):
    rng = np.random.default_rng(group)
    found = (drawn(generator, group, rng) for generator in generators)
    candidate = next(item for item in found if item is not None)
    assert candidate.origin.detail["space_group_number"] == group
    dataset = symmetry_dataset(candidate.crystal, 1e-3)
    assert dataset.number >= 2
    assert len(dataset.prim_std_cell.numbers) <= candidate.crystal.n_atoms
    assert _point_group_order(dataset.number) % _point_group_order(group) == 0


def _point_group_order(group):
    return len({rotation.tobytes() for rotation in np.asarray(operations(group)[0])})
