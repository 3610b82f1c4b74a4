"""Is it done: what is counted as a find, and the estimate on samples of known coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.errors import InputError
from nucleate.run.predict import build_search
from nucleate.run.settings import RunSettings
from nucleate.search.missed import LOWEST, Finds, chance_of_missing, lineage
from nucleate.search.search import SearchProgress
from nucleate.search.stop import Stop

from .scripted import play, record_of, search


def finds_of(*records):
    """Return finds of records (number, parents, enthalpy or None, duplicate_of)."""
    finds = Finds()
    for number, parents, enthalpy, duplicate_of in records:
        place = None if enthalpy is None else (0, enthalpy)
        finds.add(number, parents, place, duplicate_of)
    return finds


def test_new_structures_that_end_in_one_minimum_are_finds():
    finds = finds_of((0, (), -1.0, None), (1, (), -2.0, None), (2, (), -1.0, 0), (3, (), -1.0, 2))
    assert finds.counts() == [1, 3]


def test_a_descendant_that_returns_is_no_find():
    finds = finds_of(
        (0, (), -1.0, None),
        (1, (0,), -1.0, 0),  # a child falls back
        (2, (0,), -2.0, None),
        (3, (2,), -1.0, 0),  # and a grandchild
        (4, (3,), -2.0, 2),  # 2 again, from a record that descends from it
        (5, (), -3.0, None),
        (6, (5,), -2.0, 2),  # from elsewhere
    )
    assert finds.counts() == [1, 2, 1]


def test_failures_and_what_repeats_them_count_nothing():
    finds = finds_of((0, (), None, None), (1, (), None, 0), (2, (), -1.0, None), (3, (), None, 2))
    assert finds.counts() == [2]  # 3 repeats the start of 2


def test_a_higher_tier_comes_first_and_only_the_lowest_count():
    finds = Finds()
    for number in range(LOWEST + 5):
        finds.add(number, (), (number % 2, -float(number)), None)
    finds.add(99, (), (1, -3.0), 3)
    counts = finds.counts()
    assert len(counts) == LOWEST
    assert counts.index(2) == (LOWEST + 5) // 2 - 2  # 3 is the second highest of the upper tier


def test_a_move_that_takes_a_new_structure_has_no_lineage():
    assert lineage("move:renew", (3,)) == ()
    assert lineage("move:swap-two-atoms", (3,)) == (3,)


def sampled(rng, *, kind, drift, minima, samples):
    """Return whether the lowest minimum is missed, and the finds of the others.

    ``drift`` > 0 makes low minima easier to find, < 0 harder.
    """
    if kind == "equal":
        rates = np.ones(minima)
    elif kind == "exponential":
        rates = rng.exponential(size=minima)
    else:
        rates = np.exp(rng.normal(0.0, float(kind), minima))
    easy = np.argsort(np.argsort(-rates)) / minima
    height = drift * easy + (1.0 - abs(drift)) * rng.random(minima)
    rates = rates[np.argsort(height)]
    counts = rng.poisson(samples * rates / rates.sum())
    return counts[0] == 0, counts[counts > 0][:LOWEST]


def missed_and_estimated(seed=1, runs=150, **case):
    rng = np.random.default_rng(seed)
    pairs = [sampled(rng, **case) for _ in range(runs)]
    truth = float(np.mean([missed for missed, _ in pairs]))
    found = [chance_of_missing(counts) for _, counts in pairs if counts.size]
    inside = float(np.mean([item.low - 0.01 <= truth <= item.high for item in found]))
    return truth, float(np.mean([item.chance for item in found])), inside


@pytest.mark.parametrize("kind", ["equal", "exponential", "1.0"])
@pytest.mark.parametrize("drift", [0.0, -0.3])
@pytest.mark.parametrize(
    ("minima", "samples"),
    [
        pytest.param(30, 60, marks=pytest.mark.slow),
        (100, 600),
        pytest.param(1000, 1000, marks=pytest.mark.slow),
    ],
)
def test_the_estimate_agrees_with_the_truth_where_its_model_holds(kind, drift, minima, samples):
    truth, chance, inside = missed_and_estimated(
        kind=kind, drift=drift, minima=minima, samples=samples
    )
    assert chance == pytest.approx(truth, abs=0.32)
    assert inside > 0.5


@pytest.mark.parametrize("kind", ["exponential", "1.0", "2.0"])
def test_it_errs_on_the_safe_side_where_low_minima_are_easy(kind):
    truth, chance, _ = missed_and_estimated(kind=kind, drift=0.3, minima=100, samples=600)
    assert truth < 0.05
    assert truth - 0.01 <= chance < 0.4


def test_it_fails_where_rates_differ_by_orders_of_magnitude_and_low_minima_are_hard():
    """Known to be too optimistic here: the documentation says so."""
    truth, chance, inside = missed_and_estimated(kind="2.0", drift=-0.3, minima=100, samples=200)
    assert truth > 0.9
    assert chance < 0.7
    assert inside < 0.3


def test_equal_rates_agree_with_the_estimate_of_chao():
    """Chao1 (Chao 1984) is unbiased where all rates are equal."""
    rng = np.random.default_rng(3)
    ours, chao = [], []
    for _ in range(100):
        counts = rng.poisson(3.0, LOWEST)
        counts = counts[counts > 0]
        once, twice = (counts == 1).sum(), (counts == 2).sum()
        unseen = once * (once - 1) / (2 * (twice + 1))
        chao.append(unseen / (counts.size + unseen))
        ours.append(chance_of_missing(counts))
    assert np.exp(-3.0) == pytest.approx(np.mean(chao), abs=0.02)
    assert np.mean([item.low for item in ours]) < np.mean(chao)
    assert np.mean(chao) < np.mean([item.chance for item in ours]) < 0.2


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=LOWEST))
@settings(max_examples=80, deadline=None)
def test_it_is_a_probability_with_an_interval(counts):
    found = chance_of_missing(counts)
    assert 0.0 <= found.low <= found.high <= 1.0
    assert 0.0 < found.chance < 1.0
    assert (found.minima, found.finds, found.once) == (len(counts), sum(counts), counts.count(1))


@given(st.lists(st.integers(1, 50), min_size=2, max_size=LOWEST), st.integers(2, 20))
@settings(max_examples=40, deadline=None)
def test_more_finds_of_all_lower_it(counts, factor):
    assert chance_of_missing([factor * n for n in counts]).chance < chance_of_missing(counts).chance


def test_a_search_counts_and_a_rule_stops_it():
    walk, rule = search(), Stop(missed_below=0.05)
    play(walk, *np.linspace(-1.0, -1.1, 5))
    words = {"n_finished": 5, "session_s": 0.0, "used_core_s": 0.0}
    assert rule.reason(walk.progress, **words) is None
    first = record_of(walk.ask(), -3.0)
    walk.tell(first)
    for _ in range(80):
        walk.tell(record_of(walk.ask(), -3.0, crystal=first.candidate.crystal))
    assert walk.progress.finds.counts() == [81, 1, 1, 1, 1, 1]
    assert rule.reason(walk.progress, **words) is None  # others were found once only
    finds = finds_of(*((k, (), -float(k % 8), k - 8 if k >= 8 else None) for k in range(160)))
    reason = rule.reason(SearchProgress(finds=finds), **words)
    assert reason.startswith("the chance that a lower minimum was missed")
    assert "from 160 finds of the 8 lowest minima" in reason


@pytest.mark.parametrize("value", [0.0, 1.0, -1, "x"])
def test_a_chance_that_is_none_is_refused(value):
    with pytest.raises(InputError, match=r"stop\.missed_below"):
        RunSettings.from_dict({"problem": {"formula": "MgO"}, "stop": {"missed_below": value}})


class CountsNothing:
    """A search of somebody else."""

    learns = True
    progress = SearchProgress()

    def ask(self): ...
    def tell(self, record): ...
    def restore(self, trial): ...
    def stop_reason(self): ...


def test_a_search_that_does_not_count_refuses_the_rule(monkeypatch):
    run = RunSettings.from_dict(
        {
            "problem": {"formula": "MgO", "max_atoms": 4},
            "search": {"known": "off"},
            "stop": {"missed_below": 0.1},
            "tier": [{"engine": {"kind": "spp"}}],
        }
    )
    build_search(run)
    monkeypatch.setattr(type(run.search), "build", lambda *_: CountsNothing())
    with pytest.raises(InputError, match="does not count how often it finds a minimum"):
        build_search(run)
