"""Cells of hundreds and thousands of atoms: no sum overflows, no clock decides, work is bounded."""

from __future__ import annotations

import time
from itertools import product
from math import log

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate import symmetric
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds.symmetric import SymmetricSettings
from nucleate.generate.layouts import Effort, build
from nucleate.generate.symmetric import ATTEMPTS, CELLS, PLACES, SymmetricGenerator
from nucleate.generate.symmetric_prior import load_prior, positions
from nucleate.generate.wyckoff_counting import draw, log_total

FIXED = (1, 1, 3)
FREE = (2, 3, 4)


def space_of(formula: str, **options) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), **options)


def free_sums(atoms: int, weights: list[int]) -> list[int]:
    """Return the exact weight of all multisets of ``FREE`` with r atoms, for each r."""
    sums = [1] + [0] * atoms
    for step, weight in zip(FREE, weights, strict=True):
        for r in range(step, atoms + 1):
            sums[r] += weight * sums[r - step]
    return sums


def exact_total(counts: list[int], weights: list[list[int]]) -> int:
    """Return the weight of all assignments in whole numbers, which have no limit."""
    ladders = [free_sums(n, row[len(FIXED) :]) for n, row in zip(counts, weights, strict=True)]
    whole = 0
    for owners in product(range(-1, len(counts)), repeat=len(FIXED)):
        left, weight = list(counts), 1
        for place, owner in enumerate(owners):
            if owner >= 0:
                left[owner] -= FIXED[place]
                weight *= weights[owner][place]
        if min(left) >= 0:
            for ladder, rest in zip(ladders, left, strict=True):
                weight *= ladder[rest]
            whole += weight
    return whole


@pytest.mark.parametrize("counts", [[7, 4], [60, 120], [151, 300], [700, 1900], [3001, 1]])
@pytest.mark.parametrize("largest", [1, 40, 20_000])
def test_totals_agree_with_whole_numbers_of_any_size(counts: list[int], largest: int) -> None:
    rng = np.random.default_rng(largest)
    weights = rng.integers(1, largest + 1, (2, len(FIXED) + len(FREE)))
    multiplicity = np.array(FIXED + FREE)
    fixed = np.arange(multiplicity.size) < len(FIXED)
    found = log_total(np.array(counts), multiplicity, fixed, weights.astype(np.float64))
    assert found == pytest.approx(log(exact_total(counts, weights.tolist())), rel=1e-10)


def test_tiny_weights_are_no_impossibility() -> None:
    multiplicity, fixed = np.array([1, 2]), np.array([True, False])
    found = log_total(np.array([4001]), multiplicity, fixed, np.full((1, 2), 1e-3))
    assert found == pytest.approx(2001 * log(1e-3))
    nothing = log_total(np.array([4001]), multiplicity[1:], fixed[1:], np.full((1, 1), 1e-3))
    assert nothing == -np.inf


