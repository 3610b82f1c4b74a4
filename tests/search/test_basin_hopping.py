"""Ask and tell: acceptance, duplicates, stopping, determinism, replay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.generate.mix import GeneratorMix
from nucleate.moves.table import MOVES
from nucleate.relax.outcome import Failed, FailReason
from nucleate.search.book import REPEATS_IN_A_ROW
from nucleate.search.record import Record, TierOutcome
from nucleate.search.stop import Stop
from nucleate.search.target import Target

from .scripted import BasinHopping, LowestMinima, OneCrystal, play, record_of, search

MOVE_NAMES = [move.name for move in MOVES]


def test_downhill_uphill_equal_and_failed_steps():
    walk = search(temperature=1e-6)
    first, down, up, equal, failed = play(walk, -1.0, -1.2, -1.1, -1.2, None)
    assert (first.accepted, first.new_minimum, first.current) == (True, True, 0)
    assert (down.accepted, down.new_minimum, down.current, down.best) == (True, True, 1, 1)
    assert (up.accepted, up.new_minimum, up.current) == (False, False, 1)
    assert (equal.accepted, equal.new_minimum) == (False, False)
    assert (failed.accepted, failed.new_minimum, failed.current) == (False, False, 1)


def test_a_hot_walk_goes_uphill_but_the_best_stays():
    walk = search(temperature=1e6)
    verdicts = play(walk, -1.0, -0.5)
    assert (verdicts[1].accepted, verdicts[1].current, verdicts[1].best) == (True, 1, 0)


def test_what_a_surrogate_refuses_is_a_refused_step():
    walk = search(melt_after=2, temperature=1e-6)
    play(walk, -1.0)
    for count in range(5):
        trial = walk.ask()
        screened = Failed(FailReason.SCREENED, "scripted")
        update = walk.tell(Record(trial.number, trial.candidate, (TierOutcome("toy", screened),)))
        assert (update.accepted, update.current, update.melted) == (False, 0, count >= 1)
    assert walk.progress.n_structures == 1
    assert walk.progress.since_best == 0
    (down,) = play(walk, -1.2)
    assert (down.accepted, down.new_minimum) == (True, True)


def test_the_population_starts_the_walk_at_its_best():
    walk = search(population=4, temperature=1e6)
    verdicts = play(walk, -1.0, -0.5, -1.5, -1.4)
    assert [verdict.current for verdict in verdicts] == [0, 0, 2, 2]


def test_structures_since_the_last_best_count_everything_but_repeats():
    walk = search(temperature=1e6)
    play(walk, -1.0, -2.0)
    assert walk.progress.since_best == 0
    play(walk, -1.5, None)
    assert walk.progress.since_best == 2
    # downhill from -1.5, but not a new minimum
    play(walk, -1.7)
    assert walk.progress.since_best == 3
    rule = Stop(without_improvement=4)
    assert reason(rule, walk) is None
    play(walk, -1.0)
    assert "since the last new minimum" in reason(rule, walk)


def test_melting_shows_in_the_verdicts():
    walk = search(melt_after=3, temperature=1e-6)
    verdicts = play(walk, -1.0, -0.9, -0.9, -0.9, -0.9, -2.0)
    assert [verdict.melted for verdict in verdicts] == [False, False, False, True, True, False]
    assert verdicts[4].temperature > verdicts[3].temperature > 1e-6
    assert verdicts[5].temperature == 1e-6


def test_the_melted_walk_uses_its_own_moves():
    settings = {
        "moves": dict.fromkeys(MOVE_NAMES[1:], 0.0) | {MOVE_NAMES[0]: 1.0},
        "melted_moves": {name: 0.0 for name in MOVE_NAMES if name != "double"} | {"double": 1.0},
    }
    walk = search(new_fraction=0.0, melt_after=2, temperature=1e-6, **settings)
    play(walk, -1.0)
    for _ in range(2):
        trial = walk.ask()
        assert trial.candidate.origin.source == "move:swap-two-atoms"
        walk.tell(record_of(trial, None))
    assert walk.ask().candidate.origin.source == "move:double"


def test_a_melted_walk_without_moves_of_its_own_keeps_those_of_the_walk():
    only = dict.fromkeys(MOVE_NAMES[1:], 0.0) | {MOVE_NAMES[0]: 1.0}
    walk = search(new_fraction=0.0, melt_after=1, temperature=1e-6, moves=only)
    play(walk, -1.0, None)
    for _ in range(4):
        trial = walk.ask()
        assert trial.candidate.origin.source == "move:swap-two-atoms"
        walk.tell(record_of(trial, None))


def test_a_move_that_was_given_a_weight_and_cannot_act_is_named():
    for kind in (BasinHopping, LowestMinima):
        walk = search(kind=kind, moves={"triple": 5.0}, space=small_space(2))
        (line,) = [text for text in walk.notes(1) if "triple" in text]
        assert "search.moves" in line
        assert "3 formula units" in line
        assert not search(kind=kind, moves={"double": 5.0}, space=small_space(2)).notes(1)


def small_space(units):
    return SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=2 * units)


def test_a_known_minimum_is_a_duplicate_judged_by_its_enthalpy():
    walk = search(temperature=1e-6)
    first = walk.ask()
    walk.tell(record_of(first, -1.0))
    shape = first.candidate.crystal
    moved = shape.replace(scaled=shape.scaled + 0.3)
    verdict = walk.tell(record_of(walk.ask(), -1.001, crystal=moved))
    assert verdict.duplicate_of == 0
    assert verdict.accepted  # a little lower than the walk
    assert not verdict.new_minimum
    assert walk.progress.since_best == 1


def test_the_walk_returns_downhill_to_a_known_minimum():
    walk = search(temperature=1e6)
    low = walk.ask()
    walk.tell(record_of(low, -1.0))
    walk.tell(record_of(walk.ask(), -0.5))
    back = walk.tell(record_of(walk.ask(), -1.0, crystal=low.candidate.crystal))
    assert (back.duplicate_of, back.accepted, back.current) == (0, True, 2)


def test_the_same_shape_with_another_energy_is_no_duplicate():
    walk = search(temperature=1e-6)
    first = walk.ask()
    walk.tell(record_of(first, -1.0))
    verdict = walk.tell(record_of(walk.ask(), -1.2, crystal=first.candidate.crystal))
    assert verdict.duplicate_of is None
    assert verdict.new_minimum


def test_a_starting_geometry_is_paid_for_once():
    walk = search(OneCrystal(), population=2)
    first, second = walk.ask(), walk.ask()
    assert first.duplicate_of is None
    assert second.duplicate_of == 0
    verdict = walk.tell(record_of(second))
    assert verdict.duplicate_of == 0
    assert not verdict.accepted
    assert (walk.progress.n_structures, walk.progress.n_repeats, walk.progress.since_best) == (
        0,
        1,
        0,
    )


def test_a_start_at_a_known_minimum_is_not_paid_for():
    walk = search(OneCrystal())
    trial = walk.ask()
    other = replace(record_of(trial, -1.0), number=0)
    far = Crystal([11, 17], np.diag([3.0, 4.0, 6.0]), [[0, 0, 0], [0.5, 0.4, 0.5]])
    walk = search(OneCrystal())
    # record 0 started elsewhere and relaxed to the one crystal
    start = replace(other.candidate, crystal=far)
    walk.tell(replace(other, candidate=start))
    assert walk.ask().duplicate_of == 0


def test_an_exhausted_search_says_so_until_something_changes():
    walk = search(OneCrystal(), kind=LowestMinima)
    paid = walk.ask()
    for _ in range(REPEATS_IN_A_ROW):
        assert not walk.progress.exhausted
        walk.tell(record_of(walk.ask()))
    assert walk.progress.exhausted
    walk.tell(record_of(paid, -1.0))
    assert not walk.progress.exhausted


def reason(rule, walk):
    progress = walk.progress
    return rule.reason(progress, n_finished=progress.n_structures, session_s=0.0, used_core_s=0.0)


def test_stop_by_number_of_structures():
    walk, rule = search(), Stop(structures=3)
    play(walk, -1.0, None)
    assert reason(rule, walk) is None
    play(walk, -1.0)
    assert reason(rule, walk) == "3 structures were relaxed"


def test_stop_at_the_target_whatever_its_cell_and_volume():
    cubic = Crystal([11, 17], np.eye(3) * 3.4, [[0, 0, 0], [0.5, 0.5, 0.5]])
    walk, rule = search(population=2), Stop(target=Target(cubic))
    rule.note(record_of(walk.ask(), -1.0))
    assert reason(rule, walk) is None
    double = Crystal(
        [11, 11, 17, 17],
        np.diag([7.2, 3.6, 3.6]),
        [[0.1, 0, 0], [0.6, 0, 0], [0.35, 0.5, 0.5], [0.85, 0.5, 0.5]],
    )
    trial = walk.ask()
    rule.note(record_of(trial, -0.5, crystal=double))
    assert rule.is_found_by(trial.number)
    assert reason(rule, walk) == "the target structure was found"


def test_only_energies_of_one_tier_are_compared():
    tiers = ("cheap", "dear")
    walk = search(tiers=tiers, temperature=1e-6)
    walk.tell(record_of(walk.ask(), -1.0, -50.0, tiers=tiers))
    # lower than 0 on the cheap tier, the dear one unknown: downhill, but not a new minimum
    verdict = walk.tell(record_of(walk.ask(), -2.0, tiers=tiers))
    assert (verdict.accepted, verdict.new_minimum) == (True, False)
    # higher on the dear tier, which both have: not better than 0, whatever the cheap one says
    verdict = walk.tell(record_of(walk.ask(), -3.0, -49.0, tiers=tiers))
    assert not verdict.new_minimum
    verdict = walk.tell(record_of(walk.ask(), 5.0, -51.0, tiers=tiers))
    assert verdict.new_minimum


def test_a_failed_second_tier_leaves_the_energy_of_the_first():
    tiers = ("cheap", "dear")
    walk = search(tiers=tiers)
    verdict = walk.tell(record_of(walk.ask(), -1.0, None, tiers=tiers))
    assert verdict.new_minimum


class Real:
    """A search with the real generator and moves on a real composition."""

    SPACE = SearchSpace.create(Composition.from_formula("CaTiO3"), max_atoms=10)

    @classmethod
    def new(cls, seed=3, kind=LowestMinima):
        more = {"walkers": 2} if kind is BasinHopping else {}
        return search(
            GeneratorMix([(BlocksGenerator(cls.SPACE), 1.0)]),
            space=cls.SPACE,
            population=4,
            new_fraction=0.3,
            seed=seed,
            kind=kind,
            **more,
        )

    @staticmethod
    def energy(crystal):
        return float(-5.0 + np.sin(7.0 * crystal.positions).mean())

    @classmethod
    def run(cls, walk, n, lag=2):
        """Keep `lag` trials in flight; return the records in the order told."""
        flying, told = [], []
        while len(told) < n:
            while len(flying) < lag and (trial := walk.ask()) is not None:
                flying.append(trial)
            trial = flying.pop(0)
            energy = (
                () if trial.duplicate_of is not None else (cls.energy(trial.candidate.crystal),)
            )
            told.append(record_of(trial, *energy))
            walk.tell(told[-1])
        return told, flying


def same(a, b):
    return np.array_equal(a.scaled, b.scaled) and np.array_equal(a.cell, b.cell)


def test_same_seed_same_candidates_bit_for_bit():
    first, _ = Real.run(Real.new(), 30)
    second, _ = Real.run(Real.new(), 30)
    assert [r.candidate.origin for r in first] == [r.candidate.origin for r in second]
    assert all(
        same(a.candidate.crystal, b.candidate.crystal) for a, b in zip(first, second, strict=True)
    )
    assert any(r.candidate.origin.source.startswith("move:") for r in first)


def test_another_seed_gives_other_candidates():
    (first,), _ = Real.run(Real.new(3), 1)
    (second,), _ = Real.run(Real.new(4), 1)
    assert not np.array_equal(first.candidate.crystal.cell, second.candidate.crystal.cell)


@pytest.mark.parametrize("kind", [LowestMinima, BasinHopping])
@pytest.mark.parametrize("cut", [1, 7, 20])
def test_telling_the_records_again_resumes_the_search(cut, kind):
    whole, _ = Real.run(Real.new(kind=kind), 30)
    walk = Real.new(kind=kind)
    told, flying = Real.run(walk, cut)
    resumed = Real.new(kind=kind)
    for record in told:
        resumed.tell(record)
    for trial in flying:
        resumed.restore(trial)
    rest = []
    flying = list(flying)
    while len(rest) < 30 - cut:
        while len(flying) < 2 and (trial := resumed.ask()) is not None:
            flying.append(trial)
        trial = flying.pop(0)
        energy = () if trial.duplicate_of is not None else (Real.energy(trial.candidate.crystal),)
        rest.append(record_of(trial, *energy))
        resumed.tell(rest[-1])
    for ours, expected in zip(rest, whole[cut:], strict=True):
        assert ours.number == expected.number
        assert ours.candidate.origin == expected.candidate.origin
        assert same(ours.candidate.crystal, expected.candidate.crystal)


def test_children_name_their_parent():
    told, _ = Real.run(Real.new(), 40)
    by_number = {record.number: record for record in told}
    children = [r for r in told if r.candidate.origin.parents]
    assert children
    for child in children:
        assert child.candidate.origin.parents[0] in by_number
