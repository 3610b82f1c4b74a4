"""Chemical potentials of gases against the tables that the polynomials were made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleate.errors import InputError
from nucleate.mapping.gases import GASES, entropy, potential
from nucleate.units import BOLTZMANN_EV_PER_K

STANDARD_ENTROPIES = {"O": 205.147, "N": 191.609, "H": 130.680, "Cl": 223.081, "F": 202.791}
"""J/(mol K) at 298.15 K and 1 bar (NIST-JANAF)."""


@pytest.mark.parametrize(("symbol", "expected"), STANDARD_ENTROPIES.items())
def test_standard_entropies(symbol, expected):
    assert entropy(symbol, 298.15) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("temperature", "expected"), [(300.0, -0.27), (600.0, -0.61), (1000.0, -1.10)]
)
def test_oxygen_as_in_the_table_of_reuter_and_scheffler(temperature, expected):
    # Phys. Rev. B 65, 035406 (2001), Table I, 1 atm.
    assert potential("O", temperature, 1.01325) == pytest.approx(expected, abs=0.006)


@given(st.sampled_from(sorted(GASES)), st.floats(300.0, 990.0), st.floats(1e-20, 1e3))
def test_potentials_fall_with_temperature_by_the_entropy(symbol, temperature, pressure):
    step = 0.01
    slope = (potential(symbol, temperature + step) - potential(symbol, temperature)) / step
    assert slope < 0.0
    rise = potential(symbol, temperature, pressure) - potential(symbol, temperature)
    expected = 0.5 * BOLTZMANN_EV_PER_K * temperature * np.log(pressure)
    assert rise == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("symbol", sorted(GASES))
def test_pieces_of_a_polynomial_meet(symbol):
    for top, _ in GASES[symbol].ranges[:-1]:
        assert potential(symbol, top) == pytest.approx(potential(symbol, top + 1e-6), abs=2e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Sr", 300.0), "there are data for"),
        (("O", 5000.0), "reach from 100 to 2000 K"),
        (("H", 200.0), "reach from 298"),
        (("O", 300.0, 0.0), "positive partial pressure"),
        (("O", 300.0, float("inf")), "positive partial pressure"),
    ],
)
def test_bad_input(arguments, words):
    with pytest.raises(InputError, match=words):
        potential(*arguments)
