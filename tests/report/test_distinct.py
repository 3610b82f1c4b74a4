"""Distinct structures, families and their order, against the rules in plain words.

Shapes are numbers on a line here: two structures are as far apart as their numbers, and one is a
distortion of another one up to a distance of 1. So rules are checked without a matcher.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.runs import FCC, record, relaxed

from nucleate.relax.outcome import Failed, FailReason
from nucleate.report import distinct as module
from nucleate.report.distinct import (
    LEVEL_EV_PER_ATOM,
    SAME_STRUCTURE_EV_PER_ATOM,
    Distinct,
    Polished,
    distinct,
    families,
    in_family_order,
    polished_of,
)
from nucleate.report.judging import make_findings
from nucleate.run.final_settings import FinalSettings
from nucleate.search.polished import RATTLED, SAME_ENERGY, SYMMETRISED

STEP = 0.0004
TOLERANCE = 0.5


@dataclass(frozen=True)
class Shape:
    """A place on a line, and how symmetric."""

    place: float
    symmetry: float


@pytest.fixture(autouse=True)
def on_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare shapes by their places; the volume of a crystal is where it is."""
    monkeypatch.setattr(module, "displacement", lambda one, other: abs(one.place - other.place))
    monkeypatch.setattr(
        module, "is_distortion", lambda low, high: abs(low.place - high.place) <= 1.0
    )

    class Line:
        @staticmethod
        def of(crystal) -> Shape:
            return Shape(round(crystal.volume, 6), float(round(crystal.lengths[0])))

    monkeypatch.setattr(module, "Comparable", Line)


def polished(energy: float, place: float, symmetry: float, number: int, tier: str) -> Polished:
    outcome = relaxed(FCC, energy)
    return Polished(record(number, (tier, outcome)), tier, outcome, Shape(place, symmetry))


@st.composite
def lists(draw: st.DrawFn) -> list[Polished]:
    """Draw polished geometries, the lowest first; energies are multiples of 0.4 meV/atom."""
    number = draw(st.integers(0, 9))
    found = [
        polished(
            STEP * draw(st.integers(0, 20)), draw(st.integers(0, 12)) / 4, draw(st.integers(1, 4)),
            k, draw(st.sampled_from([SYMMETRISED, RATTLED])),
        )
        for k in range(number)
    ]  # fmt: skip
    return sorted(found, key=lambda item: item.enthalpy)


def key(item: Polished) -> tuple[int, str]:
    return item.record.number, item.tier


@given(lists())
def test_every_geometry_is_in_one_structure_and_within_its_tolerance(items) -> None:
    found = distinct(items, TOLERANCE)
    members = [[key(one.best), *((copy.record, copy.tier) for copy in one.same)] for one in found]
    assert sorted(chain.from_iterable(members)) == sorted(map(key, items))
    by_key = {key(item): item for item in items}
    firsts = [min((by_key[k] for k in group), key=items.index) for group in members]
    for group, first in zip(members, firsts, strict=True):
        for item in (by_key[k] for k in group):
            assert abs(item.shape.place - first.shape.place) <= TOLERANCE
            assert item.enthalpy - first.enthalpy <= SAME_STRUCTURE_EV_PER_ATOM
    for place, earlier in enumerate(firsts):
        for group in members[place + 1 :]:
            for item in (by_key[k] for k in group):
                near = abs(item.shape.place - earlier.shape.place) <= TOLERANCE
                assert not near or item.enthalpy - earlier.enthalpy > SAME_STRUCTURE_EV_PER_ATOM


@given(lists())
def test_the_highest_symmetry_among_the_lowest_stands_for_a_structure(items) -> None:
    by_key = {key(item): item for item in items}
    for one in distinct(items, TOLERANCE):
        group = [one.best, *(by_key[copy.record, copy.tier] for copy in one.same)]
        lowest = min(item.enthalpy for item in group)
        level = [item for item in group if item.enthalpy <= lowest + SAME_ENERGY]
        assert one.best in level
        assert one.best.shape.symmetry == max(item.shape.symmetry for item in level)
        ties = [item for item in level if item.shape.symmetry == one.best.shape.symmetry]
        assert one.best.tier == SYMMETRISED or all(item.tier == RATTLED for item in ties)


@pytest.mark.parametrize(
    ("places", "steps", "tolerance", "number"),
    [
        ([1.0, 1.0, 1.0], [0, 5, 12], 0.0, 1),
        ([1.0, 1.0, 1.0], [0, 5, 13], 0.0, 2),  # 5.2 meV/atom above the lowest
        ([1.0, 1.2, 1.4], [0, 1, 2], 0.21, 2),  # the third is compared with the first
        ([1.0, 1.2, 1.4], [0, 1, 2], 0.41, 1),
        ([1.0, 1.2, 1.4], [0, 1, 2], 0.19, 3),
    ],
)
def test_displacement_and_energy_both_tell_structures_apart(
    places, steps, tolerance, number
) -> None:
    items = [
        polished(STEP * step, place, 1.0, k, RATTLED)
        for k, (place, step) in enumerate(zip(places, steps, strict=True))
    ]
    assert len(distinct(items, tolerance)) == number


