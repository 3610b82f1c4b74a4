"""Fixed symmetry: the start's space group, or one that contains it, at every step."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relax.models import PairModel, argon, pair_energy

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import space_group, symmetrised_in_place
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.judge import EngineFacts
from nucleate.relax.outcome import Relaxed
from nucleate.relax.preparation import admit
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


ROCK_SALT = 2.82 * (np.ones((3, 3)) - np.eye(3))


@pytest.mark.parametrize("repeats", [(1, 1, 1), (2, 1, 1), (2, 2, 1)])
def test_a_disturbed_crystal_is_moved_to_its_symmetry_in_its_own_cell(repeats) -> None:
    perfect = bulk("NaCl", "rocksalt", a=5.64).repeat(repeats)
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    disturbed = Crystal(
        perfect.numbers,
        perfect.cell.array @ turn @ (np.eye(3) + rng.normal(0.0, 2e-3, (3, 3))),
        perfect.get_scaled_positions() + rng.normal(0.0, 2e-3, (len(perfect), 3)),
    )
    assert space_group(disturbed, 1e-3)[0] < 225
    found = symmetrised_in_place(disturbed, 0.1)
    assert space_group(found, 1e-5)[0] == 225
    assert found.numbers.tolist() == disturbed.numbers.tolist()
    assert np.abs(found.positions - disturbed.positions).max() < 0.1
    assert found.volume == pytest.approx(disturbed.volume, rel=0.01)
    again = symmetrised_in_place(found, 0.1)
    assert np.allclose(again.positions, found.positions, atol=1e-7)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_atoms_move_by_no_more_than_twice_the_tolerance(seed) -> None:
    crystal = argon(5, seed)
    found = symmetrised_in_place(crystal, 0.2)
    gap = (found.scaled - crystal.scaled) @ crystal.cell
    assert np.linalg.norm(gap, axis=1).max() <= 0.4 + 1e-9


def test_the_key_of_a_tier_symmetrises_what_may_move() -> None:
    crystal = Crystal([11, 17], ROCK_SALT, [[0, 0, 0], [0.505, 0.497, 0.5]])
    facts = EngineFacts(LevelOfTheory("toy", "1", "test"), None, 6.0)
    plain = admit(TierSettings(name="toy"), crystal, facts)
    assert plain.crystal == crystal
    tier = TierSettings(name="toy", symmetrise_ang=0.1)
    assert space_group(admit(tier, crystal, facts).crystal, 1e-5)[0] == 225
    held = np.ones((2, 3), dtype=bool)
    held[1] = False
    assert admit(tier, crystal, facts, held).crystal == crystal
    kept = TierSettings(name="toy", symmetrise_ang=0.1, fix_symmetry=True)
    constraint = admit(kept, crystal, facts).constraint
    assert len(constraint.rotations) == 48
