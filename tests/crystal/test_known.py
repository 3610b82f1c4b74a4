"""The stack of fingerprints finds what comparing with every one of them finds."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.known import KnownCrystals


def family(count, seed):
    """Crystals of which many are near others."""
    rng = np.random.default_rng(seed)
    ideal = [(np.diag(rng.uniform(3.5, 4.5, 3)), rng.uniform(0.4, 0.6, 3)) for _ in range(6)]
    for _ in range(count):
        cell, place = ideal[rng.integers(6)]
        blur = rng.choice([0.0, 0.003, 0.02])
        scale = 1.0 + rng.normal(0.0, blur)
        scaled = [[0, 0, 0], place + rng.normal(0.0, blur, 3)]
        yield Crystal([11, 17], cell * scale, scaled), float(rng.choice([0.0, 0.01, 0.03]))


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("within", [0.04, 0.1])
def test_the_bounds_lose_nothing(within, lazily):
    known, before = KnownCrystals(), []
    for number, (crystal, value) in enumerate(family(120, 0)):
        print_ = fingerprint(crystal)
        expected = {
            other: pytest.approx(distance)
            for other, (print_2, value_2) in enumerate(before)
            if (distance := fingerprint_distance(print_, print_2)) < within
            and abs(value - value_2) < 0.02
        }
        found = known.matches(print_, within=within, value=(0, value), value_within=0.02)
        assert found == expected
        if lazily:
            known.add_crystal(number, crystal, value=(0, value))
        else:
            known.add(number, print_, value=(0, value))
        before.append((print_, value))


def test_values_of_other_groups_are_not_compared():
    known = KnownCrystals()
    ((crystal, _),) = family(1, 3)
    known.add(7, fingerprint(crystal), value=(0, -5.0))
    near = known.matches(fingerprint(crystal), value=(1, 99.0), value_within=0.02)
    assert set(near) == {7}
    assert not KnownCrystals().matches(fingerprint(crystal))