def as_distinct(items: list[Polished]) -> list[Distinct]:
    return [Distinct(item, ()) for item in items]


@given(lists())
def test_families_are_a_partition_led_by_the_highest_symmetry(items) -> None:
    structures = as_distinct(items)
    found = families(structures)
    assert sorted(chain.from_iterable(found)) == list(range(len(items)))
    shapes = [item.shape for item in items]
    for place, family in enumerate(found):
        symmetries = [shapes[member].symmetry for member in family]
        assert symmetries == sorted(symmetries, reverse=True)
        for at, member in enumerate(family[1:], start=1):
            gaps = [abs(shapes[member].place - shapes[other].place) for other in family[:at]]
            assert min(gaps) <= 1.0, "a distortion of one that was there before"
        for other in found[:place]:
            head = family[0]
            earlier = [
                m for m in other if (-shapes[m].symmetry, m) < (-shapes[head].symmetry, head)
            ]
            assert all(abs(shapes[head].place - shapes[m].place) > 1.0 for m in earlier)


@given(lists().filter(bool), st.data())
def test_a_family_is_led_by_the_most_symmetric_of_the_level_ones(items, data) -> None:
    structures = as_distinct(items)
    scores = [data.draw(st.integers(0, 5)) / 100 for _ in items]
    order = in_family_order(range(len(items)), structures, scores)
    assert sorted(order) == list(range(len(items)))
    first = min(range(len(items)), key=lambda k: (scores[k], k))
    level = [
        k for k in range(len(items))
        if abs(items[k].enthalpy - items[first].enthalpy) <= LEVEL_EV_PER_ATOM
    ]  # fmt: skip
    assert order[0] in level
    assert items[order[0]].shape.symmetry == max(items[k].shape.symmetry for k in level)
    rest = [(scores[k], k) for k in order[1:]]
    assert rest == sorted(rest)


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 40), st.none() | st.integers(0, 40)), max_size=8),
    st.integers(0, 30),
)
def test_of_both_starts_of_a_record_the_higher_counts_inside_the_window_only(pairs, width) -> None:
    window = width * 0.01
    records = [
        record(number, *(
            (tier, Failed(FailReason.TIMEOUT, "late") if level is None
             else relaxed(FCC, 0.01 * level))
            for tier, level in zip((SYMMETRISED, RATTLED), pair, strict=True)
        ))
        for number, pair in enumerate(pairs)
    ]  # fmt: skip
    expected = sorted(
        (0.01 * level, number, tier)
        for number, pair in enumerate(pairs)
        for tier, level in zip((SYMMETRISED, RATTLED), pair, strict=True)
        if level is not None
        and 0.01 * level <= min(0.01 * own for own in pair if own is not None) + window
    )
    found = polished_of(records, window)
    assert [(item.enthalpy, *key(item)) for item in found] == expected


class LikesRound:
    """A prior of the volume."""

    def weight(self, crystal) -> float:
        return 0.5 if round(crystal.volume) % 2 else 0.01


def sized(place: float, symmetry: int):
    """Return a crystal at a place of the line."""
    lengths = np.array([symmetry, 1.0, place / symmetry])
    return FCC.replace(cell=np.diag(lengths))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(0, 30)), max_size=9),
    st.booleans(),
)
def test_findings_list_families_together_in_the_order_of_their_best(drawn, with_prior) -> None:
    records = [
        record(number, (RATTLED, relaxed(sized(place, symmetry), 0.002 * level)))
        for number, (place, symmetry, level) in enumerate(drawn)
    ]
    final = FinalSettings(same=0.025)
    rows = make_findings(records, final, LikesRound() if with_prior else None).rows
    numbers = [row.family for row in rows]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, len(set(numbers)) + 1))
    seen = [row.record for row in rows] + [copy.record for row in rows for copy in row.same]
    assert sorted(seen) == list(range(len(drawn)))
    if with_prior:
        assert sum(row.probability or 0.0 for row in rows) <= 1.0
        best = [max(r.probability for r in rows if r.family == n) for n in dict.fromkeys(numbers)]
        assert all(one >= other for one, other in pairwise(best))
        for row in rows:
            volume = round(records[row.record].crystal.volume)
            assert row.weight == (0.5 if volume % 2 else 0.01)
    else:
        energy = {k: records[k].relaxed.enthalpy_per_atom for k in range(len(records))}
        lowest = [
            min(energy[r.record] for r in rows if r.family == n) for n in dict.fromkeys(numbers)
        ]
        assert lowest == sorted(lowest)
        assert {row.probability for row in rows} <= {None}
