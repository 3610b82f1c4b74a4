"""Random search: ranges, what is learned, rattled copies, the stop by finds."""

from __future__ import annotations

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.moves.parents import closest_over_limit

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.generate.ranged import RangedGenerator, group_orders
from nucleate.run.predict import build_search
from nucleate.run.settings import RunSettings
from nucleate.search.kinds.random import COPY, GIVEN_UP, RATTLE, Random
from nucleate.search.learned import separations
from nucleate.testing import check_search

from .scripted import record_of

SPACE = SearchSpace.create(Composition.from_formula("CoAs2"), max_atoms=12)
ROCK_SALT = Crystal([11, 17], 2.82 * (np.ones((3, 3)) - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]])


def settings_of(formula="CoAs2", problem=None, **values):
    return RunSettings.from_dict(
        {
            "problem": {"formula": formula, "max_atoms": 12, **(problem or {})},
            "search": {"kind": "random", **values},
        }
    )


def new(**values):
    return build_search(settings_of(**values))


def test_the_orders_of_known_groups() -> None:
    orders = group_orders()
    assert [int(orders[k]) for k in (1, 2, 14, 62, 139, 194, 225, 227)] == [
        1, 2, 4, 8, 16, 24, 48, 48,
    ]  # fmt: skip


@pytest.mark.parametrize("operations", [(1, 1), (2, 4), (8, 48)])
def test_crystals_are_within_the_ranges(operations) -> None:
    volume = (0.95, 1.05)
    generator = RangedGenerator(SPACE, operations=operations, volume=volume)
    rng = np.random.default_rng(0)
    expected = SPACE.composition.volume_per_atom
    for _ in range(25):
        candidate = generator.generate(rng=rng)
        crystal = candidate.crystal
        drawn = int(group_orders()[int(candidate.origin.detail["space_group_number"])])
        assert operations[0] <= drawn <= operations[1]
        found = int(group_orders()[space_group(crystal, 0.01)[0]])
        assert found % drawn == 0  # the group drawn, or a supergroup
        assert 0.94 <= crystal.volume_per_atom / expected <= 1.06
        assert closest_over_limit(crystal, SPACE.min_distances) >= 1.0 - 1e-9


def test_every_number_of_formula_units_and_of_operations_is_as_likely() -> None:
    generator = RangedGenerator(SPACE, operations=(1, 48), volume=(0.9, 1.3))
    for units in SPACE.formula_units:
        shares = generator.content(units).flat_shares
        assert shares.sum() == pytest.approx(1.0)
        by_order = np.bincount(group_orders(), weights=shares)
        assert np.ptp(by_order[by_order > 0]) < 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_separations_are_those_of_ase(seed) -> None:
    rng = np.random.default_rng(seed)
    crystal = Crystal(
        [17, 11, 11, 8], np.eye(3) * 5.0 + rng.normal(0, 0.4, (3, 3)), rng.random((4, 3))
    )
    elements = (11, 17, 8)
    found = separations(crystal, elements)
    i, j, d = neighbor_list("ijd", crystal.to_ase(), 6.0)
    for a, first in enumerate(elements):
        for b, second in enumerate(elements):
            pair = d[(crystal.numbers[i] == first) & (crystal.numbers[j] == second)]
            assert found[a, b] == pytest.approx(pair.min(initial=np.inf) if pair.size else 0.0)


def test_separations_and_volume_are_learned_from_the_lowest_after_the_warm_up() -> None:
    search = new(warm_up=4, rattles=0)
    trials = [search.ask() for _ in range(4)]
    before = search._source._usual.copy()
    for trial, energy in zip(trials[:3], (-1.0, -2.0, -3.0), strict=True):
        search.tell(record_of(trial, energy, tiers=("chgnet",)))
    assert np.array_equal(search._source._usual, before)
    search.tell(record_of(trials[3], -0.5, tiers=("chgnet",)))
    elements = SPACE.composition.elements
    lowest = [separations(trial.candidate.crystal, elements) for trial in trials[:3]]
    expected = np.maximum(np.min(lowest, axis=0), search._source._limits)
    assert np.allclose(search._source._usual, expected)
    volume = trials[2].candidate.crystal.volume_per_atom
    assert search._source._ratio * SPACE.composition.volume_per_atom == pytest.approx(volume)
    fixed = new(learn=False, rattles=0)
    for _ in range(20):
        fixed.tell(record_of(fixed.ask(), -1.0, tiers=("chgnet",)))
    assert np.array_equal(fixed._source._usual, before)


def test_low_structures_are_rattled_and_relaxed_again() -> None:
    search = new(rattles=2)
    first = search.ask()
    search.tell(record_of(first, -1.0, tiers=("chgnet",)))
    copies = [search.ask() for _ in range(2)]
    assert [trial.candidate.origin.source for trial in copies] == [RATTLE] * 2
    assert [trial.candidate.origin.detail[COPY] for trial in copies] == [0, 1]
    assert all(trial.candidate.origin.parents == (first.number,) for trial in copies)
    assert search.ask().candidate.origin.source == "random"
    for trial in copies:
        crystal = trial.candidate.crystal
        assert crystal.n_atoms == first.candidate.crystal.n_atoms
        assert closest_over_limit(crystal, SPACE.min_distances) >= 0.85 - 1e-9
    search.tell(record_of(copies[0], -0.2, tiers=("chgnet",)))
    assert search.ask().candidate.origin.source == "random"  # it was not low
    search.tell(record_of(copies[1], -2.0, tiers=("chgnet",)))
    assert search.ask().candidate.origin.parents == (copies[1].number,)


