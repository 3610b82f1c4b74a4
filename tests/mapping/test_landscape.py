"""The model of the lowest energies: against the textbook formulas, and what it must keep."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from nucleate.mapping.falls import KNOWN_FALL, Falls, Finding
from nucleate.mapping.landscape import (
    MEAN_SPREAD,
    Hyperparameters,
    _covariance,
    _loss,
    _squares,
    _surprise,
    features_of,
    fitted,
)

COUNTS = np.array([[a, b, a + 2 * b] for a in range(5) for b in range(5) if a + b])
FEATURES = features_of(COUNTS, ("Sr", "Ti", "O"))
N = len(COUNTS)
AT = Hyperparameters(0.3, 0.4, 1.5, 0.03)


def test_the_posterior_is_that_of_the_textbook() -> None:
    rng = np.random.default_rng(0)
    found = np.full(N, np.nan)
    seen = rng.choice(N, 9, replace=False)
    found[seen] = rng.normal(-1.0, 0.3, 9)
    falls = np.full(N, 0.05)
    model = fitted(FEATURES, found, falls, AT)
    prior = _covariance(_squares(FEATURES), AT)
    gain = prior[:, seen] @ np.linalg.inv(prior[np.ix_(seen, seen)] + (0.05**2 + 1e-8) * np.eye(9))
    np.testing.assert_allclose(model.mean, gain @ (found[seen] - 0.05), atol=1e-8)
    np.testing.assert_allclose(model.covariance, prior - gain @ prior[seen], atol=1e-8)


def test_the_gradient_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    rows = np.ix_(np.arange(10), np.arange(10))
    squares = tuple(table[rows] for table in _squares(FEATURES))
    height, noise = rng.normal(0.0, 0.3, 10), rng.uniform(1e-3, 1e-2, 10)
    at = np.log([0.4, 0.5, 2.0, 0.04])
    _, gradient = _loss(at, squares, height, noise)
    numeric = approx_fprime(at, lambda x: _loss(x, squares, height, noise)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


def test_what_is_given_is_a_condition_and_no_evidence() -> None:
    """The loss is that of the conditional density of the others, by the textbook."""
    rng = np.random.default_rng(3)
    rows = np.ix_(np.arange(9), np.arange(9))
    squares = tuple(table[rows] for table in _squares(FEATURES))
    height, noise = rng.normal(0.0, 0.3, 9), rng.uniform(1e-3, 1e-2, 9)

    def density(at: Hyperparameters) -> float:
        whole = _covariance(squares, at) + np.diag(noise)
        gain = whole[3:, :3] @ np.linalg.inv(whole[:3, :3])
        rest = height[3:] - gain @ height[:3]
        table = whole[3:, 3:] - gain @ whole[:3, 3:]
        return 0.5 * rest @ np.linalg.solve(table, rest) + 0.5 * np.linalg.slogdet(table)[1]

    values = []
    for at in (AT, Hyperparameters()):
        logs = np.log([at.amplitude, at.fraction_length, at.statistics_length, at.own])
        prior = _loss(logs, squares, height, noise)[0] - _surprise(logs, squares, height, noise)[0]
        values.append(_loss(logs, squares, height, noise, 3)[0] - prior - density(at))
        numeric = approx_fprime(logs, lambda x: _loss(x, squares, height, noise, 3)[0], 1e-6)
        gradient = _loss(logs, squares, height, noise, 3)[1]
        np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)
    assert values[0] == pytest.approx(values[1], abs=1e-8)


def test_samples_keep_below_what_was_found() -> None:
    found = np.full(N, np.nan)
    found[::3] = -1.0
    model = fitted(FEATURES, found, np.full(N, 0.02), AT)
    drawn = model.samples(50, rng=np.random.default_rng(0))
    assert (drawn[:, ::3] <= -1.0).all()
    again = model.samples(50, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, again)


def test_without_data_there_is_the_prior() -> None:
    model = fitted(FEATURES, np.full(N, np.nan), np.zeros(N))
    assert model.deviation.min() > MEAN_SPREAD
    assert (model.bound == np.inf).all()


def test_a_smooth_landscape_is_predicted_where_nothing_was_found() -> None:
    fractions = COUNTS / COUNTS.sum(axis=1, keepdims=True)
    true = -8.0 * fractions[:, 0] * fractions[:, 1]
    found = true.copy()
    found[1::3] = np.nan
    model = fitted(FEATURES, found, np.full(N, 1e-3))
    error = np.abs(model.mean - true)[1::3]
    assert error.max() < 3.0 * model.deviation[1::3].max()
    assert error.mean() < 0.05


def test_the_noise_is_one_sided() -> None:
    """A composition that was hardly searched is expected below what was found."""
    found, falls = np.full(N, -1.0), np.full(N, 1e-4)
    falls[4] = 0.3
    loose = Hyperparameters(0.01, 0.4, 1.5, 0.2)
    model = fitted(FEATURES, found, falls, loose)
    assert model.mean[4] < -1.05
    assert model.deviation[4] > 5 * np.delete(model.deviation, 4).max()


def history(energies: list[float]) -> Finding:
    steps, best = [], np.inf
    for count, energy in enumerate(energies, start=1):
        if energy < best:
            best = energy
            steps.append((count, energy))
    return Finding(len(energies), best, tuple(steps))


def test_the_expected_fall_shrinks_as_structures_are_tried() -> None:
    falls = Falls.learned([], [])
    rest = [falls.expected(Finding(n, -1.0, ((1, -1.0),)), 5) for n in (1, 5, 20, 100, 1000)]
    assert all(a > b > 0.0 for a, b in itertools.pairwise(rest))
    assert falls.expected(Finding(5, -1.0, is_known=True), 5) == KNOWN_FALL
    few = Finding(20, -1.0, ((1, -1.0),), sizes_tried=0.5)
    assert falls.expected(few, 5) == pytest.approx(1.5 * rest[2])
    assert falls.expected(Finding(20, -1.0, ((1, -1.0),)), 24) > rest[2]


def test_falls_are_learned_from_the_histories() -> None:
    rng = np.random.default_rng(2)
    slow = [history((-np.sqrt(np.arange(1, 65))).tolist()) for _ in range(30)]
    quick = [history([0.0] * 64) for _ in range(30)]
    assert Falls.learned(slow, [5] * 30).of_doubling[3] > 0.5
    assert Falls.learned(quick, [5] * 30).of_doubling[0] < 0.05
    draws = [history(rng.exponential(0.2, 64).tolist()) for _ in range(200)]
    learned = Falls.learned(draws, [5] * 200)
    half = [item.best_after(8) - item.best_after(16) for item in draws]
    assert learned.of_doubling[3] == pytest.approx(np.mean(half), rel=0.1)


def test_a_search_that_still_falls_is_expected_to_fall_more() -> None:
    falls = Falls.learned([], [])
    still = Finding(16, -1.0, ((1, -0.5), (9, -1.0)))
    settled = Finding(16, -1.0, ((1, -1.0),))
    assert falls.expected(still, 5) > falls.expected(settled, 5)
