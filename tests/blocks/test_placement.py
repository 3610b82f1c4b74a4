from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.blocks.distances import shortest_distances
from nucleate.blocks.placement import FREE, SiteBoard
from nucleate.blocks.repulsion import push_apart

LIMITS = np.array([[2.5, 1.6], [1.6, 2.1]])


def random_cell(rng: np.random.Generator, volume: float) -> np.ndarray:
    while True:
        cell = rng.uniform(-1, 1, (3, 3))
        if abs(np.linalg.det(cell)) > 0.15:
            return cell * (volume / abs(np.linalg.det(cell))) ** (1 / 3)


def distances_by_ase(scaled: np.ndarray, cell: np.ndarray, cutoff: float) -> np.ndarray:
    atoms = Atoms(f"H{len(scaled)}", cell=cell, scaled_positions=scaled, pbc=True)
    shortest = np.full((len(scaled), len(scaled)), np.inf)
    for i, j, d in zip(*neighbor_list("ijd", atoms, cutoff), strict=True):
        shortest[i, j] = min(shortest[i, j], d)
    return shortest


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(30, 400), st.floats(1.0, 6.0))
@settings(max_examples=60, deadline=None)
def test_shortest_distances_agree_with_ase(
    seed: int, n_points: int, volume: float, cutoff: float
) -> None:
    rng = np.random.default_rng(seed)
    cell = random_cell(rng, volume)
    scaled = rng.uniform(-1, 2, (n_points, 3))
    np.testing.assert_allclose(
        shortest_distances(scaled, cell, cutoff),
        distances_by_ase(scaled, cell, cutoff),
        atol=1e-9,
    )


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_filled_boards_keep_the_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = random_cell(rng, 400.0)
    scaled = rng.random((60, 3))
    kinds = rng.integers(0, 2, 12)
    board = SiteBoard(scaled, cell, LIMITS)
    sites = board.fill(kinds, rng=rng)
    if sites is None:
        return
    assert np.unique(sites).size == 12
    assert np.array_equal(board.kinds[sites], kinds)
    assert (board.kinds != FREE).sum() == 12
    shortest = distances_by_ase(scaled[sites], cell, 3.0)
    assert (shortest >= LIMITS[np.ix_(kinds, kinds)] - 1e-9).all()


def line_board(n_sites: int, spacing: float) -> SiteBoard:
    scaled = np.zeros((n_sites, 3))
    scaled[:, 0] = np.arange(n_sites) / n_sites
    return SiteBoard(scaled, np.diag([n_sites * spacing, 20.0, 20.0]), LIMITS)


def test_rank_is_a_preference_and_a_veto() -> None:
    rank = np.array([[0, 1, -1, -1, -1, -1]] * 2)
    for seed in range(20):
        board = line_board(6, 3.0)
        sites = board.fill([0, 0], rng=np.random.default_rng(seed), rank=rank)
        assert sites is not None
        assert sites.tolist() == [0, 1]
        assert board.fill([0], rng=np.random.default_rng(seed), rank=rank) is None


def test_sites_open_once_what_they_need_is_occupied() -> None:
    needs = np.array([0, 0, 0, 3, 3, 3])
    for seed in range(20):
        board = line_board(6, 3.0)
        sites = board.fill([0, 0, 0], rng=np.random.default_rng(seed), needs=needs)
        assert sites is not None
        assert needs[sites[0]] == sites[0]
        assert set(needs[sites]) <= set(sites)


def test_crowded_sites_are_the_last_resort() -> None:
    board = line_board(3, 2.4)
    rng = np.random.default_rng(0)
    assert board.copy().fill([0, 0], rng=rng) is None
    sites = board.fill([0, 0], rng=rng, floor=0.9)
    assert sites is not None
    assert sites[0] != sites[1]


def test_occupied_and_blocked_sites_are_not_allowed() -> None:
    board = line_board(8, 2.0)
    board.occupy([2], [1])
    assert board.allowed(1).tolist() == [True, False, False, False] + [True] * 4
    assert board.allowed(0).tolist() == [True, True, False, True] + [True] * 4
    board.block(6, 1)
    assert board.allowed(1).tolist() == [True, False, False, False, True, False, True, False]
    twin = board.copy()
    twin.occupy([4], [0])
    assert board.kinds[4] == FREE


def test_a_cell_too_small_for_its_own_image_has_no_room() -> None:
    board = SiteBoard([[0, 0, 0]], np.diag([2.0, 9.0, 9.0]), LIMITS)
    assert not board.allowed(0).any()
    assert not board.allowed(1).any()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_pushed_atoms_keep_the_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = random_cell(rng, 420.0)
    scaled = rng.random((20, 3))
    kinds = rng.integers(0, 2, 20)
    before = scaled.copy()
    pushed = push_apart(scaled, cell, kinds, LIMITS)
    assert np.array_equal(scaled, before)
    if pushed is None:
        return
    limits = LIMITS[np.ix_(kinds, kinds)]
    assert (distances_by_ase(pushed, cell, 3.0) >= limits - 1e-9).all()
    if (distances_by_ase(before, cell, 3.0) >= limits).all():
        assert np.array_equal(pushed, before)


def test_push_apart_gives_up_where_nothing_helps() -> None:
    small = np.diag([2.0, 9.0, 9.0])
    assert push_apart([[0, 0, 0]], small, [0], LIMITS) is None
    cell = np.eye(3) * 9.0
    assert push_apart([[0, 0, 0], [0, 0, 0]], cell, [0, 0], LIMITS) is None
    crowd = np.random.default_rng(0).random((200, 3))
    assert push_apart(crowd, cell, np.zeros(200, dtype=int), LIMITS) is None


def test_a_pair_is_pushed_along_its_connection() -> None:
    pushed = push_apart([[0.4, 0.5, 0.5], [0.5, 0.5, 0.5]], np.eye(3) * 10.0, [0, 0], LIMITS)
    assert pushed is not None
    assert pushed[:, 0] == pytest.approx([0.45 - 0.12625, 0.45 + 0.12625])
    assert pushed[:, 1:] == pytest.approx(0.5)
