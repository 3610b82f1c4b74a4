"""The acceptance table of the method, with scripted energies."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleate.search.acceptance import Thermostat


class Dice:
    """A stand-in for a Generator that gives the numbers it is told to."""

    def __init__(self, value, rise=0.01):
        self.value, self.rise = value, rise

    def random(self):
        return self.value

    def uniform(self, low, high):
        assert (low, high) == (0.0, 0.01)
        return self.rise


def thermostat(**changes):
    values = {"melt_after": 3, "melt_step": 0.01, "melt_ceiling": 0.05, **changes}
    return Thermostat(temperature=0.02, rest_temperature=0.02, **values)


def test_downhill_is_accepted_whatever_the_dice():
    assert thermostat().accepts(-0.001, rng=Dice(0.999999))


def test_the_same_enthalpy_is_not_accepted():
    state = thermostat()
    for difference in (0.0, 1e-6, -1e-6, 1e-5):
        assert not state.accepts(difference, rng=Dice(0.0))
    assert state.since_downhill == 4


def test_what_cannot_be_compared_is_not_accepted():
    assert not thermostat().accepts(None, rng=Dice(0.0))


@pytest.mark.parametrize("difference", [0.001, 0.02, 0.1])
def test_uphill_follows_the_boltzmann_factor(difference):
    chance = exp(-difference / 0.02)
    assert thermostat().accepts(difference, rng=Dice(chance - 1e-9))
    assert not thermostat().accepts(difference, rng=Dice(chance + 1e-9))


def test_uphill_frequency():
    rng = np.random.default_rng(0)
    state = thermostat(melt_after=10**9)
    accepted = sum(state.accepts(0.02, rng=rng) for _ in range(4000))
    assert accepted / 4000 == pytest.approx(exp(-1), abs=0.03)


def test_melting_starts_at_the_threshold_and_only_on_rejection():
    state = thermostat()
    state.accepts(0.1, rng=Dice(1.0))
    state.accepts(0.1, rng=Dice(1.0))
    assert (state.melted, state.temperature) == (False, 0.02)
    assert state.accepts(0.001, rng=Dice(0.0))  # third step without a downhill one, accepted
    assert (state.melted, state.temperature) == (False, 0.02)
    state.accepts(0.1, rng=Dice(1.0))
    assert state.melted
    assert state.temperature == pytest.approx(0.03)


def test_the_temperature_has_a_ceiling():
    state = thermostat()
    for _ in range(20):
        state.accepts(None, rng=Dice(1.0))
    assert state.temperature == 0.05


def test_a_step_downhill_restores_everything():
    state = thermostat()
    for _ in range(5):
        state.accepts(None, rng=Dice(1.0))
    assert state.melted
    state.accepts(-0.1, rng=Dice(1.0))
    assert (state.melted, state.temperature, state.since_downhill) == (False, 0.02, 0)


def test_an_uphill_step_does_not_restore():
    state = thermostat()
    for _ in range(5):
        state.accepts(None, rng=Dice(1.0))
    temperature = state.temperature
    assert state.accepts(0.001, rng=Dice(0.0))
    assert (state.melted, state.temperature) == (True, temperature)


def test_a_ceiling_below_the_rest_temperature_never_cools():
    state = thermostat(melt_ceiling=0.001)
    for _ in range(5):
        state.accepts(None, rng=Dice(1.0))
    assert state.temperature == 0.02


@given(st.lists(st.one_of(st.none(), st.floats(-0.1, 0.1)), max_size=60), st.integers(0, 99))
def test_invariants(differences, seed):
    state = thermostat()
    rng = np.random.default_rng(seed)
    for difference in differences:
        before = state.since_downhill
        accepted = state.accepts(difference, rng=rng)
        downhill = difference is not None and difference < -1e-5
        assert accepted or not downhill
        assert state.since_downhill == (0 if downhill else before + 1)
        assert 0.02 <= state.temperature <= 0.05
        assert state.melted or state.temperature == 0.02
