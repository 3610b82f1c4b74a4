"""The compiled energy: derivatives, invariances, smoothness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.surrogate.conftest import ELEMENTS, made_up

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import nearest_neighbour_distances
from nucleate.errors import InputError
from nucleate.surrogate.descriptors import Layout
from strategies import rotations, seeds, spread_crystals, supercell, unimodular

VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
LARGER = (3, 8, 17, 20, 22)


def apart(crystal: Crystal) -> bool:
    return nearest_neighbour_distances(crystal).min() > 1.0


@given(spread_crystals(max_atoms=6), seeds)
@settings(max_examples=25, deadline=None)
def test_forces_and_stress_are_derivatives(crystal: Crystal, seed: int) -> None:
    """Along a random displacement and a random strain, walls included."""
    if not apart(crystal):
        return
    model, rng, step = made_up(), np.random.default_rng(seed), 1e-5
    found = model.evaluate(crystal)
    move = rng.normal(size=(crystal.n_atoms, 3))
    strain = rng.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)

    def energy(sign: float, strained: bool) -> float:
        cell = crystal.cell @ (np.eye(3) + sign * step * strain) if strained else crystal.cell
        scaled = crystal.scaled
        if not strained:
            scaled = scaled + sign * step * move @ np.linalg.inv(crystal.cell)
        return model.evaluate(Crystal(crystal.numbers, cell, scaled)).energy

    by_move = (energy(1, False) - energy(-1, False)) / (2 * step)
    by_strain = (energy(1, True) - energy(-1, True)) / (2 * step)
    scale = 1.0 + np.abs(found.forces).max() + np.abs(found.stress).max() * crystal.volume
    assert by_move == pytest.approx(-(found.forces * move).sum(), abs=1e-5 * scale)
    virial = (found.stress * strain).sum() * crystal.volume
    assert by_strain == pytest.approx(virial, abs=1e-5 * scale)


@pytest.mark.parametrize("elements", [(8,), (8, 22), ELEMENTS, (3, 8, 17, 20), LARGER])
def test_the_rows_are_linear_in_the_weights(elements: tuple[int, ...]) -> None:
    """The design matrix times the weights is the compiled energy, without the walls."""
    rng = np.random.default_rng(1)
    model = made_up(elements)
    object.__setattr__(model, "walls", np.zeros_like(model.walls))
    numbers = np.resize(np.array(elements), 7)
    crystal = Crystal(numbers, 5.0 * np.eye(3) + rng.normal(0, 0.3, (3, 3)), rng.random((7, 3)))
    rows = model.layout.rows(crystal)
    found, expected = model.evaluate(crystal), rows @ model.weights
    assert found.energy == pytest.approx(expected[0], abs=1e-9)
    np.testing.assert_allclose(found.forces.ravel(), expected[1:-6], atol=1e-8)
    np.testing.assert_allclose(found.stress[VOIGT] * crystal.volume, expected[-6:], atol=1e-8)
    np.testing.assert_allclose(model.layout.energy_row(crystal), rows[0])


@given(spread_crystals(max_atoms=6), rotations(), unimodular(), seeds)
@settings(max_examples=20, deadline=None)
def test_the_description_of_a_crystal_does_not_matter(
    crystal: Crystal, rotation: np.ndarray, change: np.ndarray, seed: int
) -> None:
    if not apart(crystal):
        return
    model, rng = made_up(), np.random.default_rng(seed)
    found = model.evaluate(crystal)
    order = rng.permutation(crystal.n_atoms)
    moved = Crystal(
        crystal.numbers[order],
        change @ crystal.cell @ rotation,
        ((crystal.scaled + rng.random(3)) @ np.linalg.inv(change))[order],
    )
    other = model.evaluate(moved)
    tolerance = 1e-8 * (1.0 + abs(found.energy))
    assert other.energy == pytest.approx(found.energy, abs=tolerance)
    np.testing.assert_allclose(other.forces, (found.forces @ rotation)[order], atol=1e-6)
    np.testing.assert_allclose(other.stress, rotation.T @ found.stress @ rotation, atol=1e-7)


@given(spread_crystals(max_atoms=4), st.sampled_from([(2, 1, 1), (1, 2, 3)]))
@settings(max_examples=10, deadline=None)
def test_a_supercell_has_the_same_energy_per_atom(
    crystal: Crystal, times: tuple[int, int, int]
) -> None:
    if not apart(crystal):
        return
    model = made_up()
    larger = supercell(crystal, times)
    count = larger.n_atoms // crystal.n_atoms
    expected = count * model.evaluate(crystal).energy
    assert model.evaluate(larger).energy == pytest.approx(expected, abs=1e-8 * (1 + abs(expected)))


@pytest.mark.parametrize("distance", [4.5, 6.0])
def test_energies_end_smoothly_at_the_cutoffs(distance: float) -> None:
    """Two derivatives vanish, so that energies on both sides agree to the third order."""
    model = made_up()

    def energy(r: float) -> float:
        cell = np.diag([30.0, 30.0, 30.0])
        scaled = np.array([[0, 0, 0], [r, 0, 0], [0, 2.0, 0]]) / 30.0
        return model.evaluate(Crystal(np.array([8, 22, 20]), cell, scaled)).energy

    steps = distance + 1e-3 * np.arange(-4, 5)
    values = np.array([energy(r) for r in steps])
    assert np.abs(np.diff(values, 3)).max() < 1e-6


def test_walls_repel() -> None:
    model = made_up()
    forces = [
        model.evaluate(
            Crystal(np.array([8, 8]), 12.0 * np.eye(3), np.array([[0, 0, 0], [r / 12.0, 0, 0]]))
        ).forces[1, 0]
        for r in (0.6, 1.0)
    ]
    assert forces[0] > forces[1] > 10.0


def test_the_number_of_columns_stays_small() -> None:
    sizes = {n: Layout(tuple(range(3, 3 + n))).n_columns for n in range(1, 8)}
    assert sizes[3] == 1035
    assert max(sizes.values()) < 1500


def test_four_elements_share_independent_channels() -> None:
    for elements in ((3, 8, 17, 20), LARGER, (57, 58, 59, 60, 61, 62, 63)):
        channels = Layout(elements).embedding
        assert np.linalg.matrix_rank(channels, tol=1e-3) == channels.shape[1]


def test_other_elements_are_refused() -> None:
    crystal = Crystal(np.array([8, 26]), 4.0 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
    with pytest.raises(InputError, match="not for Fe"):
        made_up().evaluate(crystal)
    with pytest.raises(InputError, match="at least one element"):
        Layout(())
    with pytest.raises(InputError, match="not known"):
        Layout((200,))
