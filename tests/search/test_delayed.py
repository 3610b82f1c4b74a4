"""Delayed acceptance: two stages give a walk the distribution that one stage gives it."""

from __future__ import annotations

from math import exp

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nucleate.search.acceptance import Thermostat
from nucleate.search.delayed import chance, log_bias

energies = st.floats(-0.5, 0.5)
temperatures = st.floats(0.005, 0.2)
floors = st.floats(0.01, 1.0)


def rate(true: float, by_surrogate: float, temperature: float, floor: float) -> float:
    """Return the chance of a step to be accepted in both stages, from differences of energy."""
    there, back = (chance(sign * by_surrogate, temperature, floor) for sign in (1, -1))
    return there * min(1.0, exp(min(log_bias(there, back) - true / temperature, 0.0)))


@given(energies, energies, temperatures, floors)
def test_steps_and_their_returns_are_balanced(
    true: float, by_surrogate: float, temperature: float, floor: float
) -> None:
    there = rate(true, by_surrogate, temperature, floor)
    back = rate(-true, -by_surrogate, temperature, floor)
    weight = exp(-true / temperature)  # of the child, that of the parent being 1
    assert there <= 1.0
    assert np.isclose(there, weight * back, rtol=1e-9, atol=0.0)


@given(energies, temperatures)
def test_a_surrogate_that_knows_everything_decides_alone(true: float, temperature: float) -> None:
    there, back = (chance(sign * true, temperature, 1e-12) for sign in (1, -1))
    if there > 1e-6:
        assert log_bias(there, back) - true / temperature > -1e-5


def test_a_thermostat_counts_what_the_second_stage_refuses() -> None:
    thermostat = Thermostat(0.02, 0.02, 5, 0.01, 0.2)
    rng = np.random.default_rng(0)
    results = [thermostat.accepts(-0.01, rng=rng, bias=-1.5) for _ in range(2000)]
    assert abs(np.mean(results) - exp(-1.0)) < 0.04
    assert not any(thermostat.accepts(0.0, rng=rng, bias=9.0) for _ in range(10))
    assert thermostat.accepts(0.1, rng=rng, bias=6.0)
