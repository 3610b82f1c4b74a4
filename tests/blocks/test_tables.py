from __future__ import annotations

import numpy as np
import pytest
from ase.cell import Cell
from hypothesis import given
from hypothesis import strategies as st

from nucleate.blocks.lattices import LATTICES, draw_stacking, volume_factor
from nucleate.blocks.motifs import MOTIFS, SITES, motif_name
from nucleate.crystal.cells import cell_from_parameters


def test_eight_motifs_hold_the_origin() -> None:
    assert {motif_name(motif) for motif in MOTIFS} == {
        "A", "AX", "AD", "AY", "AXD", "AXY", "ADY", "AXDY"
    }  # fmt: skip
    assert np.allclose(SITES[:, :2] * 2 % 1, 0)


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_grids_multiply_up_and_follow_their_rule(lattice) -> None:
    for n_modules in range(1, 61):
        for grid in lattice.grids(n_modules):
            assert np.prod(grid) == n_modules
            assert not lattice.equal_edges or grid[0] == grid[1]
            assert not lattice.cubic or grid[2] == 2 * grid[0]
            for angles in lattice.angles_of(grid):
                assert angles[2] != 90 or grid[2] % 2 == 0


def test_cubic_grids_have_two_cubes_of_sub_modules() -> None:
    cubic = LATTICES[0]
    assert [n for n in range(1, 130) if cubic.grids(n)] == [2, 16, 54, 128]


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_cells_have_the_angles_asked_for(lattice) -> None:
    edges = np.array([3.0, 4.0, 5.0])
    for angles in lattice.angles:
        cell = cell_from_parameters(edges, angles)
        oracle = Cell.fromcellpar([*edges, *angles])
        np.testing.assert_allclose(cell, oracle.array, atol=1e-12)
        assert volume_factor(angles) == pytest.approx(oracle.volume / 60)
        assert volume_factor(angles) >= 0.5


def test_impossible_angles_have_no_volume() -> None:
    assert volume_factor((30.0, 30.0, 120.0)) == 0.0


@given(st.integers(2, 12), st.sampled_from([90.0, 120.0]), st.integers(0, 1000))
def test_neighbouring_layers_are_shifted_apart(n_layers: int, gamma: float, seed: int) -> None:
    n_layers += n_layers % 2 if gamma == 90 else 0
    shifts = draw_stacking(n_layers, gamma, rng=np.random.default_rng(seed))
    assert shifts.shape == (n_layers, 2)
    assert np.array_equal(shifts[0], [0, 0])
    assert (np.abs(shifts - np.roll(shifts, 1, axis=0)).sum(axis=1) > 0.3).all()


def test_hexagonal_shifts_put_layers_over_hollows() -> None:
    cell = cell_from_parameters(np.array([4.0, 4.0, 2.0]), (90.0, 90.0, 120.0))[:2, :2]
    net = np.array([[i, j] for i in range(-2, 4) for j in range(-2, 4)]) / 2 @ cell
    for shift in draw_stacking(3, 120.0, rng=np.random.default_rng(0))[1:]:
        distances = np.sort(np.linalg.norm(net - shift @ cell, axis=1))
        assert distances[:3] == pytest.approx(2.0 / np.sqrt(3))
