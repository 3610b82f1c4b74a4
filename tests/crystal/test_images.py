"""The one loop over periodic images, against brute force and ASE."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import nearest_neighbour_distances
from nucleate.crystal.images import (
    ALL,
    HALF,
    OTHERS,
    adjacent_cells,
    image_table,
    images_within,
    is_beyond,
    nearest_image,
    reach_of,
)
from nucleate.crystal.lattice import inverse_of, reduce_lattice

SEEDS = st.integers(0, 10**6)


def cell_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cell = rng.uniform(2.0, 6.0) * (np.eye(3) + 0.35 * rng.normal(size=(3, 3)))
    return cell if abs(np.linalg.det(cell)) > 6.0 else 4.0 * np.eye(3)


def brute_force(cell: np.ndarray, gap: np.ndarray, cutoff: float) -> dict[tuple, float]:
    reach = np.ceil(cutoff * np.linalg.norm(np.linalg.inv(cell), axis=0) + np.abs(gap)).astype(int)
    found = {}
    for shift in itertools.product(*(range(-n - 1, n + 2) for n in reach)):
        vector = (gap + shift) @ cell
        if vector @ vector <= cutoff**2:
            found[shift] = float(vector @ vector)
    return found


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, cutoff=st.floats(0.5, 9.0), far=st.booleans())
def test_every_image_is_found_once_and_in_order(seed: int, cutoff: float, far: bool) -> None:
    cell, rng = cell_of(seed), np.random.default_rng(seed + 1)
    gap = rng.normal(size=3) * (5.0 if far else 0.5)
    reach = reach_of(cell, cutoff)
    table = image_table(reach)
    n = images_within(cell, reach, *gap, cutoff, ALL, table)
    shifts = [tuple(int(v) for v in row[:3]) for row in table[:n]]
    expected = brute_force(cell, gap, cutoff)
    assert shifts == sorted(shifts)
    assert set(shifts) == set(expected)
    for row, shift in zip(table[:n], shifts, strict=True):
        np.testing.assert_allclose(row[3:6], (gap + shift) @ cell, atol=1e-10)
        assert row[6] == pytest.approx(expected[shift], abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, cutoff=st.floats(3.0, 9.0))
def test_own_images_are_counted_once_from_either_side(seed: int, cutoff: float) -> None:
    cell = cell_of(seed)
    reach = reach_of(cell, cutoff)
    table, other = image_table(reach), image_table(reach)
    n = images_within(cell, reach, 0.0, 0.0, 0.0, cutoff, HALF, table)
    m = images_within(cell, reach, 0.0, 0.0, 0.0, cutoff, OTHERS, other)
    half = {tuple(row[:3]) for row in table[:n]}
    opposite = {tuple(-row[:3] + 0.0) for row in table[:n]}
    assert half.isdisjoint(opposite)
    assert half | opposite == {tuple(row[:3]) for row in other[:m]}


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, shear=st.integers(-4, 4))
def test_the_nearest_image_is_the_shortest_of_all(seed: int, shear: int) -> None:
    cell = np.array([[1, 0, 0], [shear, 1, 0], [-shear, 2, 1]]) @ cell_of(seed)
    reduced, change = reduce_lattice(cell)
    gap = np.random.default_rng(seed).normal(size=3) * 2.0
    moved = gap @ inverse_of(change)
    x, y, z, square = nearest_image(reduced, adjacent_cells(reduced), *moved)
    shortest = min(brute_force(reduced, moved - np.rint(moved), 12.0).values())
    assert square == pytest.approx(shortest, abs=1e-9)
    assert x * x + y * y + z * z == pytest.approx(square, abs=1e-9)
    shift = np.array([x, y, z]) @ np.linalg.inv(cell) - gap
    np.testing.assert_allclose(shift, np.rint(shift), atol=1e-7)
    assert not is_beyond(reach_of(reduced, 1.0), *moved, np.sqrt(square) * (1 + 1e-9))


@settings(max_examples=4, deadline=None)
@given(seed=SEEDS)
def test_nearest_neighbours_are_those_of_ase(seed: int) -> None:
    from ase.neighborlist import primitive_neighbor_list

    rng = np.random.default_rng(seed)
    crystal = Crystal(np.full(4, 18), cell_of(seed), rng.random((4, 3)))
    i, d = primitive_neighbor_list("id", [True] * 3, crystal.cell, crystal.positions, 14.0)
    expected = [d[i == k].min() for k in range(4)]
    np.testing.assert_allclose(nearest_neighbour_distances(crystal), expected, atol=1e-9)


def test_a_very_skewed_cell_costs_no_more_than_its_reduced_one() -> None:
    import time

    from nucleate.potentials.kernels import neighbours

    cell = np.array([[1.0, 0, 0], [9999, 1, 0], [7, -8888, 1]]) @ (4.0 * np.eye(3))
    positions = np.array([[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
    neighbours(positions, cell, 6.0)
    began = time.process_time()
    first, _, shift = neighbours(positions, cell, 6.0)
    assert time.process_time() - began < 0.05
    straight, _, _ = neighbours(positions, 4.0 * np.eye(3), 6.0)
    assert first[-1] == straight[-1]
    assert np.abs(shift).max() > 1000
