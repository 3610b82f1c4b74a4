"""Which minima moves start from, and in cells of what size."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.search.kinds.basin_hopping import BasinHopping
from nucleate.search.kinds.lowest_minima import LowestMinima
from nucleate.search.lowest import CHILDREN_SCALE, RANK_SCALE, Minima
from nucleate.search.search import Trial

from .scripted import RandomPairs, play, record_of, search

TIERS = ("cheap", "dear")


def found(number, *energies, crystal=None):
    crystal = crystal or RandomPairs().generate(rng=np.random.default_rng(number)).crystal
    return record_of(
        Trial(number, Candidate(crystal, Origin("test"))), *energies, tiers=TIERS, crystal=crystal
    )


def lowest(*records):
    parents = Minima(TIERS, 2)
    told = [parents.add(record) > 0 for record in records]
    return parents, told


def frequencies(parents, most_units=None, draws=4000):
    rng = np.random.default_rng(1)
    picked = Counter(parents.pick(most_units, rng=rng).number for _ in range(draws))
    return {number: count / draws for number, count in picked.items()}


def doubled(crystal):
    scaled = np.concatenate([crystal.scaled, crystal.scaled + np.array([1.0, 0, 0])]) / [2.0, 1, 1]
    return Crystal(np.tile(crystal.numbers, 2), crystal.cell * [[2.0], [1], [1]], scaled)


def test_low_minima_have_more_children():
    parents, _ = lowest(found(0, -1.0), found(1, -3.0), found(2, -2.0))
    assert parents.lowest == 1
    weights = np.exp(-np.arange(3) / RANK_SCALE)
    expected = dict(zip((1, 2, 0), weights / weights.sum(), strict=True))
    assert frequencies(parents) == pytest.approx(expected, abs=0.03)


def test_a_minimum_with_many_children_gives_way():
    parents, _ = lowest(found(0, -2.0), found(1, -1.0))
    for _ in range(int(9 * CHILDREN_SCALE)):
        parents.note_child(0)
    shares = frequencies(parents)
    assert shares[1] / shares[0] == pytest.approx(10 * np.exp(-1 / RANK_SCALE), rel=0.2)


def test_failures_are_no_parents():
    parents, told = lowest(found(0, None), found(2, -1.0))
    assert told == [False, True]
    assert frequencies(parents) == {2: 1.0}


def test_a_higher_tier_comes_first():
    parents, _ = lowest(found(0, -5.0), found(1, -4.0, -1.0), found(2, -3.0, -2.0))
    assert parents.lowest == 2
    shares = frequencies(parents)
    assert shares[2] > shares[1] > shares[0]


def test_parents_are_no_larger_than_asked():
    pair = RandomPairs().generate(rng=np.random.default_rng(5)).crystal
    large = doubled(pair)
    large = large.replace(scaled=large.scaled + np.diag([0, 0, 0.03, 0.05])[:, 1:])
    parents, _ = lowest(found(0, -9.0, crystal=large), found(1, -1.0))
    assert frequencies(parents, most_units=1) == {1: 1.0}
    assert set(frequencies(parents, most_units=2)) == {0, 1}


def test_a_parent_found_in_a_supercell_goes_on_in_its_primitive_cell():
    pair = RandomPairs().generate(rng=np.random.default_rng(6)).crystal
    parents, _ = lowest(found(0, -1.0, crystal=doubled(pair)))
    parent = parents.pick(1, rng=np.random.default_rng(0))
    assert parent.crystal.n_atoms == 2
    assert parent.crystal.volume == pytest.approx(pair.volume)


def test_nothing_to_start_from():
    assert Minima(TIERS, 2).pick(None, rng=np.random.default_rng(0)) is None
    assert lowest(found(0, -1.0))[0].pick(0, rng=np.random.default_rng(0)) is None


class Limits(RandomPairs):
    """Notes which limits of the size it is asked for."""

    def __init__(self):
        self.asked = []

    def generate(self, *, rng, max_formula_units=None):
        self.asked.append(max_formula_units)
        return super().generate(rng=rng)


@pytest.mark.parametrize("kind", [LowestMinima, BasinHopping])
def test_new_structures_have_the_sizes_of_their_generators(kind):
    source = Limits()
    play(search(source, kind=kind), *np.linspace(-1.0, -2.0, 40))
    assert set(source.asked) == {None}


def test_children_keep_the_limit_of_their_trial():
    moves = dict.fromkeys(("double", "triple"), 1.0)
    balanced = search(kind=LowestMinima, new_fraction=0.0, moves=moves)
    sizes = Counter()
    for energy in np.linspace(-1.0, -1.5, 150):
        trial = balanced.ask()
        sizes[trial.candidate.crystal.n_atoms // 2] += 1
        balanced.tell(record_of(trial, energy, crystal=trial.candidate.crystal))
    assert max(sizes) <= 4
    assert sizes[1] > sizes[3] > 0
