"""Fixed symmetry: the start's space group, or one that contains it, at every step."""

from __future__ import annotations

import numpy as np
import pytest
from tests.relax.models import PairModel, argon, pair_energy

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import space_group
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Relaxed
from nucleate.relax.settings import TierSettings
from nucleate.relax.symmetry import symmetry_constraint


def rutile() -> Crystal:
    """Return argon on rutile's sites, in a cell that wants to change."""
    u = 0.30
    scaled = [
        [0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [1 - u, 1 - u, 0],
        [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5],
    ]  # fmt: skip
    numbers = [18, 18, 36, 36, 36, 36]
    return Crystal(np.array(numbers), np.diag([4.9, 4.9, 3.1]), np.array(scaled))


def wurtzite() -> Crystal:
    """Return argon and krypton on wurtzite's sites."""
    a, c, u = 3.4, 5.2, 0.40
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]]
    scaled = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, u], [2 / 3, 1 / 3, 0.5 + u]]
    return Crystal(np.array([18, 18, 36, 36]), np.array(cell), np.array(scaled))


@pytest.mark.parametrize(("start", "groups"), [(rutile(), {136}), (wurtzite(), {186, 194})])
def test_the_group_is_kept_at_every_step(start: Crystal, groups: set[int]) -> None:
    assert space_group(start, 0.01)[0] in groups
    settings = {"fix_symmetry": True, "fmax_ev_per_ang": 0.01, "max_stress_gpa": 0.05}
    relaxer = BatchedRelaxer(PairModel(), TierSettings.model_validate(settings))
    relaxer.add(0, start)
    ended, steps = relaxer.step(), 1
    while not ended:
        ended = relaxer.step()
        steps += 1
        (flight,) = relaxer._flights or [None]
        if flight is not None:
            assert space_group(flight.crystal, 1e-3)[0] in groups
    ((_, outcome),) = ended
    assert isinstance(outcome, Relaxed)
    assert outcome.converged
    assert steps > 3
    assert space_group(outcome.crystal, 1e-3)[0] in groups
    assert abs(outcome.crystal.volume / start.volume - 1) > 0.01
    assert outcome.energy < pair_energy(start)[0]


def test_symmetrised_forces_and_stress_of_a_symmetric_crystal_are_its_own() -> None:
    start = wurtzite()
    constraint = symmetry_constraint(start)
    assert constraint is not None
    _, forces, virial = pair_energy(start)
    flight = type("Flight", (), {"crystal": start})
    same_forces, same_virial = constraint.symmetrised(flight, forces, virial)
    np.testing.assert_allclose(same_forces, forces, atol=1e-9)
    np.testing.assert_allclose(same_virial, virial, atol=1e-9)


def test_noise_is_projected_out() -> None:
    start = rutile()
    constraint = symmetry_constraint(start)
    assert constraint is not None
    noise = np.random.default_rng(0).normal(size=(6, 3))
    flight = type("Flight", (), {"crystal": start})
    once, stress = constraint.symmetrised(flight, noise, np.diag([1.0, 2.0, 3.0]))
    twice, _ = constraint.symmetrised(flight, once, stress)
    np.testing.assert_allclose(once, twice, atol=1e-12)
    np.testing.assert_allclose(once[:2], 0.0, atol=1e-12)  # on inversion centres
    np.testing.assert_allclose(stress, np.diag([1.5, 1.5, 3.0]), atol=1e-12)


def test_a_crystal_without_symmetry_has_no_constraint() -> None:
    assert symmetry_constraint(argon(3, 7)) is None
