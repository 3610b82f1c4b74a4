"""Following the flow: seeds, batches, and operations that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nucleate.crystal.symmetry import space_group, symmetry_dataset
from nucleate.generate.flow.cells import matrix_of, niggli, six_of
from nucleate.generate.flow.symmetry import SYMPREC, kept_by
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.testing.common import space_of

pytest.importorskip("torch")

from nucleate.generate.flow.sampling import Manner, flowed, random_start, start_of

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.generate.flow.network import FlowNetwork

NUMBERS = np.array([8, 8, 8, 22, 38])


def _start(formula: str, seed: int) -> Crystal:
    made = SymmetricGenerator(space_of(formula, 12)).generate(rng=np.random.default_rng(seed))
    assert made is not None
    return niggli(made.crystal)


def test_what_a_start_becomes_depends_on_nothing_else(field: FlowNetwork) -> None:
    starts = [random_start(field, 5, rng=np.random.default_rng([3, k])) for k in range(40)]
    manner = Manner(steps=4)
    all_ = flowed(field, NUMBERS, starts, manner)
    again = flowed(field, NUMBERS, starts, manner)
    alone = flowed(field, NUMBERS, starts[37:38], manner)
    for one, other in ((all_[5], again[5]), (all_[37], alone[0])):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one.cell, other.cell, atol=1e-6)
        np.testing.assert_allclose(one.scaled, other.scaled, atol=1e-6)
    assert all(np.array_equal(c.numbers, NUMBERS) for c in all_ if c is not None)


@pytest.mark.parametrize(("formula", "seed"), [("TiO2", 1), ("SrTiO3", 2), ("K2O", 3)])
def test_projections_leave_alone_what_is_symmetric(formula: str, seed: int) -> None:
    crystal = _start(formula, seed)
    kept = kept_by(crystal)
    np.testing.assert_allclose(kept.atoms @ kept.atoms, kept.atoms, atol=1e-12)
    np.testing.assert_allclose(kept.metric @ kept.metric, kept.metric, atol=1e-12)
    metric = six_of(crystal.cell @ crystal.cell.T)
    np.testing.assert_allclose(metric @ kept.metric, metric, atol=1e-3)
    rng = np.random.default_rng(seed)
    changed = matrix_of((metric + 0.1 * rng.standard_normal(6)) @ kept.metric)
    data = symmetry_dataset(crystal, SYMPREC)
    assert data is not None
    for operation in data.operations.rotations:
        rotation = np.array(operation).T
        np.testing.assert_allclose(rotation @ changed @ rotation.T, changed, atol=1e-9)


@pytest.mark.parametrize(("formula", "seed"), [("TiO2", 4), ("SrTiO3", 5), ("MgAl2O4", 6)])
def test_the_operations_of_a_start_are_kept(field: FlowNetwork, formula: str, seed: int) -> None:
    crystal = _start(formula, seed)
    before = symmetry_dataset(crystal, SYMPREC)
    assert before is not None
    moved = flowed(field, crystal.numbers, [start_of(crystal, kept_by(crystal))], Manner(steps=6))[
        0
    ]
    free = flowed(field, crystal.numbers, [start_of(crystal)], Manner(steps=6))[0]
    assert moved is not None
    assert free is not None
    after = symmetry_dataset(moved, 1e-3)
    assert after is not None
    assert len(after.operations) >= len(before.operations)
    assert space_group(free, 1e-3)[0] == 1


def test_a_projected_velocity_moves_related_atoms_together(field: FlowNetwork) -> None:
    crystal = _start("TiO2", 1)
    kept, rng = kept_by(crystal), np.random.default_rng(0)
    step = 1e-4 * (rng.standard_normal(3 * crystal.n_atoms) @ kept.atoms).reshape(-1, 3)
    before, after = (
        symmetry_dataset(c, 1e-6) for c in (crystal, crystal.replace(scaled=crystal.scaled + step))
    )
    assert before is not None
    assert after is not None
    assert after.number == before.number
