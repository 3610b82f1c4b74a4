"""The rule that turns energies and prior weights into probabilities, and a second opinion."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, log1p
from statistics import median

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.report.runs import FCC, relaxed

from nucleate.relax.outcome import Failed, FailReason
from nucleate.report.findings import Finding, Findings
from nucleate.report.opinions import (
    AGREES_EV_PER_ATOM,
    UNPHYSICAL_EV_PER_ATOM,
    opinion_text,
    with_opinions,
)
from nucleate.report.rule import probabilities, scores
from nucleate.search.polished import RATTLED

ENERGIES = st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=8)
WEIGHTS = st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8)


def by_hand(enthalpies, weights) -> list[float]:
    """Return the probabilities by the formula of docs/explanation/ranking.md."""
    lowest = min(enthalpies)
    odds = [
        exp(-0.97 * (0.1 * log1p((e - lowest) / 0.1) - 0.02 * log(max(w, 0.0021))) / 0.02)
        for e, w in zip(enthalpies, weights, strict=True)
    ]
    return [value / (sum(odds) + 0.0337) for value in odds]


@given(ENERGIES, WEIGHTS)
def test_probabilities_are_those_of_the_formula(enthalpies, weights) -> None:
    weights = weights[: len(enthalpies)]
    expected = by_hand(enthalpies, weights)
    np.testing.assert_allclose(probabilities(enthalpies, weights), expected, rtol=1e-9, atol=1e-300)


@given(ENERGIES, WEIGHTS, st.integers(0, 7), st.floats(1e-3, 1.0))
def test_a_higher_energy_never_makes_a_structure_likelier(enthalpies, weights, place, more) -> None:
    weights = weights[: len(enthalpies)]
    place %= len(enthalpies)
    assume(len(enthalpies) == 1 or enthalpies[place] > min(enthalpies))
    raised = [e + more * (k == place) for k, e in enumerate(enthalpies)]
    before, after = probabilities(enthalpies, weights), probabilities(raised, weights)
    assert after[place] <= before[place] * (1 + 1e-9)
    others = np.arange(len(enthalpies)) != place
    assert (after[others] >= before[others] * (1 - 1e-9)).all()


@given(ENERGIES, WEIGHTS, st.integers(0, 7), st.floats(0.0, 1.0))
def test_a_larger_weight_never_makes_a_structure_less_likely(
    enthalpies, weights, place, more
) -> None:
    weights = weights[: len(enthalpies)]
    place %= len(enthalpies)
    favoured = [min(w + more * (k == place), 1.0) for k, w in enumerate(weights)]
    before, after = probabilities(enthalpies, weights), probabilities(enthalpies, favoured)
    assert after[place] >= before[place] * (1 - 1e-9)
    assert after.sum() < 1.0


@given(ENERGIES, WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter_and_ties_are_level(
    enthalpies, weights, random
) -> None:
    weights = weights[: len(enthalpies)]
    order = list(range(len(enthalpies)))
    random.shuffle(order)
    found = probabilities(enthalpies, weights)
    shuffled = probabilities([enthalpies[k] for k in order], [weights[k] for k in order])
    np.testing.assert_allclose(shuffled, found[order], rtol=1e-9)
    twice = probabilities([*enthalpies, enthalpies[0]], [*weights, weights[0]])
    assert twice[0] == twice[-1]
    assert twice[0] <= found[0]


@given(st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_scores_rise_with_the_energy_and_ever_slower(one, other) -> None:
    low, high = sorted((one, other))
    first, second, third = scores([0.0, low, high], [1.0] * 3)
    assert first == 0.0
    assert 0.0 <= second <= third
    assert third <= high + 1e-12, "at most the energy itself"
    if low > 0.0:
        assert third / high <= second / low + 1e-9


KEYS = [(k, RATTLED) for k in range(8)]


def judged(own: list[float], theirs: list[float | None]) -> Findings:
    """Return findings with what a second model says; None is a failure."""
    rows = tuple(Finding(*key, family=k) for k, key in enumerate(KEYS[: len(own)]))
    polished = {key: relaxed(FCC, energy) for key, energy in zip(KEYS, own, strict=False)}
    outcomes = {
        key: Failed(FailReason.TIMEOUT, "late") if energy is None else relaxed(FCC, energy)
        for key, energy in zip(KEYS, theirs, strict=False)
    }
    return with_opinions(Findings(rows, 0.025, "matcher"), polished, outcomes, "judge")


MEV = st.integers(-200, 200).map(lambda k: k / 1000)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[float], list[float | None]]:
    own = draw(st.lists(MEV, min_size=1, max_size=7))
    return own, [draw(st.none() | MEV) for _ in own]


@given(pairs())
def test_opinions_are_relative_to_the_median_of_all(pair) -> None:
    own, theirs = pair
    gaps = {k: their - own[k] for k, their in enumerate(theirs) if their is not None}
    found = judged(own, theirs)
    for k, row in enumerate(found.rows):
        opinion = row.opinion
        if theirs[k] is None:
            assert opinion.energy is None
            assert opinion_text(opinion) == "not judged (timeout: late)"
            continue
        gap = gaps[k] - median(gaps.values())
        assert opinion.difference == pytest.approx(gap, abs=1e-12)
        assert opinion.energy == theirs[k]
        if abs(gap - UNPHYSICAL_EV_PER_ATOM) > 1e-9:
            assert opinion.is_unphysical == (gap > UNPHYSICAL_EV_PER_ATOM)
        if abs(abs(gap) - AGREES_EV_PER_ATOM) > 1e-9:
            assert (opinion_text(opinion) == "agrees") == (abs(gap) < AGREES_EV_PER_ATOM)
    ranks = [row.opinion.rank for row in found.rows if row.opinion.rank is not None]
    assert sorted(ranks) == list(range(1, len(gaps) + 1))
    by_rank = sorted((row.opinion.rank, row.opinion.energy) for row in found.rows
                     if row.opinion.rank is not None)  # fmt: skip
    assert [energy for _, energy in by_rank] == sorted(energy for _, energy in by_rank)


@given(pairs(), st.integers(-5, 5))
def test_another_zero_of_energy_of_the_second_model_changes_no_opinion(pair, shift) -> None:
    own, theirs = pair
    moved = [None if energy is None else energy + shift for energy in theirs]
    for one, other in zip(judged(own, theirs).rows, judged(own, moved).rows, strict=True):
        if one.opinion.energy is None:
            assert other.opinion == one.opinion
            continue
        back = replace(
            other.opinion, energy=one.opinion.energy, difference=one.opinion.difference,
            is_unphysical=one.opinion.is_unphysical,
        )  # fmt: skip
        assert back == one.opinion
        assert other.opinion.difference == pytest.approx(one.opinion.difference, abs=1e-9)


@given(pairs().filter(lambda pair: any(energy is not None for energy in pair[1])))
def test_the_sentences_name_the_lowest_and_every_suspect(pair) -> None:
    own, theirs = pair
    found = judged(own, theirs)
    lowest = min(energy for energy in theirs if energy is not None)
    first = found.text[0]
    if theirs[0] is None:
        assert first == "judge has no energy of the first structure."
    elif theirs[0] - lowest < 0.002 - 1e-9:
        assert first == "judge also puts the first structure lowest."
    elif theirs[0] - lowest > 0.002 + 1e-9:
        place = theirs.index(lowest) + 1
        gap = 1000 * (theirs[0] - lowest)
        assert first == f"judge puts structure {place} lowest, {gap:.0f} meV/atom below the first."
    suspects = [k for k, row in enumerate(found.rows, start=1) if row.opinion.is_unphysical]
    assert len(found.text) == 1 + bool(suspects)
    if suspects:
        assert f"judge puts {', '.join(map(str, suspects))} more than 50 meV/atom" in found.text[1]
    assert found.judge == "judge"
    assert Findings.from_data(found.to_data()) == found
