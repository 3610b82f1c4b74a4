"""Random symmetric crystals keep every promise, as programs of others see them."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from math import gcd

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.stats import chisquare

from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import VOLUME_SPREAD, BlocksGenerator
from nucleate.generate.symmetric import LOG_VOLUME_LIMIT, SymmetricGenerator
from nucleate.generate.wyckoff import crystal_system, operations, sites

ELEMENTS = ("Li", "O", "F", "Na", "Mg", "Al", "Si", "S", "Cl", "Ca", "Ti", "Fe", "Sr", "Pb", "U")
GENERATORS = (SymmetricGenerator, BlocksGenerator)


def space_of(formula: str, **options) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), **options)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Return a space of one to four elements and at most 24 atoms."""
    chosen = draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=4, unique=True))
    counts = [draw(st.integers(1, 3)) for _ in chosen]
    divisor = gcd(*counts)
    formula = "".join(f"{s}{n // divisor}" for s, n in zip(chosen, counts, strict=True))
    return space_of(formula, max_atoms=24)


def as_pymatgen(crystal) -> Structure:
    return Structure(Lattice(crystal.cell), symbols_of(crystal.numbers), crystal.scaled)


@settings(max_examples=25)
@given(spaces(), st.integers(0, 10**6), st.sampled_from(GENERATORS))
def test_composition_volume_and_contacts(space: SearchSpace, seed: int, kind) -> None:
    candidate = kind(space).generate(rng=np.random.default_rng(seed))
    if candidate is None:
        return
    crystal, units = candidate.crystal, int(candidate.origin.detail["formula_units"])
    expected = {s: n * units for s, n in space.composition.counts.items()}
    assert Counter(symbols_of(crystal.numbers)) == expected
    assert units in space.formula_units
    assert crystal.n_atoms <= space.max_atoms
    assert np.linalg.det(crystal.cell) > 0.0
    assert np.isfinite(crystal.scaled).all()
    ratio = crystal.volume_per_atom / space.composition.volume_per_atom
    low, high = VOLUME_SPREAD if kind is BlocksGenerator else np.exp(
        [-LOG_VOLUME_LIMIT, LOG_VOLUME_LIMIT])  # fmt: skip
    assert low - 1e-9 <= ratio <= high + 1e-9
    first, second, _, distances = as_pymatgen(crystal).get_neighbor_list(4.0)
    limits = space.min_distances[crystal.numbers[first], crystal.numbers[second]]
    assert (distances >= limits - 1e-6).all()


@settings(max_examples=15)
@given(spaces(), st.integers(0, 10**6), st.sampled_from(GENERATORS))
def test_a_stream_gives_one_crystal_whatever_was_drawn_before(space, seed, kind) -> None:
    used = kind(space)
    for other in range(2):
        used.generate(rng=np.random.default_rng(other))
    first, second = (item.generate(rng=np.random.default_rng(seed)) for item in (used, kind(space)))
    assert (first is None) == (second is None)
    if first is not None:
        np.testing.assert_array_equal(first.crystal.scaled, second.crystal.scaled)
        np.testing.assert_array_equal(first.crystal.cell, second.crystal.cell)
        assert first.origin == second.origin


def read_words(words: str, group: int) -> Counter[str]:
    """Return the atoms of each element by the letters of an assignment."""
    size = {site.letter: site.multiplicity for site in sites(group)}
    parts = (part.split(" ") for part in words.split(", "))
    return Counter({name: sum(size[letter] for letter in letters) for name, letters in parts})


@pytest.mark.parametrize("formula", ["MgAl2O4", "SiO2", "Ti", "LiFeO2", "Ca2SiO4"])
def test_spglib_finds_the_group_drawn_or_a_supergroup(formula: str) -> None:
    space = space_of(formula, max_atoms=28)
    generator = SymmetricGenerator(space)
    exact = found = 0
    for seed in range(25):
        candidate = generator.generate(rng=np.random.default_rng(seed))
        if candidate is None:
            continue
        crystal, detail = candidate.crystal, candidate.origin.detail
        group = int(detail["space_group_number"])
        cell = (crystal.cell, crystal.scaled, crystal.numbers)
        dataset = spglib.get_symmetry_dataset(cell, symprec=1e-4)
        assert len(dataset.rotations) % len(operations(group)[0]) == 0
        assert is_supergroup(dataset.number, group), (dataset.number, group)
        assert dataset.number >= 2
        primitive = spglib.find_primitive(cell, symprec=1e-4)
        assert len(primitive[2]) == crystal.n_atoms
        assert read_words(str(detail["wyckoff"]), group) == Counter(symbols_of(crystal.numbers))
        found += 1
        if dataset.number == group:
            exact += 1
            drawn = sum(len(part.split(" ")[1]) for part in str(detail["wyckoff"]).split(", "))
            assert len(set(dataset.crystallographic_orbits.tolist())) == drawn
    assert found >= 20
    assert exact >= found // 2


def is_supergroup(number: int, group: int) -> bool:
    """Whether crystals of the first group have, with other axes perhaps, those of the second."""
    from pymatgen.symmetry.groups import SpaceGroup

    return number == group or SpaceGroup.from_int_number(group).is_subgroup(
        SpaceGroup.from_int_number(number)
    )


