from __future__ import annotations

import numpy as np
from ase.build import bulk
from ase.spacegroup import crystal as build_crystal

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.search.minima import is_same_minimum


def of(atoms):
    return fingerprint(Crystal.from_ase(atoms))


def distance(first, second):
    return fingerprint_distance(of(first), of(second))


def test_polytypes_of_equal_enthalpy_are_different():
    fcc, hcp = bulk("Cu", "fcc", 3.6), bulk("Cu", "hcp", 3.6 / 2**0.5, c=3.6 * 2 / 3**0.5)
    assert not is_same_minimum(distance(fcc, hcp), 0.0)
    blende = bulk("ZnS", "zincblende", 5.41)
    wurtzite = bulk("ZnS", "wurtzite", 5.41 / 2**0.5, c=5.41 * 2 / 3**0.5)
    assert not is_same_minimum(distance(blende, wurtzite), 0.0)


def test_loose_ends_of_one_relaxation_are_the_same_if_their_enthalpies_agree():
    rutile = build_crystal(
        ["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
        cellpar=[4.59, 4.59, 2.96, 90, 90, 90],
    )  # fmt: skip
    strained = rutile.copy()
    strained.set_cell(rutile.cell.array @ np.diag([1.01, 0.985, 1.01]), scale_atoms=True)
    strained.rattle(0.045, seed=1)
    gap = distance(rutile, strained)
    assert 0.04 < gap < 0.1
    assert is_same_minimum(gap, 0.0005)
    assert not is_same_minimum(gap, 0.005)
