from __future__ import annotations

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import (
    is_solid_cell,
    nearest_neighbour_distances,
    neighbour_pairs,
    pairs_too_close,
    shortest_distance,
)
from strategies import crystals, in_another_cell, supercell, unimodular


def brute_force_nearest(crystal: Crystal) -> np.ndarray:
    """Nearest distances over all images that can matter, by plain enumeration."""
    wrapped = crystal.wrapped()
    longest = np.linalg.norm(crystal.cell, axis=1).min()  # an own image is never further
    inverse_heights = np.linalg.norm(np.linalg.inv(crystal.cell), axis=0)
    reach = np.ceil(longest * inverse_heights).astype(int) + 1
    shifts = np.stack(
        np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), -1
    ).reshape(-1, 3)
    nearest = np.full(crystal.n_atoms, np.inf)
    for i in range(crystal.n_atoms):
        for j in range(crystal.n_atoms):
            gaps = (wrapped.scaled[j] - wrapped.scaled[i] + shifts) @ crystal.cell
            distances = np.linalg.norm(gaps, axis=1)
            if i == j:
                distances = distances[np.any(shifts != 0, axis=1)]
            nearest[i] = min(nearest[i], distances.min())
    return nearest


@settings(max_examples=60)
@given(crystals(max_atoms=5))
def test_nearest_distances_are_those_of_brute_force(crystal: Crystal) -> None:
    np.testing.assert_allclose(
        nearest_neighbour_distances(crystal), brute_force_nearest(crystal), atol=1e-8
    )


@settings(max_examples=60)
@given(crystals(max_atoms=6), st.floats(0.5, 5.0))
def test_neighbour_list_is_that_of_ase(crystal: Crystal, cutoff: float) -> None:
    i, j, shifts, distances = neighbour_pairs(crystal, cutoff)
    vectors = (crystal.scaled[j] + shifts - crystal.scaled[i]) @ crystal.cell
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), distances, atol=1e-7)
    assert np.all(np.diff(i) >= 0)
    assert np.all(distances <= cutoff)
    expected = neighbor_list("d", crystal.to_ase(), cutoff + 1e-6, self_interaction=False)
    clear = distances < cutoff - 1e-6  # pairs at the cutoff itself may go either way
    np.testing.assert_allclose(
        np.sort(distances[clear]), np.sort(expected[expected < cutoff - 1e-6]), atol=1e-7
    )
    rows = set(map(tuple, np.column_stack([i, j, shifts])[clear].tolist()))
    assert len(rows) == clear.sum()
    assert rows == {(b, a, -x, -y, -z) for a, b, x, y, z in rows}


@settings(max_examples=60)
@given(crystals(max_atoms=8), unimodular(), st.permutations(range(3)))
def test_distances_do_not_depend_on_the_cell(
    crystal: Crystal, change: np.ndarray, order: list[int]
) -> None:
    expected = shortest_distance(crystal)
    repeats = tuple(int(n) for n in np.array([2, 1, 1])[order])
    for other in (
        in_another_cell(crystal, change),
        crystal.wrapped(),
        supercell(crystal, repeats),  # type: ignore[arg-type]
    ):
        assert shortest_distance(other) == pytest.approx(expected, abs=1e-7)


def test_own_images_count() -> None:
    lonely = Crystal(np.array([18]), np.diag([7.0, 8.0, 9.0]), np.zeros((1, 3)))
    assert shortest_distance(lonely) == pytest.approx(7.0)
    pairs = neighbour_pairs(lonely, 7.5)
    assert sorted(map(tuple, pairs[2].tolist())) == [(-1, 0, 0), (1, 0, 0)]


def test_the_distances_of_a_cluster_and_of_an_atom_beside_it() -> None:
    points = np.array([[0.0, 0.0, 0.0], [1.5, 0.0, 0.0], [10.0, 10.0, 10.0]])
    crystal = Crystal.from_positions([8, 8, 8], np.eye(3) * 20.0, points)
    nearest = [1.5, 1.5, np.sqrt(8.5**2 + 200.0)]
    np.testing.assert_allclose(nearest_neighbour_distances(crystal), nearest)


@pytest.mark.parametrize("shift", [0.0, 1.0, -3.0])
def test_coincident_atoms_are_seen(shift: float) -> None:
    points = np.array([[0.2, 0.3, 0.4], [0.2 + shift, 0.3, 0.4]])
    crystal = Crystal(np.array([8, 8]), np.eye(3) * 5.0, points)
    assert shortest_distance(crystal) == pytest.approx(0.0, abs=1e-12)
    assert pairs_too_close(crystal, np.full((104, 104), 0.5))
    i, _, _, distances = neighbour_pairs(crystal, 1.0)
    assert len(i) == 2
    np.testing.assert_allclose(distances, 0.0, atol=1e-12)


def test_the_shortest_way_through_a_very_oblique_cell() -> None:
    flat = np.array([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [41.0, 37.0, 4.0]])
    crystal = Crystal(np.array([22, 8]), flat, np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))
    assert shortest_distance(crystal) == pytest.approx(brute_force_nearest(crystal).min())


@pytest.mark.parametrize(
    "cell",
    [
        np.zeros((3, 3)),
        np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]]),
        np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 1e-9]]),
        np.full((3, 3), np.nan),
        np.diag([1.0, 1.0, np.inf]),
    ],
)
def test_cells_without_volume(cell: np.ndarray) -> None:
    crystal = Crystal(np.array([8]), cell, np.zeros((1, 3)))
    assert not is_solid_cell(cell)
    assert shortest_distance(crystal) == 0.0
    with pytest.raises(ValueError, match="no volume"):
        neighbour_pairs(crystal, 3.0)
