"""What a surrogate has finished, doubts and leaves, and when it is switched off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nucleate.run.learning.evidence import Evidence, Told
from nucleate.run.learning.screening import DOUBTED_SHARE, LEAST_SHARE, Screening
from nucleate.run.learning.settings import LearningSettings
from nucleate.run.learning.tables import Considered, Decision, Review


def a_screening(**settings):
    chosen = LearningSettings(**{"on": True, "first_fit": 12, **settings})
    return Screening(chosen, 0, [])


def taught(found, n=100, *, ranks=True, start=0, seed=1):
    """Let candidates be considered, decided and received; return what was decided."""
    rng = np.random.default_rng(seed)
    decisions = []
    for number in range(start, start + n):
        fit = found.fit_for(number)
        first = float(rng.normal(0.0, 0.1))
        if fit is None:
            found.told(number, None, first, learns=True)
            found.start(number + 1)
            continue
        by_surrogate = first + float(rng.normal(0.0, 0.01 if ranks else 5.0))
        item = Considered(number, fit, by_surrogate, float(rng.random()), None)
        decision = found.decide(item).decision
        decisions.append(decision)
        is_finished = decision in (Decision.PROMISING, Decision.RANDOM, Decision.DOUBTED)
        item = Considered(number, fit, by_surrogate, 0.0, None, decision=decision)
        point = first if decision is Decision.POINT else None
        learns = is_finished or point is not None
        ended = first if is_finished else None
        found.told(number, item, ended, learns=learns, point=point)
        found.start(number + 1)
    return decisions


def test_the_lowest_and_a_random_share_are_finished():
    decisions = taught(a_screening(share=0.2, explore=0), 2000)
    share = decisions.count(Decision.PROMISING) / len(decisions)
    random = decisions.count(Decision.RANDOM) / len(decisions)
    assert 0.15 < share < 0.27
    assert 0.008 < random < 0.03


def decided(found, number, enthalpy, leverage=0.0):
    """Return the decision about the next candidate that is neither a repeat nor drawn."""
    item = Considered(number, found.fit_for(number), enthalpy, leverage, None)
    return found.decide(item).decision


def test_what_could_end_near_the_best_is_finished_and_what_is_far_is_doubted():
    found = a_screening(explore=0, random_share=1e-9)
    taught(found, 600)
    limit = found.reviews[-1].limit_ev_per_atom
    best = -0.35
    assert best < limit < best + 0.2
    quantile = np.quantile(found._wanted, 1.0 - DOUBTED_SHARE)
    assert decided(found, 600, limit - 0.001, 0.5 * quantile) is Decision.PROMISING
    assert decided(found, 601, limit - 0.001, 1.5 * quantile) is Decision.DOUBTED
    assert decided(found, 602, limit + 0.2, 0.5 * quantile) is Decision.LEFT
    highest = found.reviews[-1].first_limit_ev_per_atom
    assert limit - 0.02 < highest < limit + 0.02  # finished structures lie where they should
    assert found.confirms(601, highest - 0.001)
    assert not found.confirms(601, highest + 0.001)
    lowest = min(found._low)
    if lowest > limit:  # some are finished whatever the limit is
        assert decided(found, 603, lowest - 0.001) is Decision.PROMISING
    assert LEAST_SHARE > 0.0


def test_a_share_that_is_given_is_a_rank_and_nothing_is_doubted():
    decisions = taught(a_screening(share=0.3, explore=0), 1500)
    assert Decision.DOUBTED not in decisions


def test_a_surrogate_that_does_not_rank_is_switched_off_and_on_again():
    found = a_screening(explore=100)
    taught(found, 400, ranks=False)
    assert not found.reviews[-1].on
    assert found.reviews[-1].correlation < 0.7
    direct = [found.fit_for(number) is None for number in range(1000, 2000)]
    assert 0.4 < np.mean(direct) < 0.6
    taught(found, 1200, start=400)
    assert found.reviews[-1].on
    assert found.reviews[-1].correlation > 0.7


def test_a_worthless_surrogate_is_switched_off():
    """Its errors are alike where it chooses, and as wide as its energies everywhere else."""
    for seed in range(5):
        found = a_screening(explore=100)
        taught(found, 1500, ranks=False, seed=seed)
        states = [review.on for review in found.reviews]
        first = states.index(False)
        assert found.reviews[first].candidate < 250
        assert np.mean(states[first:]) < 0.25


def test_one_bad_fit_switches_nothing_off():
    found = a_screening(explore=1000)
    taught(found, 200)
    bad = replace(found.reviews[-1], number=99, correlation=0.5)
    assert found._is_on(found.reviews, 0.5, 0.0)
    assert not found._is_on([*found.reviews, bad], 0.5, 0.0)
    assert found._is_on([*found.reviews, bad], 0.9, 0.0)
    assert not found._is_on(found.reviews, 0.9, 0.6)


def test_a_few_of_the_lowest_switch_nothing_off():
    """Fifteen finished ones that are all among the lowest say little."""
    evidence = Evidence()
    for number in range(16):
        evidence.take(Told(1, -0.01 * number), 0.01 * number)
    assert evidence.correlation(-1) is None
    assert evidence.limits() is None
    for number in range(40):
        evidence.take(Told(1, 0.1 * number), None)
    assert evidence.correlation(-1) > 0.9
    assert evidence.correlation(1) is None  # of later fits


@pytest.mark.parametrize("shift", [-0.03, 0.0, 0.2])
def test_limits_are_those_of_what_could_end_near_the_best(shift):
    """A surrogate whose energies are all too low, or too high, has another limit."""
    evidence = Evidence()
    for number in range(60):
        evidence.take(Told(1, 0.01 * number), 0.01 * number + shift)
    assert evidence.best == pytest.approx(shift)
    limit, first = evidence.limits()
    assert limit == pytest.approx(0.05)
    assert first == pytest.approx(shift + 0.05 - min(shift, 0.0))


def test_a_review_is_due_when_the_best_falls():
    found = a_screening()
    taught(found, 100)
    n_reviews = len(found.reviews)
    found.told(100, None, -2.0, learns=True)
    assert len(found.start(101)) == 1
    found.told(101, None, -2.01, learns=True)
    assert not found.start(102)
    assert len(found.reviews) == n_reviews + 1


def test_fits_are_due_less_often_the_more_is_known():
    found = a_screening(explore=0)
    taught(found, 3000)
    known = [review.learned for review in found.reviews]
    assert known[0] == 12
    assert known == sorted(set(known))
    assert len(known) < 25  # 59 if each 50 candidates made one
    late = [found.frames(number) for number in range(2500, 3000)]
    assert np.mean(np.array(late) > 0) == pytest.approx(100 / known[-1], abs=0.1)


def test_selection_does_not_switch_a_good_surrogate_off():
    found = a_screening(share=0.1, explore=0)
    taught(found, 3000)
    assert all(review.on for review in found.reviews)


def test_unphysical_minima_switch_it_off():
    found = a_screening(explore=0)
    found.reviews = [Review(1, 0, -1, 0.3)]
    found._n_reviews = 1
    for number in range(40):
        item = Considered(number, 1, None, None, None, decision=Decision.RANDOM)
        found.told(number, item, 0.0, learns=True)
        found.start(number + 1)
    assert not found.reviews[-1].on
    assert found.reviews[-1].unphysical == 1.0


def test_reviews_are_the_same_when_records_are_received_again():
    whole = a_screening(share=0.3, explore=20)
    taught(whole, 200)
    again = Screening(whole._settings, 0, whole.reviews)
    rng = np.random.default_rng(1)
    for number in range(200):  # the decisions are known now
        fit, first = whole.fit_for(number), float(rng.normal(0.0, 0.1))
        if fit is None:
            again.told(number, None, first, learns=True)
            continue
        by_surrogate = first + float(rng.normal(0.0, 0.01))
        rng.random()
        again.told(number, Considered(number, fit, by_surrogate, 0.0, None), first, learns=True)
    assert len(again.reviews) == len(whole.reviews)
