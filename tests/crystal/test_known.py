"""The stack of fingerprints finds what comparing with every one of them finds."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.known import KnownCrystals

ROUNDING = 1e-3
"""What 8 bits change of a distance of 0.04 or more."""


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


@pytest.mark.parametrize("within", [0.04, 0.1])
def test_packed_fingerprints_find_what_full_ones_find(within):
    known, before = KnownCrystals(), []
    for number, (crystal, value) in enumerate(family(120, 0)):
        print_ = fingerprint(crystal)
        exact = {
            other: fingerprint_distance(print_, print_2)
            for other, (print_2, value_2) in enumerate(before)
            if abs(value - value_2) < 0.02
        }
        found = known.matches(print_, within=within, value=(0, value), value_within=0.02)
        assert {n for n, d in exact.items() if d < within - ROUNDING} <= set(found)
        assert set(found) <= {n for n, d in exact.items() if d < within + ROUNDING}
        assert found == {n: pytest.approx(exact[n], abs=0.01) for n in found}
        known.add(number, print_, value=(0, value))
        before.append((print_, value))


def test_values_of_other_groups_are_not_compared():
    known = KnownCrystals()
    ((crystal, _),) = family(1, 3)
    known.add(7, fingerprint(crystal), value=(0, -5.0))
    near = known.matches(fingerprint(crystal), value=(1, 99.0), value_within=0.02)
    assert set(near) == {7}
    assert not KnownCrystals().matches(fingerprint(crystal))


def test_marks_spare_comparisons_and_nothing_else():
    marked, plain = KnownCrystals(), KnownCrystals()
    crystals = [crystal for crystal, _ in family(300, 4)]
    for number, crystal in enumerate(crystals):
        marked.add(number, fingerprint(crystal))
    for number, crystal in enumerate(crystals):
        plain.add(number, fingerprint(crystal))
        plain._directions = None
    for crystal in crystals[::7]:
        assert marked.matches(fingerprint(crystal)) == plain.matches(fingerprint(crystal))
