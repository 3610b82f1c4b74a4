"""Sums over Wyckoff assignments and draws from them agree with listing every assignment."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import log, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.generate.symmetric_prior import positions
from nucleate.generate.wyckoff_counting import draw, log_total, log_totals

Table = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@st.composite
def tables(draw_value: st.DrawFn) -> Table:
    """Return counts, multiplicities, which positions are fixed, and weights."""
    n_places = draw_value(st.integers(1, 5))
    n_elements = draw_value(st.integers(1, 3))
    integers = st.integers(1, 4)
    multiplicity = draw_value(st.lists(integers, min_size=n_places, max_size=n_places))
    fixed = draw_value(st.lists(st.booleans(), min_size=n_places, max_size=n_places))
    counts = draw_value(st.lists(st.integers(1, 6), min_size=n_elements, max_size=n_elements))
    seed = draw_value(st.integers(0, 2**32 - 1))
    weights = np.random.default_rng(seed).uniform(0.1, 3.0, (n_elements, n_places))
    return np.array(counts), np.array(multiplicity), np.array(fixed), weights


def every_assignment(table: Table) -> dict[tuple[tuple[int, ...], ...], float]:
    """Return all assignments with their weights, found by trying everything."""
    counts, multiplicity, fixed, weights = table
    rows = []
    for count in counts:
        most = [min(1, count // m) if f else count // m
                for m, f in zip(multiplicity, fixed, strict=True)]  # fmt: skip
        options = product(*(range(limit + 1) for limit in most))
        rows.append([row for row in options if np.dot(row, multiplicity) == count])
    found = {}
    for assignment in product(*rows):
        if (np.sum(assignment, axis=0)[fixed] <= 1).all():
            powers = weights ** np.array(assignment)
            found[assignment] = float(prod(powers.ravel().tolist()))
    return found


@settings(max_examples=40)
@given(tables())
def test_the_sum_is_that_over_every_assignment(table: Table) -> None:
    whole = sum(every_assignment(table).values())
    expected = log(whole) if whole > 0.0 else -np.inf
    assert log_total(*table) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40)
@given(tables(), st.integers(0, 1000))
def test_every_draw_is_an_assignment(table: Table, seed: int) -> None:
    known = every_assignment(table)
    if not known:
        return
    counts, _, _, weights = table
    uniform = np.random.default_rng(seed).random(weights.size + counts.size + counts.sum())
    drawn = tuple(tuple(row) for row in draw(*table, uniform).tolist())
    assert drawn in known


def test_frequencies_of_draws_follow_the_weights() -> None:
    multiplicity, fixed = np.array([1, 1, 2, 2]), np.array([True, True, False, False])
    weights = np.array([[1.0, 2.0, 0.5, 1.5], [0.7, 0.3, 2.0, 1.0]])
    table = (np.array([3, 4]), multiplicity, fixed, weights)
    known = every_assignment(table)
    assert len(known) > 4
    rng = np.random.default_rng(11)
    number = 20000
    seen = Counter(
        tuple(tuple(row) for row in draw(*table, rng.random(15)).tolist()) for _ in range(number)
    )
    whole = sum(known.values())
    expected = np.array([number * weight / whole for weight in known.values()])
    observed = np.array([seen[assignment] for assignment in known])
    assert observed.sum() == number
    from scipy.stats import chisquare

    assert chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("extreme", [0.0, 1.0 - 1e-16])
def test_random_numbers_at_the_ends_of_their_range_give_assignments(extreme: float) -> None:
    multiplicity, fixed = np.array([1, 1, 2, 3]), np.array([True, True, False, False])
    table = (np.array([5, 4]), multiplicity, fixed, np.full((2, 4), 0.3))
    drawn = draw(*table, np.full(30, extreme))
    assert tuple(tuple(row) for row in drawn.tolist()) in every_assignment(table)


def test_an_odd_number_of_atoms_fits_no_even_positions() -> None:
    table = (np.array([3]), np.array([2, 4]), np.array([True, False]), np.ones((1, 2)))
    assert log_total(*table) == -np.inf


def test_a_fixed_position_is_used_once_for_all_elements() -> None:
    one = (np.array([1]), np.array([1]), np.array([True]), np.ones((1, 1)))
    two = (np.array([1, 1]), np.array([1]), np.array([True]), np.ones((2, 1)))
    assert log_total(*one) == 0.0
    assert log_total(*two) == -np.inf


def test_space_groups_that_hold_rock_salt_with_two_atoms() -> None:
    """NaCl needs two positions of multiplicity 1, or one of them twice."""
    places = positions()
    weights = np.ones((2, places.multiplicity.size))
    arguments = (places.multiplicity, places.freedom, places.start, weights)
    found = log_totals(np.array([1, 1]), *arguments)
    for group in range(2, 231):
        part = places.of(group)
        single = places.multiplicity[part] == 1
        fixed = int(np.sum(single & places.fixed[part]))
        free = int(np.sum(single & ~places.fixed[part]))
        ways = (fixed + free) ** 2 - fixed
        assert np.exp(found[0, group]) == pytest.approx(ways), group
    assert np.isneginf(found[0, 1])
    assert np.exp(found[0, 225]) == pytest.approx(2.0), "4a and 4b of Fm-3m, either way round"


def test_growth_terms_are_mean_costs_of_orbits_and_coordinates() -> None:
    """Where one assignment alone fits, they count its orbits and its free coordinates."""
    places = positions()
    weights = np.ones((1, places.multiplicity.size))
    found = log_totals(np.array([1]), places.multiplicity, places.freedom, places.start, weights)
    assert np.exp(found[0, 2]) == pytest.approx(8.0), "the eight inversion centres of P-1"
    assert found[1, 2] == pytest.approx(-0.5)
    assert found[2, 2] == pytest.approx(0.0)
    finite = np.isfinite(found[0])
    assert (found[1, finite] <= -0.5 + 1e-9).all()
    assert (found[2, finite] <= 1e-9).all()