@pytest.mark.parametrize("atoms", [61, 901])
def test_draws_in_large_cells_have_the_exact_mean_numbers_of_orbits(atoms: int) -> None:
    weights = [5, 30, 700]
    sums = free_sums(atoms, weights)
    wanted = [
        sum(weight**k * sums[atoms - k * step] / sums[atoms] for k in range(1, atoms // step + 1))
        for step, weight in zip(FREE, weights, strict=True)
    ]
    rng, number = np.random.default_rng(0), 1500
    table = (np.array([atoms]), np.array(FREE), np.zeros(3, bool), np.array([weights], float))
    drawn = np.array([draw(*table, rng.random(atoms + 4))[0] for _ in range(number)])
    np.testing.assert_array_equal(drawn @ np.array(FREE), atoms)
    error = drawn.std(axis=0) / np.sqrt(number)
    assert (np.abs(drawn.mean(axis=0) - wanted) <= 4.5 * error + 1e-9).all()


@pytest.mark.parametrize("units", [60, 300, 2400])
def test_every_group_that_holds_the_atoms_has_a_share(units: int) -> None:
    """All counts are multiples of 24: whatever the group, free positions alone hold them."""
    prior = load_prior()
    numbers, counts = np.array([14, 8]), np.array([4, 8]) * units
    shares = prior.group_shares(numbers, counts, prior.orbit_weights(numbers, counts))
    assert np.isfinite(shares).all()
    assert shares.sum() == pytest.approx(1.0)
    places = positions()
    for group in range(2, 231):
        part = places.of(group)
        free = places.multiplicity[part][~places.fixed[part]]
        if (counts % free.min() == 0).all():
            assert shares[group] > 0.0, group


def test_a_large_cell_of_low_symmetry_is_not_refused() -> None:
    space = space_of("SiO2", formula_units=(400,), space_groups=[2])
    generator = SymmetricSettings().build(GeneratorContext(space))
    content = generator.content(400)
    occupied = generator.draw_assignment(content, 2, explore=False, rng=np.random.default_rng(0))
    assert (occupied @ positions().multiplicity[positions().of(2)]).tolist() == [400, 800]


def crystals(space: SearchSpace, seeds: range) -> list[dict | None]:
    drawn = (SymmetricGenerator(space).generate(rng=np.random.default_rng(seed)) for seed in seeds)
    return [None if item is None else item.crystal.to_dict() for item in drawn]


def test_a_slow_clock_does_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that stalls for an hour at every look at the clock."""
    crowded = space_of("Ca3Ti2O7", max_atoms=24, pair_distances={"O-O": 2.7, "Ca-O": 2.35})
    expected = crystals(crowded, range(6))
    attempts = []
    whole = SymmetricGenerator.attempt
    monkeypatch.setattr(
        SymmetricGenerator,
        "attempt",
        lambda self, units, **options: attempts.append(units) or whole(self, units, **options),
    )
    now = [0.0]

    def late() -> float:
        now[0] += 3600.0
        return now[0]

    for name in ("monotonic", "perf_counter", "process_time", "time", "thread_time"):
        monkeypatch.setattr(time, name, late)
    found = crystals(crowded, range(6))
    monkeypatch.undo()
    assert found == expected
    assert len(attempts) > 12, "most of them needed several attempts"
    assert any(item is not None for item in found)


def test_a_draw_ends_at_its_attempts_in_cells_of_usual_size(monkeypatch) -> None:
    space = space_of("Ca3Ti2O7", max_atoms=48, pair_distances={"O-O": 3.6})
    efforts: list[Effort] = []
    monkeypatch.setattr(symmetric, "Effort", lambda: efforts.append(Effort()) or efforts[-1])
    assert SymmetricGenerator(space).generate(rng=np.random.default_rng(0)) is None
    (effort,) = efforts
    assert 0 < effort.pairs < 0.1 * symmetric.MOST_PAIRS


def test_a_draw_ends_at_its_pairs_in_huge_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every atom counts as isolated, so each crystal is built whole, checked and thrown away."""
    space = space_of("SiO2", formula_units=(120,), isolated_cutoff=0.5)
    generator = SymmetricGenerator(space)
    built = []
    whole = symmetric.build
    monkeypatch.setattr(
        symmetric,
        "build",
        lambda *args, **options: built.append(args[0]) or whole(*args, **options),
    )
    monkeypatch.setattr(symmetric, "MOST_PAIRS", 2_000_000)
    assert generator.generate(rng=np.random.default_rng(0)) is None
    least = symmetric.MOST_PAIRS / (360**2 * (PLACES + 1))
    assert least / CELLS <= len(built) < ATTEMPTS


def test_effort_counts_every_try_of_every_orbit() -> None:
    generator = SymmetricGenerator(space_of("NaCl", max_atoms=8))
    content = generator.content(4)
    rng = np.random.default_rng(1)
    occupied = generator.draw_assignment(content, 2, explore=False, rng=rng)
    layout = generator.layout(2, occupied)
    shape = generator._prior.cells.draw_shape(2, 8, rng=rng)
    rolls = rng.random((len(layout.parts), 1, 3))
    ends = layout.start[1:]
    effort = Effort()
    built = build(layout, shape, 4000.0, np.zeros((2, 2)), rolls, effort=effort)
    assert built is not None
    assert effort.pairs == ends.sum() + 64, "each orbit at its first try, then the whole"
    nowhere = Effort(pairs=5)
    none = build(layout, shape, 200.0, np.full((2, 2), 99.0), rolls, effort=nowhere)
    assert none is None
    assert nowhere.pairs == 5, "the cell itself is too small: nothing is tried"
