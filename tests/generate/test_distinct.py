"""One of each crystal is kept: compared with every pair of exact fingerprint distances."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.strategies import in_another_cell, rotations, seeds, supercell, unimodular

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, fingerprint, fingerprint_distance
from nucleate.crystal.space import SearchSpace
from nucleate.generate.distinct import distinct
from nucleate.generate.symmetric import SymmetricGenerator

ROUNDING = 0.01
"""Fingerprints are kept in short numbers, so distances this near to the limit may go either way."""

SALT = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=4)


def drawn(number: int, seed: int) -> list[Crystal]:
    source = SymmetricGenerator(SALT)
    found = (source.generate(rng=np.random.default_rng([seed, k])) for k in range(number))
    return [item.crystal for item in found if item is not None]


def plainly(crystals: list[Crystal], kinds: list[int], most_of_a_kind: int, most: int) -> list[int]:
    """Return the places that are kept, by comparing each with all that were kept before."""
    prints = [fingerprint(crystal) for crystal in crystals]
    kept: list[int] = []
    for place, print_ in enumerate(prints):
        if len(kept) == most:
            break
        if sum(kinds[other] == kinds[place] for other in kept) == most_of_a_kind:
            continue
        distances = np.array([fingerprint_distance(print_, prints[k]) for k in kept])
        assume((np.abs(distances / DUPLICATE_DISTANCE - 1.0) > ROUNDING).all())
        if (distances >= DUPLICATE_DISTANCE).all():
            kept.append(place)
    return kept


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 60))
def test_what_is_kept_is_what_a_comparison_of_all_pairs_keeps(seed, limit: int, most: int) -> None:
    crystals = drawn(30, seed)
    kinds = np.random.default_rng(seed).integers(0, 3, len(crystals)).tolist()
    expected = plainly(crystals, kinds, limit, most)
    assert distinct(crystals, most=most, kinds=kinds, most_of_a_kind=limit) == expected
    taken = Counter(kinds[place] for place in expected)
    assert max(taken.values(), default=0) <= limit
    assert distinct(crystals) == plainly(crystals, kinds, 10**6, 10**6)


def test_few_atoms_give_many_repeats() -> None:
    """Or the comparison above would compare lists of everything."""
    crystals = drawn(60, 0)
    assert 5 < len(distinct(crystals)) < 0.8 * len(crystals)


@settings(max_examples=20)
@given(seeds, unimodular(), rotations())
def test_other_descriptions_of_a_crystal_are_repeats(seed: int, change, turn) -> None:
    rng = np.random.default_rng(seed)
    (crystal, *_) = drawn(3, seed)
    other = in_another_cell(crystal, change)
    other = other.replace(cell=other.cell @ turn, scaled=other.scaled + rng.random(3))
    order = rng.permutation(other.n_atoms)
    other = other.replace(numbers=other.numbers[order], scaled=other.scaled[order])
    assert distinct([crystal, other, supercell(crystal, (1, 2, 1)), crystal]) == [0]


@pytest.mark.parametrize(("factor", "kept"), [(1.0, [0]), (1.01, [0]), (1.2, [0, 1])])
def test_volumes_decide_between_crystals_of_one_shape(factor: float, kept: list[int]) -> None:
    crystal = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    assert distinct([crystal, crystal.with_volume(factor * crystal.volume)]) == kept
