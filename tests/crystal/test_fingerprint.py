from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as build_crystal
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import (
    DUPLICATE_DISTANCE,
    fingerprint,
    fingerprint_distance,
    fingerprint_distances,
    is_duplicate,
)
from strategies import (
    in_another_cell,
    rotations,
    seeds,
    spread_crystals,
    supercell,
    unimodular,
)


def moved(crystal: Crystal, size: float, seed: int) -> Crystal:
    shift = np.random.default_rng(seed).normal(size=(crystal.n_atoms, 3)) * size
    return Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions + shift)


def strained(crystal: Crystal, strain: float) -> Crystal:
    return crystal.replace(cell=crystal.cell * (1.0 + strain))


@settings(max_examples=60)
@given(
    spread_crystals(max_atoms=6),
    unimodular(),
    rotations(),
    st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 3, 1), (1, 2, 2)]),
    seeds,
)
def test_the_same_crystal_has_the_same_fingerprint(
    crystal: Crystal,
    change: np.ndarray,
    rotation: np.ndarray,
    repeats: tuple[int, int, int],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    other = in_another_cell(supercell(crystal, repeats), change)
    order = rng.permutation(other.n_atoms)
    other = Crystal(
        other.numbers[order], other.cell @ rotation, other.scaled[order] + rng.random(3)
    )
    first, second = fingerprint(crystal), fingerprint(other)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    np.testing.assert_allclose(second, first, rtol=1e-4, atol=1e-4 * np.abs(first).max())
    assert fingerprint_distance(first, second) < 1e-4


@settings(max_examples=60)
@given(spread_crystals(max_atoms=8), seeds)
def test_small_moves_change_it_smoothly(crystal: Crystal, seed: int) -> None:
    start = fingerprint(crystal)
    near = [fingerprint_distance(start, fingerprint(moved(crystal, s, seed))) for s in (1e-4, 1e-3)]
    assert near[0] < 1e-3
    assert near[1] < 1e-2


def zinc_blende() -> Crystal:
    return Crystal.from_ase(bulk("ZnS", "zincblende", a=5.41))


def wurtzite() -> Crystal:
    return Crystal.from_ase(bulk("ZnS", "wurtzite", a=3.82, c=6.26))


DISTINCT = {
    "fcc and hcp": (
        Crystal.from_ase(bulk("Co", "fcc", a=3.54)),
        Crystal.from_ase(bulk("Co", "hcp", a=2.503, c=2.503 * 1.633)),
    ),
    "fcc and bcc": (
        Crystal.from_ase(bulk("Fe", "fcc", a=3.6)),
        Crystal.from_ase(bulk("Fe", "bcc", a=2.86)),
    ),
    "zinc blende and wurtzite": (zinc_blende(), wurtzite()),
    "rocksalt and CsCl": (
        Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)),
        Crystal.from_ase(bulk("NaCl", "cesiumchloride", a=3.4)),
    ),
    "rutile and anatase": (
        Crystal.from_ase(
            build_crystal(
                ["Ti", "O"],
                [(0, 0, 0), (0.305, 0.305, 0)],
                spacegroup=136,
                cellpar=[4.59, 4.59, 2.96, 90, 90, 90],
            )
        ),
        Crystal.from_ase(
            build_crystal(
                ["Ti", "O"],
                [(0, 0, 0), (0, 0, 0.208)],
                spacegroup=141,
                cellpar=[3.785, 3.785, 9.51, 90, 90, 90],
            )
        ),
    ),
}


@pytest.mark.parametrize("name", DISTINCT)
def test_polymorphs_are_told_apart_and_copies_are_not(name: str) -> None:
    for crystal, other in (DISTINCT[name], DISTINCT[name][::-1]):
        own = fingerprint(crystal)
        assert not is_duplicate(own, fingerprint(other))
        copy = moved(supercell(crystal, (2, 2, 2)), 0.02, seed=3)
        assert is_duplicate(own, fingerprint(copy))
        assert is_duplicate(own, fingerprint(strained(copy, 0.007)))
        assert not is_duplicate(own, fingerprint(strained(crystal, 0.03)))


def test_swapped_elements_are_seen() -> None:
    ordered = supercell(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64, cubic=True)), (2, 1, 1))
    swapped = ordered.numbers.copy()
    first, second = np.flatnonzero(swapped == 11)[0], np.flatnonzero(swapped == 17)[0]
    swapped[[first, second]] = swapped[[second, first]]
    assert not is_duplicate(fingerprint(ordered), fingerprint(ordered.replace(numbers=swapped)))


def test_distance_grows_with_strain() -> None:
    crystal = wurtzite()
    distances = [
        fingerprint_distance(fingerprint(crystal), fingerprint(strained(crystal, strain)))
        for strain in (0.0, 0.005, 0.01, 0.02, 0.05)
    ]
    assert distances[0] == 0.0
    assert np.all(np.diff(distances) > 0)
    assert distances[2] < DUPLICATE_DISTANCE < distances[3]


def test_other_compositions_are_infinitely_far() -> None:
    salt = fingerprint(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)))
    for formula, structure in (("KCl", "rocksalt"), ("ZnS", "zincblende")):
        other = fingerprint(Crystal.from_ase(bulk(formula, structure, a=5.64)))
        assert fingerprint_distance(salt, other) == np.inf
    element = fingerprint(Crystal.from_ase(bulk("Na", "bcc", a=4.2)))
    assert fingerprint_distance(salt, element) == np.inf


def test_distances_to_a_stack_are_those_of_pairs() -> None:
    rng = np.random.default_rng(0)
    numbers, cell = np.repeat([12, 8], 4), np.eye(3) * 4.8
    prints = [fingerprint(Crystal(numbers, cell, rng.random((8, 3)))) for _ in range(6)]
    together = fingerprint_distances(prints[0], np.array(prints))
    pairs = [fingerprint_distance(prints[0], other) for other in prints]
    np.testing.assert_allclose(together, pairs, rtol=1e-6)
    assert together[0] == 0.0
    assert fingerprint_distances(prints[0], np.empty((0, prints[0].size))).shape == (0,)


@pytest.mark.parametrize(
    "crystal",
    [
        Crystal(np.array([8]), np.zeros((3, 3)), np.zeros((1, 3))),
        Crystal(np.zeros(0), np.eye(3), np.zeros((0, 3))),
    ],
)
def test_it_needs_a_crystal(crystal: Crystal) -> None:
    with pytest.raises(ValueError, match="needs atoms"):
        fingerprint(crystal)
