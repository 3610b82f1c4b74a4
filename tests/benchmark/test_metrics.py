from __future__ import annotations

import math

import numpy as np
import pytest
from ase.build import bulk

from nucleate.benchmark.metrics import (
    LOOSE,
    TIGHT,
    Reference,
    crmse,
    match_at,
    mean_displacement,
    metre,
    pooled_displacements,
    rate,
)
from nucleate.benchmark.statistics import wilson_interval
from nucleate.crystal.crystal import Crystal

NACL = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64, cubic=True))


def test_rate_is_wilsons() -> None:
    found = rate(18, 20)
    assert (found.low, found.high) == pytest.approx(wilson_interval(18, 20), abs=1e-6)
    assert str(found) == "90.0 (69.9-97.2)"
    assert rate(0, 0).value == 0.0
    assert (rate(0, 0).low, rate(0, 0).high) == (0.0, 1.0)


def test_match_at() -> None:
    first = [1, 3, None, 20, 21]
    assert [match_at(first, k).successes for k in (1, 5, 20, 100)] == [1, 2, 3, 4]


def test_displacement_agrees_with_pymatgen() -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    rng = np.random.default_rng(0)
    matcher = StructureMatcher(ltol=0.3, stol=0.5, angle_tol=10)
    quartz = Crystal(np.array([14, 14, 14, *[8] * 6]), np.diag([4.9, 4.9, 5.4]), rng.random((9, 3)))
    for crystal in (Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)), quartz, NACL):
        for scale in (0.0, 0.02, 0.08):
            noise = rng.normal(scale=scale, size=crystal.scaled.shape)
            moved = crystal.replace(scaled=crystal.scaled + noise)
            expected = matcher.get_rms_dist(moved.to_pymatgen(), crystal.to_pymatgen())
            found = Reference(moved).displacement(crystal)
            assert (found is None) == (expected is None)
            if expected is not None:
                assert found == pytest.approx(expected[0], abs=1e-6)


def test_supercells_and_other_structures() -> None:
    reference = Reference(NACL)
    primitive = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.7))
    assert reference.displacement(primitive) == pytest.approx(0.0, abs=1e-6)
    assert reference.displacement(Crystal.from_ase(NACL.to_ase().repeat((1, 1, 2)))) is not None
    other = Crystal.from_ase(bulk("NaCl", "cesiumchloride", a=3.5))
    assert reference.displacement(other, TIGHT) is None
    half = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64).repeat((1, 1, 1)))
    assert Reference(NACL).displacement(half.replace(numbers=np.array([11, 35]))) is None


def test_metre_and_crmse_on_a_case_by_hand() -> None:
    """Two polymorphs share their list: each counts with its nearest of the first two."""
    compositions = ["AB", "AB", "C"]
    displacements = [{1: 0.30, 2: 0.10}, {3: 0.05}, {1: 0.20}]
    best = pooled_displacements(compositions, displacements, 1)
    assert best == [0.10, None, 0.20]
    assert metre(best).value == pytest.approx(2 / 3)
    assert crmse(best) == pytest.approx((0.10 + LOOSE.site + 0.20) / 3)
    assert mean_displacement(best) == pytest.approx(0.15)
    assert pooled_displacements(compositions, displacements, 2) == [0.10, 0.05, 0.20]
    assert math.isnan(crmse([]))
    assert math.isnan(mean_displacement([None]))