class Drawn(Exception):  # noqa: N818
    """Ends an attempt once its group is known."""


@pytest.mark.parametrize("exploration", [0.0, 0.3, 1.0])
def test_attempts_draw_groups_as_often_as_the_prior_and_exploration_say(
    monkeypatch: pytest.MonkeyPatch, exploration: float
) -> None:
    generator = SymmetricGenerator(space_of("SrTiO3", max_atoms=5), exploration=exploration)
    content = generator.content(1)
    assert content.shares.sum() == pytest.approx(1.0)
    groups: list[int] = []

    def noted(content, group, *, explore, rng):
        groups.append(group)
        raise Drawn

    monkeypatch.setattr(generator, "draw_assignment", noted)
    rng, number = np.random.default_rng(5), 4000
    for _ in range(number):
        with contextlib.suppress(Drawn):
            generator.attempt(1, rng=rng)
    shares = (1.0 - exploration) * content.shares + exploration * content.flat_shares
    drawn = np.bincount(groups, minlength=shares.size)
    assert len(groups) == number
    assert not drawn[shares == 0.0].any()
    common = shares * number >= 5
    observed = np.append(drawn[common], drawn[~common].sum())
    expected = number * np.append(shares[common], shares[~common].sum())
    kept = expected > 0.0
    assert chisquare(observed[kept], expected[kept]).pvalue > 1e-3
    assert int(np.argmax(content.shares)) == 221, "the cubic perovskite"


@pytest.mark.parametrize("formula", ["SrTiO3", "Si", "Ca3Ti2O7"])
def test_exploration_is_even_over_all_groups_that_fit(formula: str) -> None:
    content = SymmetricGenerator(space_of(formula, max_atoms=24)).content(1)
    fits = content.flat_shares > 0.0
    assert np.ptp(content.flat_shares[fits]) == 0.0
    assert content.flat_shares.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(fits, content.shares > 0.0)
    assert not fits[:2].any(), "group 1 is never drawn"


@pytest.mark.parametrize("explore", [False, True])
def test_assignments_have_the_counts_and_no_fixed_position_twice(explore: bool) -> None:
    generator = SymmetricGenerator(space_of("MgAl2O4", max_atoms=28))
    content = generator.content(2)
    rng = np.random.default_rng(1)
    for group in np.flatnonzero(content.shares)[::4]:
        occupied = generator.draw_assignment(content, int(group), explore=explore, rng=rng)
        found = sites(int(group))
        size = np.array([site.multiplicity for site in found])
        fixed = np.array([site.freedom == 0 for site in found])
        np.testing.assert_array_equal(occupied @ size, content.counts)
        assert (occupied[:, fixed].sum(axis=0) <= 1).all()
        layout = generator.layout(int(group), occupied)
        assert layout.n_atoms == content.counts.sum()
        assert (np.diff(layout.freedom) >= 0).all(), "the least free orbits are placed first"


def test_exhausted_assignments_become_less_likely_and_free_ones_do_not() -> None:
    generator = SymmetricGenerator(space_of("NaCl", max_atoms=2))
    cubic, other = [], []
    for seed in range(40):
        candidate = generator.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        number = int(candidate.origin.detail["space_group_number"])
        (cubic if crystal_system(number) == "cubic" else other).append(candidate)
        for _ in range(50):
            generator.note(candidate.origin)
    before, after = len(cubic), 0
    for seed in range(40):
        candidate = generator.generate(rng=np.random.default_rng(seed))
        if candidate is not None:
            number = int(candidate.origin.detail["space_group_number"])
            after += crystal_system(number) == "cubic"
    assert before > 0
    assert after < before


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("Fe", {"formula_units": (1,)}),
        ("O", {"max_atoms": 2}),
        ("LiNaKMgCaAlF9", {"max_atoms": 15}),
        ("Pu2O3", {"max_atoms": 10}),
        ("He", {"max_atoms": 4}),
        ("U", {"max_atoms": 1}),
    ],
)
def test_one_atom_seven_elements_and_rare_elements(kind, formula: str, options: dict) -> None:
    space = space_of(formula, **options)
    generator = kind(space)
    drawn = [generator.generate(rng=np.random.default_rng(seed)) for seed in range(4)]
    found = [item for item in drawn if item is not None]
    assert found
    assert all(space.rejection(item.crystal) is None for item in found)


@pytest.mark.parametrize("kind", GENERATORS)
def test_where_nothing_fits_the_end_comes_soon(kind) -> None:
    space = space_of("NaCl", max_atoms=4, pair_distances={"Na-Cl": 9.0})
    started = time.process_time()
    assert kind(space).generate(rng=np.random.default_rng(0)) is None
    assert time.process_time() - started < 20.0


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_narrow_volume_window_is_kept(kind) -> None:
    space = space_of("SrTiO3", max_atoms=10, volume_window=(0.98, 1.02))
    for seed in range(5):
        candidate = kind(space).generate(rng=np.random.default_rng(seed))
        if candidate is not None:
            ratio = candidate.crystal.volume_per_atom / space.composition.volume_per_atom
            assert 0.98 - 1e-9 <= ratio <= 1.02 + 1e-9
