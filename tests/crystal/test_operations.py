"""Averages over the operations of a space group."""

from __future__ import annotations

import numpy as np
from tests.relax.models import argon, pair_energy
from tests.relax.test_symmetry import rutile, wurtzite

from nucleate.crystal.operations import operations_of


def test_forces_and_stress_of_a_symmetric_crystal_are_their_own_average() -> None:
    start = wurtzite()
    operations = operations_of(start)
    assert operations is not None
    _, forces, virial = pair_energy(start)
    same_forces, same_virial = operations.averaged(start.cell, forces, virial)
    np.testing.assert_allclose(same_forces, forces, atol=1e-9)
    np.testing.assert_allclose(same_virial, virial, atol=1e-9)


def test_noise_is_projected_out() -> None:
    start = rutile()
    operations = operations_of(start)
    assert operations is not None
    noise = np.random.default_rng(0).normal(size=(6, 3))
    once, stress = operations.averaged(start.cell, noise, np.diag([1.0, 2.0, 3.0]))
    twice, _ = operations.averaged(start.cell, once, stress)
    np.testing.assert_allclose(once, twice, atol=1e-12)
    np.testing.assert_allclose(once[:2], 0.0, atol=1e-12)  # on inversion centres
    np.testing.assert_allclose(stress, np.diag([1.5, 1.5, 3.0]), atol=1e-12)


def test_orbits_are_the_wyckoff_positions() -> None:
    operations = operations_of(rutile())
    assert operations is not None
    assert operations.orbits.tolist() == [0, 0, 2, 2, 2, 2]
    assert len(operations.rotations) == 16


def test_a_crystal_without_symmetry_has_none() -> None:
    assert operations_of(argon(3, 7)) is None
