from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spglib
from ase.build import bulk
from ase.spacegroup import crystal as build_crystal
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import shortest_distance
from nucleate.crystal.files import read_crystals
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.symmetry import (
    SYMPREC_LADDER,
    conventional,
    space_group,
    standardised,
    symmetrised,
    symmetry_report,
)
from strategies import in_another_cell, rotations, spread_crystals, supercell, unimodular

KNOWN = {
    "rocksalt": (bulk("NaCl", "rocksalt", a=5.64), 225, 2, 8),
    "diamond": (bulk("Si", "diamond", a=5.43), 227, 2, 8),
    "hcp": (bulk("Mg", "hcp", a=3.21, c=5.21), 194, 2, 2),
    "rutile": (
        build_crystal(
            ["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
            cellpar=[4.59, 4.59, 2.96, 90, 90, 90],
        ),
        136, 6, 6,
    ),
    "corundum": (
        build_crystal(
            ["Al", "O"], [(0, 0, 0.352), (0.306, 0, 0.25)], spacegroup=167,
            cellpar=[4.76, 4.76, 12.99, 90, 90, 120],
        ),
        167, 10, 30,
    ),
}  # fmt: skip


def rattled(crystal: Crystal, size: float, seed: int = 0) -> Crystal:
    shift = np.random.default_rng(seed).normal(size=(crystal.n_atoms, 3)) * size
    return Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions + shift)


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=10)
@given(unimodular(), rotations(), st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 2, 2)]))
def test_known_crystals_in_any_cell(
    name: str, change: np.ndarray, rotation: np.ndarray, repeats: tuple[int, int, int]
) -> None:
    atoms, number, primitive, conventional_size = KNOWN[name]
    crystal = in_another_cell(supercell(Crystal.from_ase(atoms), repeats), change)
    crystal = crystal.replace(cell=crystal.cell @ rotation, scaled=crystal.scaled + 0.123)
    for symprec in SYMPREC_LADDER:
        assert space_group(crystal, symprec)[0] == number
        standard = standardised(crystal, symprec)
        assert standard is not None
        assert standard.n_atoms == primitive
        assert np.linalg.det(standard.cell) > 0
        whole = conventional(crystal, symprec)
        assert whole is not None
        assert whole.n_atoms == conventional_size
        for other in (standard, whole):
            difference = fingerprint_distance(fingerprint(other), fingerprint(crystal))
            assert difference == pytest.approx(0.0, abs=1e-3)


@settings(max_examples=40)
@given(spread_crystals(max_atoms=8))
def test_standard_cells_keep_the_crystal(crystal: Crystal) -> None:
    for symprec in (0.1, 0.01):
        standard = standardised(crystal, symprec)
        if standard is None:
            continue
        assert standard.n_atoms <= crystal.n_atoms
        assert crystal.n_atoms % standard.n_atoms == 0
        assert standard.volume_per_atom == pytest.approx(crystal.volume_per_atom, rel=0.15)
        assert np.all(np.diff(standard.numbers) >= 0)
        assert shortest_distance(standard) == pytest.approx(
            shortest_distance(crystal), abs=4 * symprec
        )


@settings(max_examples=40)
@given(spread_crystals(min_atoms=2, max_atoms=8))
def test_space_groups_are_those_of_spglib(crystal: Crystal) -> None:
    if shortest_distance(crystal) < 0.5:
        return
    cell = (crystal.cell, crystal.scaled, crystal.numbers)
    expected = spglib.get_spacegroup(cell, symprec=1e-3)
    if expected is not None:
        assert f"({space_group(crystal, 1e-3)[0]})" in expected


def test_the_ladder_finds_more_symmetry_with_more_tolerance() -> None:
    crystal = rattled(Crystal.from_ase(KNOWN["rutile"][0]), 0.015)
    report = symmetry_report(crystal)
    assert [rung.symprec for rung in report] == list(SYMPREC_LADDER)
    assert report[0].number == 136
    assert report[0].symbol == "P4_2/mnm"
    assert report[0].primitive_atoms == 6
    assert report[-1].number == 1
    standard, symprec = symmetrised(crystal)
    assert symprec == 0.1
    assert space_group(standard, 1e-4)[0] == 136


@pytest.mark.parametrize(
    "crystal",
    [
        Crystal(np.array([8, 8]), np.eye(3) * 3, np.zeros((2, 3))),
        Crystal(np.array([8]), np.zeros((3, 3)), np.zeros((1, 3))),
        Crystal(np.array([8]), np.eye(3) * np.nan, np.zeros((1, 3))),
        Crystal(np.array([8]), np.eye(3) * 3, np.full((1, 3), np.nan)),
        Crystal(np.zeros(0), np.eye(3) * 3, np.zeros((0, 3))),
    ],
)
def test_what_has_no_symmetry_is_p1(crystal: Crystal) -> None:
    assert space_group(crystal) == (1, "P1")
    assert standardised(crystal, 0.1) is None
    assert conventional(crystal, 0.1) is None
    assert {rung.number for rung in symmetry_report(crystal)} == {1}


def test_a_crystal_without_symmetry_is_reduced() -> None:
    crystal = Crystal(np.array([8, 8]), np.eye(3) * 3, np.zeros((2, 3)))
    change = np.array([[1, 0, 0], [7, 1, 0], [0, 5, 1]])
    reduced, symprec = symmetrised(in_another_cell(crystal, change))
    assert symprec is None
    np.testing.assert_allclose(reduced.lengths, 3.0)


def test_published_structures_keep_their_size(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("fuse2_paper_structures/*.cif")):
        ((_, crystal),) = read_crystals(path)
        standard, symprec = symmetrised(crystal)
        assert symprec is not None
        assert standard.n_atoms <= crystal.n_atoms
