"""The batched relaxer: minima, limits, bad crystals beside good ones, memory, determinism."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.relax.models import PairModel, argon, pair_energy

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings


def tier(**settings: object) -> TierSettings:
    return TierSettings.model_validate({"fmax_ev_per_ang": 0.01, "max_stress_gpa": 0.1, **settings})


def relaxed_all(
    crystals: list[Crystal], model: PairModel | None = None, **settings: object
) -> dict[int, Outcome]:
    relaxer = BatchedRelaxer(model or PairModel(), tier(**settings))
    return dict(relax_all(relaxer, enumerate(crystals)))


def failure(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed)
    return outcome


def test_results_are_minima_and_say_so_truly() -> None:
    outcomes = relaxed_all([argon(4, seed) for seed in range(6)])
    for outcome in outcomes.values():
        assert isinstance(outcome, Relaxed)
        assert outcome.converged
        energy, forces, virial = pair_energy(outcome.crystal)
        assert energy == pytest.approx(outcome.energy, abs=1e-9)
        assert np.linalg.norm(forces, axis=1).max() <= 0.01
        assert np.abs(virial / outcome.crystal.volume).max() * 160.21766 <= 0.1
        assert energy < pair_energy(argon(4, 0))[0] + 1e-9 or outcome.steps > 0


def test_a_fixed_cell_stays_as_it_is() -> None:
    start = argon(4, 1)
    outcome = relaxed_all([start], relax_cell=False)[0]
    assert isinstance(outcome, Relaxed)
    np.testing.assert_allclose(outcome.crystal.cell, start.cell, atol=1e-12)


def test_rattling_lets_a_symmetric_start_leave_its_saddle() -> None:
    side = 3.5
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) / 2
    simple_cubic = Crystal(np.full(8, 18), np.eye(3) * 2 * side, corners)
    still, rattled, again = (
        relaxed_all([simple_cubic], rattle_ang=size)[0] for size in (0.0, 0.03, 0.03)
    )
    assert isinstance(still, Relaxed)
    assert isinstance(rattled, Relaxed)
    assert isinstance(again, Relaxed)
    assert rattled.energy < still.energy - 0.01
    assert again.energy == rattled.energy


def test_single_points_leave_the_geometry() -> None:
    start = argon(4, 2)
    outcome = relaxed_all([start], relax=False)[0]
    assert isinstance(outcome, Relaxed)
    assert outcome.crystal is start
    assert outcome.evaluations == 1
    assert not outcome.converged
    assert outcome.note == "single point"


def test_what_runs_out_of_steps_is_the_best_seen_and_not_called_converged() -> None:
    outcome = relaxed_all([argon(6, 3)], max_steps=5)[0]
    assert isinstance(outcome, Relaxed)
    assert not outcome.converged
    assert "5 evaluations" in outcome.note
    assert outcome.energy <= pair_energy(argon(6, 3))[0]


def bad_crystals() -> dict[FailReason, Crystal]:
    good = argon(2, 0)
    return {
        FailReason.INVALID: good.replace(scaled=np.full((2, 3), np.nan)),
        FailReason.ISOLATED_ATOM: good.replace(cell=np.eye(3) * 30.0),
        FailReason.TOO_LARGE: argon(20, 0),
    }


@pytest.mark.parametrize(
    ("crystal", "reason"),
    [
        (Crystal(np.empty(0), np.eye(3), np.empty((0, 3))), FailReason.INVALID),
        (Crystal([18], np.zeros((3, 3)), np.zeros((1, 3))), FailReason.INVALID),
        (Crystal([18], [[3, 0, 0], [0, 3, 0], [3, 3, 0]], np.zeros((1, 3))), FailReason.INVALID),
        (Crystal([18], np.full((3, 3), np.inf), np.zeros((1, 3))), FailReason.INVALID),
        (Crystal([26], np.eye(3) * 3.0, np.zeros((1, 3))), FailReason.INVALID),
        (Crystal([18], np.eye(3) * 9.0, np.zeros((1, 3))), FailReason.ISOLATED_ATOM),
        (Crystal([18, 18], np.eye(3) * 4.0, np.zeros((2, 3))), FailReason.TOO_CLOSE),
    ],
)
def test_bad_input_is_refused_with_its_reason_and_others_go_on(
    crystal: Crystal, reason: FailReason
) -> None:
    outcomes = relaxed_all([argon(4, 0), crystal, argon(4, 1)], pre_relax=False)
    assert failure(outcomes[1]).reason is reason
    assert failure(outcomes[1]).message
    alone = relaxed_all([argon(4, 0), argon(4, 1)], pre_relax=False)
    for key, other in ((0, 0), (2, 1)):
        ours, theirs = outcomes[key], alone[other]
        assert isinstance(ours, Relaxed)
        assert isinstance(theirs, Relaxed)
        assert ours.energy == theirs.energy


@pytest.mark.parametrize("edge", [0.8, 2.65])
def test_a_relaxation_that_ends_closer_than_any_known_contact_has_failed(edge: float) -> None:
    pair = Crystal([18, 18], np.eye(3) * 5.3, np.array([[0.0] * 3, [edge / 5.3, 0.0, 0.0]]))
    options: dict[str, Any] = {"pre_relax": False, "fmax_ev_per_ang": 1e99, "max_stress_gpa": 1e99}
    outcome = relaxed_all([pair], **options)[0]
    if edge < 1.0:
        assert failure(outcome).reason is FailReason.COLLAPSED
        assert "known contact" in failure(outcome).message
        outcome = relaxed_all([pair], **options, guards={"shortest_contact": 0.0})[0]
    assert isinstance(outcome, Relaxed)


@pytest.mark.parametrize("per_atom", [-3.1, -2.9])
def test_an_energy_far_below_that_of_the_composition_is_an_unphysical_minimum(
    per_atom: float,
) -> None:
    model = PairModel(lambda crystal, _, forces: (per_atom * crystal.n_atoms, 0.0 * forces))
    model.composition_energies = np.zeros(95)
    options: dict[str, Any] = {"max_stress_gpa": 1e99}
    outcome = relaxed_all([argon(4, 0)], model, **options)[0]
    if per_atom < -3.0:
        assert failure(outcome).reason is FailReason.COLLAPSED
        assert "below -3 it is unphysical" in failure(outcome).message
        outcome = relaxed_all(
            [argon(4, 0)], model, **options, guards={"max_depth_ev_per_atom": 4.0}
        )[0]
    assert isinstance(outcome, Relaxed)


def test_a_crystal_over_the_limit_of_atoms_is_refused() -> None:
    outcomes = relaxed_all([argon(8, 0), argon(4, 0)], guards={"max_atoms": 6})
    assert failure(outcomes[0]).reason is FailReason.TOO_LARGE
    assert isinstance(outcomes[1], Relaxed)


def test_a_crystal_that_never_fits_into_memory_fails_alone() -> None:
    model = PairModel(memory_atoms=12)
    outcomes = relaxed_all([argon(4, 0), argon(20, 0, volume=16.0), argon(4, 1)], model)
    assert failure(outcomes[1]).reason is FailReason.TOO_LARGE
    assert "20 atoms" in failure(outcomes[1]).message
    assert isinstance(outcomes[0], Relaxed)
    assert isinstance(outcomes[2], Relaxed)


def test_batches_are_halved_until_they_fit_and_nothing_changes() -> None:
    crystals = [argon(4, seed) for seed in range(8)]
    tight = PairModel(memory_atoms=9)
    outcomes, free = relaxed_all(crystals, tight), relaxed_all(crystals, PairModel())
    assert max(tight.batches) <= 9
    for key, outcome in outcomes.items():
        reference = free[key]
        assert isinstance(outcome, Relaxed)
        assert isinstance(reference, Relaxed)
        assert outcome.energy == reference.energy


def spoiled_for(victim: int, energy: float | None, force: float | None) -> PairModel:
    """Return a model that lies about cells of ``victim`` atoms."""

    def spoil(crystal: Crystal, e: float, f: np.ndarray) -> tuple[float, np.ndarray]:
        if crystal.n_atoms != victim:
            return e, f
        return (e if energy is None else energy), (f if force is None else np.full_like(f, force))

    return PairModel(spoil)


@pytest.mark.parametrize(
    ("model", "reason", "within"),
    [
        (spoiled_for(3, np.nan, None), FailReason.NOT_FINITE, 1),
        (spoiled_for(3, None, np.inf), FailReason.NOT_FINITE, 1),
        (spoiled_for(3, -1e5, None), FailReason.COLLAPSED, 1),
        (spoiled_for(3, 1e5, None), FailReason.EXPLODED, 8),
        (spoiled_for(3, None, 1e6), FailReason.EXPLODED, 8),
    ],
)
def test_nonsense_of_a_model_ends_that_crystal_within_a_few_evaluations(
    model: PairModel, reason: FailReason, within: int
) -> None:
    outcomes = relaxed_all([argon(4, 0), argon(3, 0)], model, slots=2)
    assert failure(outcomes[1]).reason is reason
    assert isinstance(outcomes[0], Relaxed)
    relaxer = BatchedRelaxer(model, tier())
    relaxer.add(0, argon(3, 0))
    calls = 0
    while not relaxer.step():
        calls += 1
    assert calls < within


@pytest.mark.parametrize(("sign", "reason"), [(1.0, "exploded"), (-1.0, "collapsed")])
def test_runaway_cells_are_ended_by_their_volume(sign: float, reason: str) -> None:
    class Runaway(PairModel):
        def evaluate(self, batch: Batch):
            result = super().evaluate(batch)
            self.calls = getattr(self, "calls", 0) + 1
            result.energies[:] = -10.0 * self.calls
            result.forces[:] = 0.0
            result.stresses[:] = -sign * 5.0 * np.eye(3)
            return result

    outcome = relaxed_all([argon(4, 0)], Runaway())[0]
    assert str(failure(outcome).reason) == reason


def test_an_error_of_the_engine_ends_only_its_crystal() -> None:
    def spoil(crystal: Crystal, e: float, f: np.ndarray) -> tuple[float, np.ndarray]:
        if crystal.n_atoms == 3:
            raise RuntimeError("no charge density")
        return e, f

    outcomes = relaxed_all([argon(4, 0), argon(3, 0)], PairModel(spoil))
    assert failure(outcomes[1]).reason is FailReason.CALCULATOR
    assert "no charge density" in failure(outcomes[1]).message
    assert isinstance(outcomes[0], Relaxed)


def test_the_same_batch_gives_the_same_bits() -> None:
    crystals = [argon(4, seed) for seed in range(5)]
    one, other = relaxed_all(crystals), relaxed_all(crystals)
    for key, outcome in one.items():
        again = other[key]
        assert isinstance(outcome, Relaxed)
        assert isinstance(again, Relaxed)
        assert outcome.energy == again.energy
        np.testing.assert_array_equal(outcome.crystal.scaled, again.crystal.scaled)
        np.testing.assert_array_equal(outcome.crystal.cell, again.crystal.cell)


def test_slots_follow_the_size_of_the_crystals() -> None:
    relaxer = BatchedRelaxer(PairModel(batch_atoms=40), tier())
    assert relaxer.free_slots() == 2
    relaxer.add(0, argon(4, 0))
    assert relaxer.free_slots() == 9
    fixed = BatchedRelaxer(PairModel(), tier(slots=3))
    fixed.add(0, argon(4, 0))
    assert fixed.free_slots() == 2
    large = BatchedRelaxer(PairModel(batch_atoms=2), tier())
    assert large.free_slots() == 1