def test_a_structure_that_cannot_be_rattled_does_not_hold_up_the_others() -> None:
    search = new(rattles=2)
    first = search.ask()
    crushed = first.candidate.crystal.with_volume(0.1 * first.candidate.crystal.volume)
    search.tell(record_of(first, -1.0, tiers=("chgnet",), crystal=crushed))
    second = search.ask()
    assert second.candidate.origin.source == "random"
    assert second.candidate.origin.detail[GIVEN_UP] == f"{first.number}:0 {first.number}:1"
    search.tell(record_of(second, -2.0, tiers=("chgnet",)))
    copy = search.ask().candidate.origin
    assert (copy.source, copy.parents) == (RATTLE, (second.number,))
    assert GIVEN_UP not in copy.detail


def test_nothing_is_rattled_within_space_groups_and_the_run_says_so() -> None:
    problem = {"space_groups": ["195-230"]}
    search = build_search(settings_of("NaCl", problem))
    (line,) = search.notes(1)
    assert "search.rattles" in line
    search.tell(record_of(search.ask(), -1.0, tiers=("chgnet",)))
    assert GIVEN_UP not in search.ask().candidate.origin.detail
    assert build_search(settings_of("NaCl")).notes(1) == []


def test_a_volume_learned_outside_the_window_leaves_a_range_inside() -> None:
    search = build_search(settings_of("CoAs2", {"volume_window": [0.9, 1.3]}, warm_up=1, rattles=0))
    trial = search.ask()
    crystal = trial.candidate.crystal
    small = crystal.with_volume(0.65 * crystal.volume)
    search.tell(record_of(trial, -1.0, tiers=("chgnet",), crystal=small))
    for _ in range(3):
        assert search.ask() is not None
    with pytest.raises(InputError, match=r"search\.volume = \[10.*volume_window"):
        new(volume=[10.0, 20.0])


def test_a_lowest_structure_of_a_copy_counts_as_found_once() -> None:
    search = new(rattles=1, found_again=1)
    search.tell(record_of(search.ask(), -1.0, tiers=("chgnet",)))
    copy = search.ask()
    assert copy.candidate.origin.source == RATTLE
    search.tell(record_of(copy, -2.0, tiers=("chgnet",)))
    assert search.stop_reason() is None
    assert search.progress.text == "lowest found once"
    while search.stop_reason() is None:
        trial = search.ask()
        lowest = copy.candidate.crystal if trial.candidate.origin.source == "random" else None
        search.tell(record_of(trial, -2.0, tiers=("chgnet",), crystal=lowest))
        assert trial.number < 6
    assert search.stop_reason() == "the lowest structure was found 2 times"


def test_it_stops_when_the_lowest_was_found_again_often_enough() -> None:
    search = new(rattles=0, found_again=2)
    lowest = search.ask()
    search.tell(record_of(lowest, -1.0, tiers=("chgnet",)))
    for energy, crystal in ((-0.5, None), (-1.0, lowest.candidate.crystal)):
        search.tell(record_of(search.ask(), energy, tiers=("chgnet",), crystal=crystal))
        assert search.stop_reason() is None
    trial = search.ask()
    if trial.candidate.crystal.n_atoms:
        search.tell(record_of(trial, -1.0, tiers=("chgnet",), crystal=lowest.candidate.crystal))
    assert search.stop_reason() == "the lowest structure was found 3 times"
    assert search.progress.text == "lowest found 3 times"


def test_the_search_keeps_its_contract() -> None:
    check_search(Random(warm_up=5), "CaTiO3", trials=30)
    check_search(Random(operations=(1, 1), rattles=0), "NaCl", max_atoms=4, in_flight=1, trials=10)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"operations": [4, 2]}, "is no range"),
        ({"operations": [0, 2]}, "is no range"),
        ({"operations": [1, 49]}, "is no range"),
        ({"volume": [1.2, 0.9]}, "is no range"),
        ({"volume": [0.0, 1.0]}, "is no range"),
        ({"rattles": 0, "rattle_ang": 0.2}, "rattle_ang has no effect"),
        ({"learn": False, "warm_up": 4}, "warm_up has no effect"),
        ({"moves": {"double": 1.0}}, "moves"),
        ({"population": 5}, "population"),
        ({"known": "all"}, "off"),
        ({"generators": ["blocks"]}, "generators"),
    ],
)
def test_settings_without_sense_are_refused(values, message) -> None:
    with pytest.raises(InputError, match=message):
        settings_of(**values)


def test_a_range_without_any_group_that_fits_is_refused() -> None:
    with pytest.raises(InputError, match="no space group in this range"):
        build_search(
            settings_of("CoAs2", {"formula_units": [1], "max_atoms": 3}, operations=[5, 5])
        )
