"""Crystals as sentences and back, judged by pymatgen's StructureMatcher."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as ase_crystal
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.generate.wyckoff import N_SPACE_GROUPS, orbits, sites
from nucleate.generate.wyckoff_language.descriptions import changes, equivalents, polar_axes
from nucleate.generate.wyckoff_language.sentence import (
    crystal_of,
    described,
    is_same,
    sentence_of,
)

FORMULAS = ("NaCl", "TiO2", "MgAl2O4", "CaSiO3", "K2SO4")
A_FEW_GROUPS = (1, 2, 4, 8, 14, 15, 33, 47, 62, 63, 99, 129, 146, 148, 166, 194, 221, 225, 227)


def rutile() -> Crystal:
    atoms = ase_crystal(
        ["Ti", "O"],
        [(0, 0, 0), (0.305, 0.305, 0)],
        spacegroup=136,
        cellpar=[4.594, 4.594, 2.959, 90, 90, 90],
    )
    return Crystal.from_ase(atoms)


def test_rocksalt_and_rutile_in_words() -> None:
    salt = sentence_of(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)))
    assert salt is not None
    assert (salt.group, salt.words) == (225, "Na a, Cl b")
    tin = sentence_of(rutile())
    assert tin is not None
    assert (tin.group, tin.words) == (136, "Ti a, O f")


def test_all_shifts_of_the_origin_give_one_sentence() -> None:
    crystal = rutile()
    first = sentence_of(crystal)
    assert first is not None
    for shift in ((0.5, 0.5, 0.0), (0.0, 0.0, 0.5), (0.13, 0.2, 0.37)):
        moved = sentence_of(crystal.replace(scaled=crystal.scaled + shift))
        assert moved is not None
        assert moved.words == first.words
        np.testing.assert_allclose(moved.free, first.free, atol=1e-6)


def test_a_polar_crystal_has_one_sentence_whatever_the_order_and_origin() -> None:
    """Three of its atoms may be the origin along two axes, and the axis may point either way."""
    rng = np.random.default_rng(3)
    crystal = Crystal.from_ase(
        ase_crystal(
            ["Ag", "Ag", "Ag", "O"],
            [(0.05, 0, 0.1), (0.33, 0, 0.62), (0.71, 0, 0.27), (0.42, 0.23, 0.91)],
            spacegroup=8,
            cellpar=[6.1, 8.3, 5.2, 90, 103, 90],
            primitive_cell=True,
        )
    )
    first = sentence_of(crystal)
    assert first is not None
    assert (first.group, first.words) == (8, "Ag aaa, O b")
    for _ in range(6):
        order = rng.permutation(crystal.n_atoms)
        scaled = crystal.scaled[order] + rng.random(3)
        again = sentence_of(Crystal(crystal.numbers[order], crystal.cell, scaled))
        assert again is not None
        assert is_same(first, again)
    found = [described(first, rng=rng) for _ in range(40)]
    assert len({tuple(np.round(item.free.ravel(), 3)) for item in found}) >= 3
    assert all(is_same(first, described(item)) for item in found)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(FORMULAS), st.sampled_from(A_FEW_GROUPS[1:]), st.integers(0, 2**31))
def test_a_crystal_comes_back_from_every_description(formula: str, group: int, seed: int) -> None:
    matcher = pytest.importorskip("pymatgen.analysis.structure_matcher").StructureMatcher()
    rng = np.random.default_rng(seed)
    space = SearchSpace.create(
        Composition.from_formula(formula), max_atoms=28, space_groups=[group]
    )
    made = SymmetricGenerator(space).generate(rng=rng)
    sentence = None if made is None else sentence_of(made.crystal)
    if made is None or sentence is None:
        return
    other = described(sentence, order=rng.permutation(sentence.numbers.size), rng=rng)
    for item in (sentence, other):
        back = crystal_of(item)
        assert back is not None
        assert np.array_equal(np.sort(back.numbers), np.repeat(*_sorted(sentence)))
        assert matcher.fit(made.crystal.to_pymatgen(), back.to_pymatgen())
    again = described(other)
    assert (again.group, again.words) == (sentence.group, sentence.words)


def test_the_same_orbit_has_the_same_points() -> None:
    rng = np.random.default_rng(0)
    for group in A_FEW_GROUPS:
        for orbit, maps in zip(orbits(group), equivalents(group), strict=True):
            free = rng.random(len(orbit.directions))
            points = orbit.points(free)
            for image in maps.all(free):
                gaps = points[:, None] - orbit.points(image)[None]
                gaps = np.abs(gaps - np.rint(gaps)).max(axis=-1)
                assert (gaps.min(axis=1) < 1e-6).all()


def test_changes_of_description_keep_sizes_and_begin_with_none() -> None:
    for group in A_FEW_GROUPS:
        table, found = changes(group), sites(group)
        assert np.array_equal(table.positions[0], np.arange(len(found)))
        sizes = np.array([(site.multiplicity, site.freedom) for site in found])
        for row in table.positions:
            assert np.array_equal(sizes[row], sizes)
    assert N_SPACE_GROUPS == 230
    assert polar_axes(1).all()
    assert polar_axes(99).tolist() == [False, False, True]
    assert not polar_axes(225).any()


def _sorted(sentence: object) -> tuple[np.ndarray, np.ndarray]:
    numbers, counts = sentence.numbers, sentence.counts  # type: ignore[attr-defined]
    order = np.argsort(numbers)
    return numbers[order], counts[order]
