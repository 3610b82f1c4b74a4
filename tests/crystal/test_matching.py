"""Same structures and distortions are told apart by their sites."""

from __future__ import annotations

import numpy as np
import pytest
from ase.spacegroup import crystal as in_group
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import rotations, seeds, unimodular

from nucleate.crystal import matching
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.matching import Comparable, displacement, is_distortion
from nucleate.crystal.rattle import rattled

CUBIC = Crystal.from_ase(
    in_group(["Sr", "Ti", "O"], [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0)], spacegroup=221,
             cellpar=[3.95, 3.95, 3.95, 90, 90, 90])
)  # fmt: skip
POLAR = Crystal.from_ase(
    in_group(["Sr", "Ti", "O", "O"],
             [(0, 0, 0), (0.5, 0.5, 0.54), (0.5, 0.5, -0.02), (0.5, 0, 0.48)], spacegroup=99,
             cellpar=[3.93, 3.93, 4.05, 90, 90, 90])
)  # fmt: skip
TILTED = Crystal.from_ase(
    in_group(["Sr", "Ti", "O"], [(0, 0, 0.25), (0, 0, 0), (0.46, 0, 0.25)], spacegroup=167,
             cellpar=[5.56, 5.56, 13.6, 90, 90, 120], primitive_cell=True)
)  # fmt: skip
ILMENITE = Crystal.from_ase(
    in_group(["Sr", "Ti", "O"], [(0, 0, 0.36), (0, 0, 0.15), (0.32, 0.02, 0.25)], spacegroup=148,
             cellpar=[5.2, 5.2, 13.8, 90, 90, 120], primitive_cell=True)
)  # fmt: skip


@pytest.fixture(params=["pymatgen", "without"])
def matcher(request, monkeypatch):
    """With pymatgen and without."""
    if request.param == "pymatgen":
        pytest.importorskip("pymatgen")
    else:
        monkeypatch.setattr(matching, "matcher_name", lambda: matching.FINGERPRINT)
    return request.param


@given(change=unimodular(), rotation=rotations(), seed=seeds)
@settings(max_examples=15)
def test_another_cell_is_the_same_structure(change, rotation, seed):
    rng = np.random.default_rng(seed)
    cell = change @ TILTED.cell @ rotation
    scaled = TILTED.scaled @ np.linalg.inv(change) + rng.random(3)
    order = rng.permutation(TILTED.n_atoms)
    other = Crystal(TILTED.numbers[order], cell, scaled[order])
    found = displacement(Comparable.of(TILTED), Comparable.of(other))
    assert found is not None
    assert found < 1e-3


def test_small_displacements_are_the_same_and_large_ones_are_not(matcher):
    small = displacement(Comparable.of(CUBIC), Comparable.of(rattled(CUBIC, 0.01)))
    if matcher == "pymatgen":
        assert small == pytest.approx(0.01, abs=0.01)
    for other in (POLAR, TILTED, ILMENITE):
        found = displacement(Comparable.of(other), Comparable.of(CUBIC))
        assert found is None or found > 0.05


def test_distortions_are_recognised_in_any_cell(matcher):
    high, polar, tilted, other = map(Comparable.of, (CUBIC, POLAR, TILTED, ILMENITE))
    assert (high.number, polar.number, tilted.number) == (221, 99, 167)
    assert high.symmetry > polar.symmetry > tilted.symmetry
    assert is_distortion(polar, high)
    assert is_distortion(tilted, high)
    assert is_distortion(tilted, polar)
    assert not is_distortion(other, high)


@given(size=st.floats(0.0, 0.02))
@settings(max_examples=5)
def test_a_crystal_is_a_distortion_of_itself(size):
    assert is_distortion(Comparable.of(rattled(TILTED, size)), Comparable.of(TILTED))


def test_no_volume_is_refused():
    with pytest.raises(ValueError):
        Comparable.of(Crystal([1], np.zeros((3, 3)), [[0, 0, 0]]))
