"""The vector field: what it must not depend on, and what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm, logm
from scipy.spatial.transform import Rotation

from nucleate.crystal.crystal import Crystal
from nucleate.generate.flow.cells import (
    cell_of_strain,
    log_strain,
    matrix_of,
    niggli,
    six_of,
)

pytest.importorskip("torch")

import torch

from nucleate.generate.flow.surroundings import (
    FARTHEST,
    NEAREST,
    pair_features,
)

if TYPE_CHECKING:
    from nucleate.generate.flow.network import FlowNetwork

NUMBERS = np.array([8, 8, 8, 22, 38])


def _random(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return 0.2 * rng.standard_normal(6), rng.random((NUMBERS.size, 3))


def _velocities(
    field: FlowNetwork, strain: np.ndarray, scaled: np.ndarray, numbers: np.ndarray = NUMBERS
) -> tuple[np.ndarray, np.ndarray]:
    double = field.double()
    with torch.no_grad():
        found = double(
            torch.as_tensor(numbers)[None],
            torch.tensor([4.0], dtype=torch.float64),
            torch.as_tensor(strain)[None],
            torch.as_tensor(scaled)[None],
            torch.tensor([0.4], dtype=torch.float64),
        )
    field.float()
    return found[0][0].numpy(), found[1][0].numpy()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_origin_wrapping_and_order_do_not_matter(
    field: FlowNetwork, seed: int, data: st.DataObject
) -> None:
    strain, scaled = _random(seed)
    cell, move = _velocities(field, strain, scaled)
    np.testing.assert_allclose(move.mean(0), 0.0, atol=1e-12)
    assert np.abs(move).max() > 1e-3
    shift = data.draw(st.tuples(*3 * [st.floats(-2.0, 2.0)]))
    whole = data.draw(st.lists(st.integers(-2, 2), min_size=scaled.size, max_size=scaled.size))
    other = scaled + np.array(shift) + np.array(whole).reshape(scaled.shape)
    for found, expected in zip(_velocities(field, strain, other), (cell, move), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    order = np.array(data.draw(st.permutations(range(NUMBERS.size))))
    found_cell, found_move = _velocities(field, strain, scaled[order], NUMBERS[order])
    np.testing.assert_allclose(found_cell, cell, atol=1e-9)
    np.testing.assert_allclose(found_move, move[order], atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_rotated_or_relabelled_crystal_is_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = 4.0 * np.eye(3) + rng.normal(0.0, 0.6, (3, 3))
    crystal = Crystal(NUMBERS, cell, rng.random((NUMBERS.size, 3)))
    change = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]]).T
    turned = Crystal(
        NUMBERS,
        change @ cell @ Rotation.random(rng=rng).as_matrix(),
        crystal.scaled @ np.linalg.inv(change),
    )
    one, other = niggli(crystal), niggli(turned)
    np.testing.assert_allclose(log_strain(one.cell), log_strain(other.cell), atol=1e-9)
    off = one.scaled - other.scaled
    np.testing.assert_allclose(off - np.rint(off), 0.0, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_log_strain_against_scipy(seed: int) -> None:
    cell = 3.0 * np.eye(3) + np.random.default_rng(seed).normal(0.0, 0.5, (3, 3))
    six = log_strain(cell)
    np.testing.assert_allclose(matrix_of(six), 0.5 * logm(cell @ cell.T).real, atol=1e-9)
    back = cell_of_strain(six)
    np.testing.assert_allclose(back, expm(matrix_of(six)), atol=1e-9)
    np.testing.assert_allclose(back @ back.T, cell @ cell.T, atol=1e-8)
    np.testing.assert_allclose(six @ six, (matrix_of(six) ** 2).sum(), atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), flat=st.sampled_from([1.0, 0.6, 0.45]))
def test_the_images_within_the_cutoff_are_those_of_ase(seed: int, flat: float) -> None:
    rng = np.random.default_rng(seed)
    cell = np.diag([4.0, 4.4, 4.8 * flat]) + rng.normal(0.0, 0.25, (3, 3))
    scaled = rng.random((3, 3))
    contacts = 2.0 + rng.random((3, 3))
    found = pair_features(
        torch.as_tensor(cell)[None],
        torch.as_tensor(scaled)[None],
        torch.as_tensor(contacts)[None],
        radial=5,
        cutoff=5.0,
    )[0]
    atoms = Atoms("H3", cell=cell, scaled_positions=scaled, pbc=True)
    expected = np.zeros((3, 3, 5, 9))
    centres = np.linspace(NEAREST, FARTHEST, 5)
    for i, j, distance, vector in zip(*neighbor_list("ijdD", atoms, 5.0), strict=True):
        height = np.exp(
            -0.5 * ((distance / contacts[i, j] - centres) / (centres[1] - centres[0])) ** 2
        )
        envelope = 0.5 * (1.0 + np.cos(np.pi * distance / 5.0))
        way = vector / distance
        directions = np.concatenate([way, six_of(np.outer(way, way))])
        expected[i, j] += envelope * height[:, None] * directions
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def test_sums_over_images_are_smooth_where_an_atom_is_wrapped() -> None:
    cell = torch.diag(torch.tensor([1.2, 4.0, 5.0], dtype=torch.float64))[None]  # a thin one
    contacts = torch.full((1, 2, 2), 2.0, dtype=torch.float64)
    sums = [
        pair_features(
            cell,
            torch.tensor([[[0.0, 0.0, 0.0], [0.5 + off, 0.1, 0.5 - off]]], dtype=torch.float64),
            contacts,
            radial=5,
            cutoff=5.5,
        )
        for off in (-1e-7, 1e-7)
    ]
    torch.testing.assert_close(sums[0], sums[1], atol=1e-5, rtol=0.0)
