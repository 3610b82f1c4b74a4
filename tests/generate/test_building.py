"""Crystals built from layouts: contacts, equivalent atoms and volumes, by plain counting."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice
from tests.strategies import cells, crystals, in_another_cell, seeds, supercell, unimodular

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.lattice import reduce_lattice
from nucleate.crystal.space import SearchSpace
from nucleate.generate.layouts import SAME_POINT, Built, Layout, build, layout_of
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.generate.symmetric_cells import cell_of, shape_of
from nucleate.generate.symmetric_placement import has_translation, heights_of
from nucleate.generate.wyckoff import operations, primitive_vectors, sites

IMAGES = np.array(list(product(range(-3, 4), repeat=3)))
OXIDE = SymmetricGenerator(SearchSpace.create(Composition.from_formula("MgAl2O4"), max_atoms=28))


def shortest(crystal: Crystal, first: int, second: int) -> float:
    """Return the shortest distance of two elements by plain images of a reduced cell."""
    ours = crystal.scaled[crystal.numbers == first]
    theirs = crystal.scaled[crystal.numbers == second]
    gaps = ours[:, None, None] - theirs[None, :, None] + IMAGES
    lengths = np.linalg.norm(gaps @ crystal.cell, axis=-1)
    return float(lengths[lengths > 1e-6].min(initial=np.inf))


def drawn(seed: int, units: int = 2) -> tuple[Layout, np.ndarray, np.ndarray]:
    """Return a random layout of the oxide, a shape of its cell and free coordinates."""
    rng = np.random.default_rng(seed)
    content = OXIDE.content(units)
    group = int(rng.choice(np.flatnonzero(content.shares)))
    occupied = OXIDE.draw_assignment(content, group, explore=False, rng=rng)
    layout = OXIDE.layout(group, occupied)
    shape = OXIDE._prior.cells.draw_shape(group, layout.n_atoms, rng=rng)
    assert shape is not None
    return layout, shape, rng.random((len(layout.parts), 30, 3))


def built(seed: int, limit: float) -> tuple[Layout, Built | None]:
    layout, shape, rolls = drawn(seed)
    return layout, build(layout, shape, 320.0, np.full((3, 3), limit), rolls)


def test_most_layouts_can_be_built() -> None:
    """Or the tests that follow would look at nothing."""
    assert sum(built(seed, 1.4)[1] is not None for seed in range(60)) > 30


@settings(max_examples=40)
@given(seeds, st.floats(0.6, 2.2))
def test_what_is_built_keeps_limits_volume_and_amounts(seed: int, limit: float) -> None:
    layout, found = built(seed, limit)
    if found is None:
        return
    crystal = found.crystal
    assert crystal.volume == pytest.approx(320.0)
    assert np.linalg.det(crystal.cell) > 0.0
    assert crystal.numbers.tolist() == [8] * 8 + [12] * 2 + [13] * 4
    assert ((crystal.scaled >= 0.0) & (crystal.scaled < 1.0)).all()
    pairs = [(8, 8), (8, 12), (8, 13), (12, 12), (12, 13), (13, 13)]
    assert min(shortest(crystal, *pair) for pair in pairs) >= limit - 1e-9
    assert len(found.free) == len(layout.parts)


@settings(max_examples=30)
@given(seeds)
def test_atoms_of_an_orbit_are_those_that_spglib_finds_equivalent(seed: int) -> None:
    layout, found = built(seed, 1.2)
    if found is None:
        return
    crystal = found.crystal
    cell = (crystal.cell, crystal.scaled, crystal.numbers)
    dataset = spglib.get_symmetry_dataset(cell, symprec=1e-5)
    for atom, first in enumerate(found.orbit):
        assert crystal.numbers[atom] == crystal.numbers[first]
        assert dataset.crystallographic_orbits[atom] == dataset.crystallographic_orbits[first]
    assert len(set(found.orbit.tolist())) == len(layout.parts)
    assert sorted(np.bincount(found.orbit)[sorted(set(found.orbit))].tolist()) == sorted(
        np.diff(layout.start).tolist()
    )
    if dataset.number == layout.group:
        assert len(set(dataset.crystallographic_orbits.tolist())) == len(layout.parts)


@settings(max_examples=30)
@given(seeds)
def test_the_free_coordinates_taken_give_the_same_crystal_again(seed: int) -> None:
    layout, shape, rolls = drawn(seed)
    limits = np.full((3, 3), 1.4)
    first = build(layout, shape, 320.0, limits, rolls)
    if first is None:
        return
    again = build(layout, shape, 320.0, limits, first.free[:, None])
    assert again is not None
    np.testing.assert_allclose(again.free, first.free, atol=1e-12)
    np.testing.assert_array_equal(again.orbit, first.orbit)
    gaps = again.crystal.scaled - first.crystal.scaled
    np.testing.assert_allclose(gaps, np.rint(gaps), atol=1e-9)
    unused = np.arange(3) >= layout.freedom[:, None]
    assert not first.free[unused].any()


@settings(max_examples=30)
@given(seeds)
def test_stricter_limits_never_place_more(seed: int) -> None:
    """Where all tries of every orbit fail for some limits, they fail for stricter ones at once."""
    layout, shape, rolls = drawn(seed)
    single = rolls[:, :1]
    results = [
        build(layout, shape, 320.0, np.full((3, 3), limit), single) is not None
        for limit in (0.0, 0.8, 1.2, 1.6, 2.0)
    ]
    assert results == sorted(results, reverse=True)


def test_an_impossible_shape_is_no_crystal() -> None:
    layout = layout_of(2, np.array([[0] * 8 + [1]]), np.array([14]), np.array([1.0]))
    flat = np.array([0.0, 0.0, *np.radians([30.0, 30.0, 100.0])])
    rolls = np.full((1, 1, 3), 0.2)
    assert build(layout, flat, 40.0, np.zeros((1, 1)), rolls) is None
    good = np.array([0.0, 0.0, *np.radians([90.0, 80.0, 100.0])])
    assert build(layout, good, 40.0, np.zeros((1, 1)), rolls) is not None


def test_a_crystal_with_a_smaller_cell_is_no_crystal() -> None:
    """Positions a and b of P-1 with one element are a lattice of half the volume."""
    shape = shape_of(2, (4.0, 4.4, 5.0, 85.0, 95.0, 100.0))
    rolls = np.zeros((2, 1, 3))
    occupied = np.zeros((1, 9), np.int64)
    occupied[0, :2] = 1
    one = layout_of(2, occupied, np.array([14]), np.array([1.0]))
    assert build(one, shape, 60.0, np.zeros((1, 1)), rolls) is None
    two = layout_of(2, np.eye(2, 9, dtype=np.int64), np.array([11, 17]), np.array([1.0, 1.0]))
    assert build(two, shape, 60.0, np.zeros((2, 2)), rolls) is not None


@pytest.mark.parametrize("group", [2, 12, 14, 62, 136, 139, 166, 167, 194, 216, 225, 227, 230])
def test_a_general_orbit_has_exactly_its_group(group: int) -> None:
    """Beside a heavy orbit in general position, spglib finds no operation too many or too few."""
    found = sites(group)
    occupied = np.zeros((1, len(found)), np.int64)
    occupied[0, -1] = 1
    layout = layout_of(group, occupied, np.array([14]), np.array([1.0]))
    lengths = (5.0, 5.6, 6.3, 84.0, 97.0, 102.0)
    rolls = np.array([[[0.1372, 0.2835, 0.0643]]])
    crystal = build(layout, shape_of(group, lengths), 3000.0, np.zeros((1, 1)), rolls)
    assert crystal is not None
    cell = (crystal.crystal.cell, crystal.crystal.scaled, crystal.crystal.numbers)
    dataset = spglib.get_symmetry_dataset(cell, symprec=1e-5)
    assert dataset.number == group
    assert len(dataset.rotations) == len(operations(group)[0]) == found[-1].multiplicity
    assert set(dataset.site_symmetry_symbols) == {"1"}


@pytest.mark.parametrize("group", range(1, 231, 7))
def test_primitive_cells_have_the_lattice_of_the_group(group: int) -> None:
    conventional = cell_of(group, shape_of(group, (5.0, 5.6, 6.3, 84.0, 97.0, 102.0)))
    primitive = primitive_vectors(group) @ conventional
    points = round(np.linalg.det(conventional) / np.linalg.det(primitive))
    assert points in (1, 2, 3, 4)
    steps = np.linalg.inv(primitive_vectors(group))
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    for rotation in operations(group)[0]:
        metric = primitive @ primitive.T
        np.testing.assert_allclose(rotation @ metric @ rotation.T, metric, atol=1e-9)


@settings(max_examples=40)
@given(crystals(min_atoms=1, max_atoms=6), st.integers(1, 2), st.integers(1, 3), seeds)
def test_translations_are_those_that_spglib_finds(crystal, a: int, b: int, seed: int) -> None:
    moved = crystal.replace(scaled=np.random.default_rng(seed).random(crystal.scaled.shape))
    large = supercell(moved, (a, b, 1))
    primitive = spglib.find_primitive((moved.cell, moved.scaled, moved.numbers), symprec=1e-3)
    if primitive is None or len(primitive[2]) < moved.n_atoms:
        return
    assert not has_translation(moved.numbers, moved.scaled, SAME_POINT)
    assert has_translation(large.numbers, large.scaled, SAME_POINT) == (a * b > 1)


def test_a_small_mismatch_is_no_translation() -> None:
    numbers = np.array([11, 11, 17, 17])
    scaled = np.array([[0.0, 0, 0], [0.5, 0, 0], [0.1, 0.3, 0.5], [0.6, 0.3, 0.5]])
    assert has_translation(numbers, scaled, 1e-3)
    for size, expected in ((0.5e-3, True), (2e-3, False)):
        shifted = scaled.copy()
        shifted[3, 1] += size
        assert has_translation(numbers, shifted, 1e-3) == expected
    shifted = scaled + np.array([[0, 0, 3], [1, -2, 0], [0, 0, 0], [0, 1, 0]])
    assert has_translation(numbers, shifted, 1e-3), "other images are the same points"
    assert not has_translation(np.array([11, 17, 17, 17]), scaled, 1e-3)


@given(cells())
def test_heights_are_those_of_the_planes(cell: np.ndarray) -> None:
    lattice = Lattice(cell)
    planes = [lattice.d_hkl(tuple(row)) for row in np.eye(3, dtype=int).tolist()]
    np.testing.assert_allclose(heights_of(np.ascontiguousarray(cell)), planes, rtol=1e-8)


@settings(max_examples=20)
@given(seeds, unimodular())
def test_the_symmetry_does_not_depend_on_the_cell_that_was_reduced(seed: int, change) -> None:
    _, found = built(seed, 1.0)
    if found is None:
        return
    cell = found.crystal.cell
    again, _ = reduce_lattice(np.ascontiguousarray(change @ cell))
    np.testing.assert_allclose(
        np.sort(np.linalg.norm(again, axis=1)), np.sort(np.linalg.norm(cell, axis=1)), rtol=1e-8
    )
    other = in_another_cell(found.crystal, change)
    groups = [
        spglib.get_spacegroup((c.cell, c.scaled, c.numbers), symprec=1e-4)
        for c in (found.crystal, other)
    ]
    assert groups[0] == groups[1]
