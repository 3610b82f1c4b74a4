"""What CHGNet says of a crystal does not depend on how the crystal is written down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch, BatchedModel, Evaluation
from strategies import in_another_cell, rotations, seeds, supercell, unimodular

CELL = np.array([[3.9, 0.0, 0.0], [0.3, 4.0, 0.0], [-0.2, 0.1, 4.2]])
PEROVSKITE = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
FEW = settings(max_examples=6, deadline=None)
"""Both networks evaluate at least twice per example."""

ENERGY, FORCE, STRESS = 2e-5, 3e-4, 3e-5
"""eV, eV/Å and eV/Å³: what single precision leaves uncertain in cells of five to twenty atoms."""


def titanate(seed: int) -> Crystal:
    """Return SrTiO3 in a skewed cell with displaced atoms."""
    rng = np.random.default_rng(seed)
    return Crystal(
        np.array([38, 22, 8, 8, 8]), CELL, PEROVSKITE + 0.03 * rng.normal(size=PEROVSKITE.shape)
    )


def said(model: BatchedModel, *crystals: Crystal) -> Evaluation:
    return model.evaluate(Batch.of(crystals))


@pytest.fixture(scope="module", params=["compiled_chgnet", "torch_chgnet"])
def model(request: pytest.FixtureRequest) -> BatchedModel:
    return request.getfixturevalue(request.param)


@FEW
@given(seed=seeds, turn=rotations(), mirror=st.booleans())
def test_forces_and_stress_turn_with_the_crystal(
    model: BatchedModel, seed: int, turn: np.ndarray, mirror: bool
) -> None:
    turn = -turn if mirror else turn
    crystal = titanate(seed)
    here, there = said(model, crystal), said(model, crystal.replace(cell=crystal.cell @ turn))
    np.testing.assert_allclose(there.energies, here.energies, atol=ENERGY)
    np.testing.assert_allclose(there.forces, here.forces @ turn, atol=FORCE)
    np.testing.assert_allclose(there.stresses[0], turn.T @ here.stresses[0] @ turn, atol=STRESS)


@FEW
@given(seed=seeds)
def test_a_translation_and_images_of_atoms_change_nothing(model: BatchedModel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    crystal = titanate(seed)
    images = rng.integers(-2, 3, size=crystal.scaled.shape)
    moved = crystal.replace(scaled=crystal.scaled + rng.normal(size=3) + images)
    here, there = said(model, crystal), said(model, moved)
    np.testing.assert_allclose(there.energies, here.energies, atol=ENERGY)
    np.testing.assert_allclose(there.forces, here.forces, atol=FORCE)
    np.testing.assert_allclose(there.stresses, here.stresses, atol=STRESS)


@FEW
@given(seed=seeds, order=st.permutations(range(5)))
def test_forces_follow_the_order_of_the_atoms(
    model: BatchedModel, seed: int, order: list[int]
) -> None:
    crystal = titanate(seed)
    here = said(model, crystal)
    there = said(model, Crystal(crystal.numbers[order], CELL, crystal.scaled[order]))
    np.testing.assert_allclose(there.energies, here.energies, atol=ENERGY)
    np.testing.assert_allclose(there.forces, here.forces[order], atol=FORCE)
    np.testing.assert_allclose(there.stresses, here.stresses, atol=STRESS)


@FEW
@given(seed=seeds, change=unimodular(steps=2))
def test_another_cell_of_the_same_lattice_is_the_same_crystal(
    model: BatchedModel, seed: int, change: np.ndarray
) -> None:
    crystal = titanate(seed)
    here, there = said(model, crystal), said(model, in_another_cell(crystal, change))
    np.testing.assert_allclose(there.energies, here.energies, atol=ENERGY)
    np.testing.assert_allclose(there.forces, here.forces, atol=FORCE)
    np.testing.assert_allclose(there.stresses, here.stresses, atol=STRESS)


@pytest.mark.parametrize("repeats", [(2, 1, 1), (1, 2, 2)])
def test_a_supercell_has_its_multiple_of_energy_and_the_same_forces(
    chgnet: BatchedModel, repeats: tuple[int, int, int]
) -> None:
    crystal = titanate(1)
    many = int(np.prod(repeats))
    here, there = said(chgnet, crystal), said(chgnet, supercell(crystal, repeats))
    assert there.energies[0] == pytest.approx(many * here.energies[0], abs=many * ENERGY)
    np.testing.assert_allclose(there.forces, np.tile(here.forces, (many, 1)), atol=FORCE)
    np.testing.assert_allclose(there.stresses, here.stresses, atol=STRESS)


def test_a_crystal_does_not_notice_the_others_of_its_batch(chgnet: BatchedModel) -> None:
    lonely = Crystal(np.array([10]), 12.0 * np.eye(3), np.zeros((1, 3)))
    dense = Crystal(np.array([6, 6]), 1.8 * (1 - np.eye(3)), np.array([[0.0] * 3, [0.25] * 3]))
    crystals = [titanate(1), lonely, dense, titanate(2)]
    together = said(chgnet, *crystals)
    start = Batch.of(crystals).start
    for k, crystal in enumerate(crystals):
        alone = said(chgnet, crystal)
        own = slice(start[k], start[k + 1])
        assert together.energies[k] == pytest.approx(alone.energies[0], abs=ENERGY)
        np.testing.assert_allclose(together.forces[own], alone.forces, atol=FORCE)
        np.testing.assert_allclose(together.stresses[k], alone.stresses[0], atol=STRESS)


def test_the_same_batch_gives_the_same_bits(chgnet: BatchedModel) -> None:
    one, again = (said(chgnet, titanate(3), titanate(4)) for _ in range(2))
    for name in ("energies", "forces", "stresses"):
        assert np.array_equal(getattr(one, name), getattr(again, name))


def test_forces_add_up_to_nothing_and_stress_is_symmetric(chgnet: BatchedModel) -> None:
    found = said(chgnet, titanate(5))
    assert np.abs(found.forces).max() > 0.5
    assert np.abs(found.forces.sum(axis=0)).max() < 1e-4
    np.testing.assert_allclose(found.stresses, found.stresses.transpose(0, 2, 1), atol=1e-9)


def test_an_atom_beyond_the_cutoff_has_its_own_energy_and_no_force(chgnet: BatchedModel) -> None:
    """Nothing is within 6 Å of either atom: each has the energy of an atom alone."""
    pair = Crystal(np.array([3, 9]), 14.0 * np.eye(3), np.array([[0.0] * 3, [0.5] * 3]))
    alone = [Crystal(np.array([z]), 14.0 * np.eye(3), np.zeros((1, 3))) for z in (3, 9)]
    found = said(chgnet, pair, *alone)
    assert found.energies[0] == pytest.approx(found.energies[1:].sum(), abs=ENERGY)
    assert not found.forces.any()
    assert not found.stresses.any()


def test_the_energy_has_no_step_where_a_bond_is_cut(chgnet: BatchedModel) -> None:
    """An atom leaves another through both cut-offs, 3 Å (angles) and 6 Å (bonds)."""
    numbers, step = np.array([11, 17, 9, 17]), 1e-3
    for cut in (3.0, 6.0):
        places = np.array([[0.0, 0, 0], [0.0, 2.6, 0], [0.0, 0, 2.3], [cut, 0, 0]])
        crystals = [
            Crystal.from_positions(
                numbers, 16.0 * np.eye(3), places + sign * step * np.eye(4, 3, -3)
            )
            for sign in (-1, 1)
        ]
        found = said(chgnet, *crystals)
        work = step * (found.forces[3, 0] + found.forces[7, 0])
        assert found.energies[0] - found.energies[1] == pytest.approx(work, abs=1e-5)
