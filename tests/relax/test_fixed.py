"""Atoms held fixed: they stay to the last bit of a coordinate, the others find their minimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relax.models import PairModel, argon
from tests.relax.test_judge import bent

from nucleate.crystal.crystal import Crystal
from nucleate.energy.fixed import free_forces, free_projectors
from nucleate.energy.matrices import eigensystem
from nucleate.energy.minimiser import (
    EXACT,
    LEARNED,
    deformation,
    gradient_at,
    start_minimisation,
)
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.relax.settings import TierSettings, build_relaxer


def relaxed(kind: str, crystal: Crystal, fixed: np.ndarray | None, **keys: Any) -> Outcome:
    tier = TierSettings.model_validate(
        {"engine": {"kind": "spp" if kind == "classical" else "chgnet"}, "rattle_ang": 0.05,
         "fmax_ev_per_ang": 0.01, "max_stress_gpa": 0.05, **keys}
    )  # fmt: skip
    relaxer: Any = build_relaxer(tier) if kind == "classical" else BatchedRelaxer(PairModel(), tier)
    relaxer.add(0, crystal, fixed)
    ended: list[tuple[int, Outcome]] = []
    while not ended:
        ended = relaxer.step()
    return ended[0][1]


def start_of(kind: str) -> Crystal:
    return bent(3) if kind == "classical" else argon(8, 3)


@pytest.mark.parametrize("kind", ["classical", "batched"])
def test_fixed_coordinates_and_the_cell_stay_and_the_others_relax(kind: str) -> None:
    start = start_of(kind)
    fixed = np.zeros((8, 3), dtype=bool)
    fixed[0] = fixed[1] = True
    fixed[2, 1] = fixed[3, :2] = True
    end = relaxed(kind, start, fixed)
    assert isinstance(end, Relaxed)
    assert end.converged
    np.testing.assert_allclose(end.crystal.cell, start.cell, atol=1e-12)
    np.testing.assert_allclose(end.crystal.scaled[fixed], start.scaled[fixed], atol=1e-10)
    assert np.abs(end.crystal.scaled - start.scaled)[~fixed].max() > 1e-3
    along = free_forces(end.forces, np.array(end.crystal.cell), ~fixed)
    assert np.linalg.norm(along, axis=1).max() <= 0.01
    assert np.linalg.norm(end.forces, axis=1).max() > 0.01  # those held are still pulled


@pytest.mark.parametrize("kind", ["classical", "batched"])
def test_all_fixed_is_converged_at_once_and_none_fixed_changes_nothing(kind: str) -> None:
    start = start_of(kind)
    still = relaxed(kind, start, np.ones((8, 3), dtype=bool))
    assert isinstance(still, Relaxed)
    assert still.converged
    assert still.evaluations == 1
    free = relaxed(kind, start, np.zeros((8, 3), dtype=bool))
    plain = relaxed(kind, start, None)
    assert isinstance(free, Relaxed)
    assert isinstance(plain, Relaxed)
    assert free.energy == plain.energy


@pytest.mark.parametrize("kind", ["classical", "batched"])
def test_a_mask_of_another_shape_is_refused(kind: str) -> None:
    end = relaxed(kind, start_of(kind), np.ones((7, 3), dtype=bool))
    assert isinstance(end, Failed)
    assert end.reason is FailReason.INVALID
    assert "(7, 3)" in end.message


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_projectors_span_the_free_lattice_vectors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) + 4.0 * np.eye(3)
    free = rng.random((6, 3)) < 0.5
    for projector, axes in zip(free_projectors(cell, free), free, strict=True):
        np.testing.assert_allclose(projector, projector.T, atol=1e-12)
        np.testing.assert_allclose(projector @ projector, projector, atol=1e-10)
        assert np.trace(projector) == pytest.approx(axes.sum())
        np.testing.assert_allclose(cell[axes] @ projector, cell[axes], atol=1e-10)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.0, 1e-12, 1e-6, 1.0, 1e6]))
def test_the_eigensystem_is_that_of_lapack(seed: int, spread: float) -> None:
    matrix = np.random.default_rng(seed).normal(size=(3, 3)) * spread + 0.3 * np.eye(3)
    matrix = 0.5 * (matrix + matrix.T)
    values, vectors = eigensystem(matrix)
    scale = np.abs(matrix).max()
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(matrix), atol=1e-13 * scale)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-13)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, matrix, atol=1e-13 * scale)


@pytest.mark.parametrize("rules", [LEARNED, EXACT])
def test_the_gradient_leaves_fixed_coordinates_alone(rules: Any) -> None:
    crystal, rng = argon(4, 1), np.random.default_rng(0)
    free = rng.random((4, 3)) < 0.6
    state = start_minimisation(crystal, rules=rules, free=free)
    deform, values, vectors = deformation(state, state.x)
    forces = rng.normal(size=(4, 3))
    gradient = gradient_at(state, forces, np.zeros((3, 3)), values, vectors, deform, False)
    moved = gradient[:-9].reshape(4, 3) @ np.linalg.inv(crystal.cell)
    np.testing.assert_allclose(moved[~free], 0.0, atol=1e-12)
