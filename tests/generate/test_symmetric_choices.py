"""What a symmetric crystal is drawn from: sizes, groups, assignments and cells, by their laws."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest
from tests.strategies import seeds

from nucleate.crystal.candidate import Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate import symmetric_cells
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds.symmetric import SymmetricSettings
from nucleate.generate.symmetric import (
    ATTEMPTS,
    ATTEMPTS_AT_ONE_SIZE,
    FRESH_PER_FREEDOM,
    LOG_VOLUME,
    LOG_VOLUME_LIMIT,
    SymmetricGenerator,
)
from nucleate.generate.symmetric_cells import BROAD_FACTOR, BROAD_SHARE, CellShapes
from nucleate.generate.symmetric_prior import (
    MEMORY_STRENGTH,
    SymmetricPrior,
    _read_memory,
    load_prior,
)
from nucleate.generate.wyckoff import _parse, crystal_system, sites


def space_of(formula: str, **options) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), **options)


def test_sizes_are_drawn_as_often_as_the_prior_says(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = SymmetricGenerator(space_of("NaCl", max_atoms=12))
    tried: list[int] = []
    monkeypatch.setattr(generator, "attempt", lambda units, **_: tried.append(units))
    rng = np.random.default_rng(0)
    for _ in range(150):
        assert generator.generate(rng=rng) is None
    assert len(tried) == 150 * ATTEMPTS
    sizes = tried[::ATTEMPTS_AT_ONE_SIZE]
    assert tried == np.repeat(sizes, ATTEMPTS_AT_ONE_SIZE).tolist()
    shares = load_prior().formula_unit_shares(2, (1, 2, 3, 4, 5, 6))
    seen = np.bincount(sizes, minlength=7)[1:]
    assert chisquare(seen, len(sizes) * shares).pvalue > 1e-4
    tried.clear()
    generator.generate(rng=rng, max_formula_units=2)
    assert set(tried) <= {1, 2}


@pytest.mark.parametrize("formula", ["CaTiO3", "MgAl2O4", "SiO2", "Fe2O3"])
def test_orbits_are_those_that_spglib_counts(formula: str) -> None:
    """Where the group is the one drawn: as many atoms of each element in each orbit."""
    generator = SymmetricGenerator(space_of(formula, max_atoms=20))
    same = 0
    for seed in range(25):
        candidate = generator.generate(rng=np.random.default_rng(seed))
        if candidate is None:
            continue
        crystal, detail = candidate.crystal, candidate.origin.detail
        cell = (crystal.cell, crystal.scaled, crystal.numbers)
        dataset = spglib.get_symmetry_dataset(cell, symprec=1e-4)
        if dataset.number != detail["space_group_number"]:
            continue
        same += 1
        size = {site.letter: site.multiplicity for site in sites(dataset.number)}
        words = [part.split(" ") for part in str(detail["wyckoff"]).split(", ")]
        expected = sorted((name, size[letter]) for name, letters in words for letter in letters)
        orbits = Counter(dataset.crystallographic_orbits.tolist())
        names = symbols_of(crystal.numbers)
        assert sorted((names[first], number) for first, number in orbits.items()) == expected
    assert same >= 10


@settings(max_examples=15)
@given(st.sets(st.integers(1, 230), min_size=1, max_size=12), st.integers(0, 10**6))
def test_only_groups_that_are_asked_for_are_drawn(groups: set[int], seed: int) -> None:
    space = space_of("SiO2", max_atoms=12, space_groups=sorted(groups))
    generator = SymmetricGenerator(space)
    free = SymmetricGenerator(space_of("SiO2", max_atoms=12))
    for units in space.formula_units:
        ours, theirs = generator.content(units), free.content(units)
        kept = np.isin(np.arange(231), sorted(groups))
        assert not ours.shares[~kept].any()
        assert not ours.flat_shares[~kept].any()
        whole = theirs.shares[kept].sum()
        if whole > 0.0:
            np.testing.assert_allclose(ours.shares[kept], theirs.shares[kept] / whole)
    candidate = generator.generate(rng=np.random.default_rng(seed))
    if candidate is not None:
        assert candidate.origin.detail["space_group_number"] in groups


@pytest.mark.parametrize("groups", [[1, 230], [230], [229, 230]])
def test_groups_that_cannot_hold_the_atoms_are_refused_by_name(groups: list[int]) -> None:
    around = GeneratorContext(space_of("NaCl", max_atoms=4, space_groups=groups))
    with pytest.raises(InputError, match=r"problem\.space_groups: .* NaCl .* 1 to 2 formula units"):
        SymmetricSettings().build(around)


def test_seen_groups_outweigh_the_model_by_their_number() -> None:
    prior = load_prior()
    numbers, counts = np.array([38, 22, 8]), np.array([1, 1, 3])
    weights = prior.orbit_weights(numbers, counts)
    groups, seen = prior._memory[1, 1, 3]
    blended = prior.group_shares(numbers, counts, weights)
    alone = object.__new__(SymmetricPrior)
    alone.__dict__.update(prior.__dict__)
    alone._memory = {}
    plain = alone.group_shares(numbers, counts, weights)
    observed = np.zeros(231)
    for group, number in zip(groups, seen, strict=True):
        observed[group] += number if plain[group] > 0.0 else 0.0
    expected = (observed + MEMORY_STRENGTH * plain) / (observed.sum() + MEMORY_STRENGTH)
    np.testing.assert_allclose(blended, expected)
    assert observed.argmax() == 221, "the cubic perovskite"
    assert plain.sum() == pytest.approx(1.0)


def test_the_memory_is_read_by_rows_that_are_alike() -> None:
    keys = np.array([[1, 1, 0], [1, 1, 0], [1, 2, 0], [1, 1, 3]], np.uint8)
    groups = np.array([225, 221, 227, 221], np.uint8)
    seen = np.array([5.0, 2.0, 1.5, 7.0], np.float32)
    memory = _read_memory(keys, groups, seen)
    assert set(memory) == {(1, 1), (1, 2), (1, 1, 3)}
    assert memory[1, 1][0].tolist() == [225, 221]
    assert memory[1, 1][1].tolist() == [5.0, 2.0]


def test_an_exploring_generator_leaves_the_prior_and_keeps_all_limits() -> None:
    space = space_of("SrTiO3", max_atoms=10)
    usual, bold = (SymmetricGenerator(space, exploration=share) for share in (0.0, 1.0))
    found: dict[str, set[int]] = {}
    for name, generator in (("usual", usual), ("bold", bold)):
        drawn = (generator.generate(rng=np.random.default_rng(seed)) for seed in range(60))
        kept = [candidate for candidate in drawn if candidate is not None]
        assert all(space.rejection(candidate.crystal) is None for candidate in kept)
        found[name] = {int(item.origin.detail["space_group_number"]) for item in kept}
    assert len(found["bold"]) > 1.5 * len(found["usual"])


@settings(max_examples=25)
@given(seeds, st.integers(0, 500))
def test_freshness_falls_with_repeats_and_the_slower_the_freer(seed: int, repeats: int) -> None:
    generator = SymmetricGenerator(space_of("NaCl", max_atoms=8))
    content, rng = generator.content(2), np.random.default_rng(seed)
    group = int(rng.choice(np.flatnonzero(content.shares)))
    layout = generator.layout(
        group, generator.draw_assignment(content, group, explore=True, rng=rng)
    )
    assert generator._freshness(layout) == 1.0
    detail = {"space_group_number": group, "wyckoff": layout.words}
    for _ in range(repeats):
        generator.note(Origin("symmetric", detail=detail))
    free = int(layout.freedom.sum()) + layout.shape_size
    expected = min(1.0, FRESH_PER_FREEDOM**free / (repeats + 1.0)) ** 2
    assert generator._freshness(layout) == pytest.approx(expected)
    generator.note(Origin("blocks", detail=detail))
    generator.note(Origin("move:swap-two-atoms", detail={"formula_units": 1}))
    assert generator._freshness(layout) == pytest.approx(expected), "others do not count"
    generator.note(Origin("move:rattle", detail={**detail, "source": "symmetric"}))
    assert generator._freshness(layout) <= expected


@pytest.mark.parametrize("window", [(0.5, 3.0), (0.95, 1.05), (1.3, 2.0)])
def test_volumes_are_log_normal_within_their_limits(window) -> None:
    generator = SymmetricGenerator(space_of("NaCl", max_atoms=8, volume_window=window))
    rng = np.random.default_rng(0)
    ratios = np.array([generator._stretch(rng) for _ in range(2000)])
    low, high = max(window[0], np.exp(-LOG_VOLUME_LIMIT)), min(window[1], np.exp(LOG_VOLUME_LIMIT))
    assert ratios.min() >= min(low, window[1])
    assert ratios.max() <= max(high, window[0])
    inner = ratios[(ratios > low) & (ratios < high)]
    if window == (0.5, 3.0):
        assert kstest(np.log(inner), "norm", LOG_VOLUME).pvalue > 1e-3


def shapes(share: list[float], mean: np.ndarray, covariance: np.ndarray) -> CellShapes:
    """Return a mixture that serves every group."""
    return CellShapes(
        {
            "shape_model": np.zeros(231),
            "shape_start": np.array([0, len(share)]),
            "shape_share": np.array(share),
            "shape_mean": mean,
            "shape_covariance": covariance,
        }
    )


COVARIANCE = np.array([[0.04, 0.01, 0.02], [0.01, 0.09, -0.03], [0.02, -0.03, 0.25]])


@pytest.mark.parametrize("n_atoms", [4, 20])
def test_shapes_are_drawn_conditional_on_the_number_of_atoms(monkeypatch, n_atoms: int) -> None:
    """Against the textbook formula of a conditional normal distribution."""
    monkeypatch.setattr(symmetric_cells, "BROAD_SHARE", 0.0)
    mean = np.array([[0.1, -0.2, np.log(10.0)]])
    cells = shapes([1.0], mean, COVARIANCE[None])
    rng = np.random.default_rng(0)
    drawn = np.array([cells.draw_shape(62, n_atoms, rng=rng) for _ in range(4000)])
    slope = COVARIANCE[:2, 2] / COVARIANCE[2, 2]
    expected = mean[0, :2] + slope * (np.log(n_atoms) - mean[0, 2])
    inner = COVARIANCE[:2, :2] - np.outer(slope, COVARIANCE[2, :2])
    error = np.sqrt(np.diag(inner) / len(drawn))
    assert (np.abs(drawn.mean(axis=0) - expected) < 5.0 * error).all()
    np.testing.assert_allclose(np.cov(drawn.T), inner, atol=0.006)


def test_some_shapes_are_broader_and_components_follow_the_number_of_atoms() -> None:
    mean = np.array([[-1.0, 0.0, np.log(3.0)], [1.0, 0.0, np.log(30.0)]])
    narrow = np.diag([1e-4, 1e-4, 0.3])
    cells = shapes([0.25, 0.75], mean, np.stack([narrow, narrow]))
    rng = np.random.default_rng(0)
    drawn = np.array([cells.draw_shape(62, 8, rng=rng) for _ in range(3000)])
    gap = np.log(8.0) - mean[:, 2]
    chance = np.array([0.25, 0.75]) * np.exp(-0.5 * gap**2 / 0.3)
    wanted = chance / chance.sum()
    seen = np.bincount((drawn[:, 0] > 0.0).astype(int), minlength=2)
    assert chisquare(seen, 3000 * wanted).pvalue > 1e-4
    variance = 1.0 - BROAD_SHARE + BROAD_SHARE * BROAD_FACTOR**2
    assert drawn[:, 1].var() == pytest.approx(1e-4 * variance, rel=0.2)


def test_shapes_that_are_no_cell_are_drawn_again_and_then_given_up() -> None:
    flat = np.array([[0.0, 0.0, *np.radians([30.0, 30.0, 100.0]), 1.0]])
    narrow = np.diag([1e-8] * 5 + [0.3])[None]
    never = shapes([1.0], flat, narrow)
    assert never.draw_shape(2, 4, rng=np.random.default_rng(0)) is None
    assert never.draw_shape(225, 4, rng=np.random.default_rng(0)).size == 0, "a cube has no shape"


@pytest.mark.parametrize(
    ("text", "matrix", "shift"),
    [
        ("x,y,z", np.eye(3), [0, 0, 0]),
        ("-x+1/2,y,z+1/4", np.diag([-1.0, 1, 1]), [0.5, 0, 0.25]),
        ("x,-x,1/4", [[1.0, -1, 0], [0, 0, 0], [0, 0, 0]], [0, 0, 0.25]),
        ("x,2x,z", [[1.0, 2, 0], [0, 0, 0], [0, 0, 1]], [0, 0, 0]),
        ("1/8,y,-y+1/4", [[0.0, 0, 0], [0, 1, -1], [0, 0, 0]], [0.125, 0, 0.25]),
        ("0,1/3,2/3", np.zeros((3, 3)), [0, 1 / 3, 2 / 3]),
    ],
)
def test_coordinates_of_the_tables_are_read(text: str, matrix, shift) -> None:
    found, origin = _parse(text)
    np.testing.assert_allclose(found, matrix)
    np.testing.assert_allclose(origin, shift)


@pytest.mark.parametrize("number", [-1, 0, 231, 1000])
def test_there_are_230_groups(number: int) -> None:
    with pytest.raises(ValueError, match=f"no space group {number}"):
        crystal_system(number)


ORDERS = {
    1: "1", 2: "-1 2 m", 3: "3", 4: "2/m 222 mm2 m2m 2mm 4 -4", 6: "-3 32 3m 6 -6",
    8: "mmm 4/m 422 4mm -42m -4m2", 12: "-3m 6/m 622 6mm -6m2 -62m 23", 16: "4/mmm",
    24: "6/mmm m-3 432 -43m", 48: "m-3m",
}  # fmt: skip


def test_site_symmetries_have_the_orders_of_their_point_groups() -> None:
    """Which the multiplicities of the tables give on another way."""
    orders = {name: order for order, names in ORDERS.items() for name in names.split()}
    for group in range(1, 231):
        whole = sites(group)[-1].multiplicity
        for site in sites(group):
            order = orders[site.site_symmetry.replace(".", "")]
            assert whole == order * site.multiplicity, (group, site)
