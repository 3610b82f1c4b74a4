"""Policies: probabilities, gradients against finite differences, and what a bandit learns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma
from tests.search.scripted import record_of, search

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.moves.table import MOVES, PRESETS
from nucleate.plugins import kinds
from nucleate.policy.kinds.bandit import Bandit, chance_to_be_highest
from nucleate.policy.kinds.fixed import Fixed
from nucleate.policy.kinds.reinforce import (
    FIRST,
    LEAST_ENTROPY,
    Reinforce,
    entropy_push,
    log_gradient,
    softmax_policy,
)
from nucleate.policy.ledger import COULD, STATE, Ledger
from nucleate.policy.normaliser import Normaliser
from nucleate.policy.policy import PolicyContext, PolicySettings, Pull
from nucleate.policy.saved import SavedPolicy
from nucleate.search.guide import Guide
from nucleate.search.kinds.basin_hopping import BasinHopping
from nucleate.search.kinds.lowest_minima import LowestMinima
from nucleate.testing import check_search

SWAP = "move:swap-two-atoms"
ARMS = ("symmetric", "move:swap", "move:shift", "move:double")
KINDS = [Fixed(), Bandit(), Reinforce()]


def policy_of(settings_, weights=(1.0, 1.0, 1.0, 1.0), start=None):
    return settings_.build(PolicyContext(ARMS, np.array(weights) / sum(weights), start))


pulls = st.builds(
    Pull,
    arm=st.integers(0, 3),
    after=st.just({}) | st.floats(-10, 10).map(lambda e: {0: e}),
    before=st.just({}) | st.floats(-10, 10).map(lambda e: {0: e}),
    could=st.none() | st.integers(1, 15),
    is_new=st.booleans(),
    rank=st.integers(0, 50),
    cost=st.floats(0, 1e4),
    is_repeat=st.booleans(),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
@given(
    told=st.lists(pulls, max_size=60),
    weights=st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0]), min_size=4, max_size=4),
    energy=st.none() | st.floats(-100, 100),
)
@settings(max_examples=60, deadline=None)
def test_probabilities_are_positive_and_sum_to_one(kind, told, weights, energy):
    weights = np.array(weights)
    if not weights.any():
        weights[0] = 1.0
    policy = policy_of(kind)
    for pull in told:
        policy.tell(pull)
    chances = policy.chances(weights, {} if energy is None else {0: energy})
    assert chances.sum() == pytest.approx(1.0)
    assert (chances[weights > 0] > 0).all()
    assert (chances[weights == 0] == 0).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_policy_begins_with_the_weights(kind):
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    assert policy_of(kind).chances(weights, {}) == pytest.approx(weights)


numbers = st.floats(-2, 2)


@given(
    theta=st.lists(numbers, min_size=8, max_size=8),
    weights=st.lists(st.floats(0.05, 1), min_size=4, max_size=4),
    closed=st.integers(0, 2),
    z=st.floats(-3, 3),
)
@settings(max_examples=50, deadline=None)
def test_gradients_equal_finite_differences(theta, weights, closed, z):
    theta, features = np.array(theta).reshape(4, 2), np.array([z, 1.0])
    weights = np.array(weights)
    weights[closed] = 0.0

    def log_chance(values):
        return np.log(softmax_policy(values, weights, features)[3])

    def entropy(values):
        chances = softmax_policy(values, weights, features)
        return -np.sum(chances * np.log(np.where(chances > 0, chances, 1.0)))

    for function, gradient in (
        (log_chance, log_gradient(theta, weights, features, 3)),
        (entropy, entropy_push(theta, weights, features)),
    ):
        if function is entropy and entropy(theta) >= LEAST_ENTROPY:
            assert not gradient.any()
            continue
        for place in np.ndindex(theta.shape):
            step = np.zeros_like(theta)
            step[place] = 1e-5
            slope = (function(theta + step) - function(theta - step)) / 2e-5
            assert gradient[place] == pytest.approx(slope, abs=1e-6)


@given(
    st.lists(st.floats(0.3, 20), min_size=2, max_size=6),
    st.lists(st.floats(0.5, 20), min_size=6, max_size=6),
)
@settings(max_examples=15, deadline=None)
def test_the_chance_to_be_highest_agrees_with_sampling(shapes, rates):
    shapes, rates = np.array(shapes), np.array(rates[: len(shapes)])
    drawn = gamma.rvs(shapes, scale=1 / rates, size=(20_000, len(shapes)), random_state=1)
    counted = np.bincount(drawn.argmax(axis=1), minlength=len(shapes)) / len(drawn)
    assert chance_to_be_highest(shapes, rates) == pytest.approx(counted, abs=0.04)


def play(policy, rng, success, cost, steps=600):
    """Return how often each arm was drawn in the last half."""
    counts = np.zeros(4)
    for step in range(steps):
        arm = int(rng.choice(4, p=policy.chances(np.full(4, 0.25), {})))
        is_new = rng.random() < success[arm]
        policy.tell(Pull(arm, {0: 0.0}, is_new=bool(is_new), rank=0, cost=cost[arm]))
        counts[arm] += step >= steps // 2
    return counts / counts.sum()


@pytest.mark.parametrize(
    ("success", "cost", "best"),
    [
        ([0.05, 0.05, 0.4, 0.05], [1.0, 1.0, 1.0, 1.0], 2),
        ([0.3, 0.3, 0.3, 0.3], [5.0, 5.0, 5.0, 1.0], 3),
        ([0.6, 0.2, 0.1, 0.1], [10.0, 1.0, 1.0, 1.0], 1),
    ],
)
def test_the_bandit_finds_the_arm_with_most_per_second(success, cost, best):
    shares = [
        play(policy_of(Bandit()), np.random.default_rng(seed), success, cost)[best]
        for seed in range(5)
    ]
    assert np.mean(shares) > 0.5


def test_the_bandit_forgets():
    policy, rng = policy_of(Bandit(memory=60)), np.random.default_rng(0)
    assert play(policy, rng, [0.6, 0.05, 0.05, 0.05], np.ones(4))[0] > 0.5
    assert play(policy, rng, [0.05, 0.05, 0.05, 0.6], np.ones(4))[3] > 0.5


def test_reinforce_learns_what_leads_downhill_from_where():
    """From high energies one arm leads down, from low ones another."""
    policy, rng = policy_of(Reinforce(learning_rate=0.05)), np.random.default_rng(1)
    for _ in range(100):
        policy.tell(Pull(0, {0: float(rng.normal())}))
    for _ in range(3000):
        before = float(rng.choice([-1.0, 1.0]))
        arm = int(rng.choice(4, p=policy.chances(np.full(4, 0.25), {0: before})))
        good = arm == (1 if before > 0 else 2)
        after = before - 1.0 if good else before + 0.5
        policy.tell(Pull(arm, {0: after}, {0: before}, 15, is_new=True))
    high = policy.chances(np.full(4, 0.25), {0: 1.0})
    low = policy.chances(np.full(4, 0.25), {0: -1.0})
    assert high.argmax() == 1
    assert low.argmax() == 2
    assert min(high[1], low[2]) > 0.45


def test_reinforce_waits_for_the_first_rewards_and_for_its_own_choices():
    policy = policy_of(Reinforce())
    for energy in np.linspace(-1, 1, 20):
        policy.tell(Pull(0, {0: float(energy)}))  # not its choice
    for _ in range(FIRST):
        policy.tell(Pull(1, {0: -2.0}, {0: 0.0}, 15, is_new=True))
    assert not np.any(list(policy.learned()["theta"].values()))


def test_a_failure_and_a_repeat_count_as_a_step_to_the_highest_tenth():
    policy = policy_of(Reinforce())
    for energy in np.linspace(-1, 1, 100):
        policy.tell(Pull(0, {0: float(energy)}))
    for pull in (
        Pull(1, {}, {0: 0.0}, 15),
        Pull(1, {0: -0.5}, {0: 0.0}, 15),
        Pull(1, {}, {0: 0.0}, 15, is_repeat=True),
    ):
        value, _ = policy._reward(pull)
        assert value == pytest.approx(-policy._scales[0].of(policy._scales[0].high), abs=0.05)


def test_the_scale_ignores_an_exploded_structure():
    scale = Normaliser()
    for energy in (*np.linspace(-1, 1, 99), 1e6):
        scale.add(float(energy))
    assert scale.is_ready
    assert scale.of(1.0) == pytest.approx(1.5, abs=0.2)
    assert scale.of(1e6) == 5.0


def test_the_ledger_ranks_new_minima_and_prices_failures():
    ledger = Ledger(ARMS, (1.0, 100.0))

    def note(number, energy, *, duplicate_of=None, parents=(), detail=None):
        after = {} if energy is None else {0: energy}
        work = {0: (5, None if energy is None else 10)}
        return ledger.pull(number, "move:swap", detail or {}, parents, after=after,
                           evaluations=work, duplicate_of=duplicate_of)  # fmt: skip

    assert [note(k, e).rank for k, e in enumerate((-1.0, -2.0, -1.5, -3.0))] == [0, 0, 1, 0]
    repeat = note(4, -3.0, duplicate_of=3)
    assert (repeat.is_new, repeat.reward, repeat.cost) == (False, 0.0, 50.0)
    assert note(5, None).cost == 50.0
    assert note(6, -1.0, parents=(3,)).before == {0: -3.0}
    chosen = note(7, -1.0, parents=(3,), detail={STATE: 1, COULD: 5})
    assert (chosen.before, chosen.could) == ({0: -2.0}, 5)
    other = ledger.pull(8, "file", {}, (), after={}, evaluations={}, duplicate_of=None)
    assert other is None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_what_a_surrogate_considered_is_no_failure(kind):
    """30 candidates that were not finished change hardly anything; as failures they would."""
    ledger = Ledger(ARMS, (1.0,))
    considering, failing = policy_of(kind), policy_of(kind)
    before = policy_of(kind)
    for number, energy in enumerate(np.linspace(-1.0, 1.0, 40)):
        told = ledger.pull(number, ARMS[number % 4], {COULD: 15}, (max(number - 1, 0),),
                           after={0: float(energy)}, evaluations={0: (5, 20)},
                           duplicate_of=None)  # fmt: skip
        for policy in (before, considering, failing):
            policy.tell(told)
    for number in range(40, 70):
        for policy, is_screened in ((considering, True), (failing, False)):
            told = ledger.pull(number, ARMS[1], {COULD: 15}, (3,), after={}, duplicate_of=None,
                               evaluations={0: (5, None)}, is_screened=is_screened)  # fmt: skip
            assert told.cost == pytest.approx(100.0 / (27.0 if is_screened else 1.0))
            policy.tell(told)
    at = np.full(4, 0.25), {0: 0.0}
    expected = before.chances(*at)
    off = [np.abs(policy.chances(*at) - expected).max() for policy in (considering, failing)]
    assert off[0] < (0.06 if kind.kind == "bandit" else 1e-12)
    assert off[1] > 2.0 * off[0] or kind.kind == "fixed"


@pytest.mark.parametrize("kind", [LowestMinima, BasinHopping])
@pytest.mark.parametrize("policy", ["bandit", "reinforce"])
def test_a_search_with_a_policy_continues_exactly(kind, policy):
    check_search(kind(population=4, new_fraction=0.3, policy=policy), trials=30)


def saved(policy="bandit", moves=("swap", "shift", "double")):
    learned = {"rewards": {"move:swap": 3.0}, "costs": {"move:swap": 4.0}}
    return SavedPolicy(format="nucleate-policy-1", policy=policy, moves=moves, learned=learned)


def test_a_saved_policy_is_read_as_it_was(tmp_path):
    saved().write(tmp_path / "p.json")
    start = SavedPolicy.read(tmp_path / "p.json")
    assert start == saved()
    start.check("bandit", ARMS, [1.0] * 4)
    chances = policy_of(Bandit(), start=start.learned).chances(np.full(4, 0.25), {})
    assert chances.argmax() == 1


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (saved("reinforce"), "policy = 'reinforce'"),
        (saved(moves=("swap", "shift")), "'double' is on here and was off there"),
        (saved(moves=("swap", "shift", "double", "fly")), "'fly' is off here and was on there"),
    ],
)
def test_policies_of_others_are_refused(start, message):
    with pytest.raises(InputError, match=message):
        start.check("bandit", ARMS, [1.0] * 4)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1", '{"format": "nucleate-policy-1"}', "\x00", "[" * 9999]
)
def test_files_that_hold_no_policy_are_refused(text, tmp_path):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match="holds no policy"):
        SavedPolicy.read(tmp_path / "p.json")
    with pytest.raises(InputError, match="cannot be read"):
        SavedPolicy.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("policy", "learned", "words"),
    [
        ("reinforce", {"theta": {SWAP: 1.0}}, f"theta of {SWAP} has 1 number(s) instead of 2"),
        ("reinforce", {"theta": {SWAP: (1.0, 2.0, 3.0)}}, f"theta of {SWAP} has 3 number(s)"),
        ("reinforce", {"rewards": {SWAP: 1.0}}, "'rewards' is not theta"),
        ("bandit", {"rewards": {SWAP: (1.0, 2.0)}}, f"rewards of {SWAP} has 2 number(s)"),
        ("bandit", {"rewards": {SWAP: -5.0}}, f"{SWAP} has -5"),
        ("bandit", {"theta": {}}, "'theta' is not rewards or costs"),
    ],
)
def test_what_another_policy_learned_is_refused_by_the_key(policy, learned, words):
    with pytest.raises(InputError, match=r"search\.policy_from: .*not learned by") as caught:
        guide_of(policy, SavedPolicy(policy=policy, moves=("swap",), learned=learned))
    assert words in str(caught.value)


def guide_of(policy, start):
    (move,) = (move for move in MOVES if move.name == "swap-two-atoms")
    start = start.model_copy(update={"moves": (move.name,)})
    return Guide(
        LowestMinima(policy=policy).policy,
        shares={"new": 1.0},
        moves=[move],
        weights=np.ones(1),
        new_fraction=0.5,
        tiers=("toy",),
        start=start,
    )


@pytest.mark.parametrize("policy", ["fixed", "bandit", "reinforce"])
def test_a_search_goes_on_with_new_structures_where_no_move_applies(policy):
    only = dict.fromkeys(PRESETS["fuse2"], 0.0) | {"double": 1.0}
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=4)
    settings = {"new_fraction": 0.0, "moves": only, "policy": policy}
    walk = search(kind=LowestMinima, space=space, **settings)
    for energy in np.linspace(-1.0, -1.2, 30):
        trial = walk.ask()
        assert trial is not None
        walk.tell(record_of(trial, energy))


class Loyal(PolicySettings):
    """Stays with what gave the last new minimum."""

    def build(self, context):
        return _Loyal()


class _Loyal:
    learns, looks = True, False

    def __init__(self):
        self.last = None

    def chances(self, weights, state):
        preferred = weights.copy()
        if self.last is not None:
            preferred[self.last] *= 5.0
        return preferred / preferred.sum()

    def tell(self, pull):
        self.last = pull.arm if pull.is_new else self.last

    def learned(self):
        return {}


def test_a_policy_of_somebody_else_guides_a_search():
    check_search(LowestMinima(population=4, policy=f"{__name__}:Loyal"), trials=20)


def test_all_policies_are_in_the_registry():
    assert {"fixed", "bandit", "reinforce"} <= set(kinds()["policies"])
