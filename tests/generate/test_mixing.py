"""Several generators as one: exact shares, who leads, what completes whom, and pressure."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif
from nucleate.crystal.space import SearchSpace
from nucleate.errors import ContractError, InputError
from nucleate.generate.build import (
    PROTOTYPES_WEIGHT,
    SMALL_CELL,
    build_generators,
    default_generators,
    named,
    random_generators,
)
from nucleate.generate.context import GeneratorContext, check_score
from nucleate.generate.generator import Generator, as_generator
from nucleate.generate.mix import LEADING_WEIGHT, GeneratorMix, check_candidate
from nucleate.generate.objects import ObjectSettings
from nucleate.generate.pool import Member, RankedPool

NACL = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))


class Source(Generator):
    """Gives the same crystal a number of times."""

    def __init__(
        self, name: str, *, left: int = 10**9, leading: int = 0, told: list[str] | None = None
    ) -> None:
        self.name, self.left, self.leading = name, left, leading
        self.told = [] if told is None else told
        self.asked: list[int | None] = []

    @property
    def leads(self) -> bool:
        return self.leading > 0

    def generate(self, *, rng, max_formula_units=None):
        del rng
        self.asked.append(max_formula_units)
        self.told.append(self.name)
        if self.left <= 0:
            return None
        self.left -= 1
        return Candidate(SALT, Origin(self.name, detail={"left": self.left}))

    def note(self, origin: Origin) -> None:
        self.leading -= origin.source == self.name


@settings(max_examples=8)
@given(st.lists(st.floats(1.0, 20.0), min_size=1, max_size=5), st.integers(0, 10**6))
def test_shares_are_those_of_the_weights(weights: list[float], seed: int) -> None:
    mix = GeneratorMix([(Source(str(k)), weight) for k, weight in enumerate(weights)])
    rng, number = np.random.default_rng(seed), 3000
    for _ in range(number):
        assert mix.generate(rng=rng) is not None
    seen = np.array([mix.counts[str(k)] for k in range(len(weights))])
    assert seen.sum() == number
    if len(weights) > 1:
        expected = number * np.array(weights) / sum(weights)
        assert chisquare(seen, expected).pvalue > 1e-6


def test_who_comes_next_where_others_give_nothing_follows_the_weights_too() -> None:
    """The order of asking is that of draws without replacement: two of three fall through."""
    weights = {"a": 5.0, "b": 2.0, "c": 1.0}
    asked: list[str] = []
    sources = [Source(name, left=0, told=asked) for name in weights]
    mix = GeneratorMix(list(zip(sources, weights.values(), strict=True)))
    rng, number, firsts = np.random.default_rng(1), 4000, Counter[str]()
    for _ in range(number):
        asked.clear()
        assert mix.generate(rng=rng) is None
        firsts["".join(asked)] += 1
    chances = []
    orders = ["".join(order) for order in permutations(weights)]
    for order in orders:
        left, chance = sum(weights.values()), 1.0
        for name in order:
            chance *= weights[name] / left
            left -= weights[name]
        chances.append(number * chance)
    assert chisquare([firsts[order] for order in orders], chances).pvalue > 1e-4


def test_the_leading_one_comes_first_until_it_leads_no_more() -> None:
    sources = [Source("often"), Source("leader", leading=5)]
    mix = GeneratorMix([(sources[0], 3.0), (sources[1], 1e-3)])
    drawn = []
    for seed in range(40):
        assert mix.leads == (len(drawn) < 5)
        candidate = mix.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        mix.note(candidate.origin)
        drawn.append(candidate.origin.source)
    assert drawn[:5] == ["leader"] * 5
    assert drawn.count("leader") < 8
    assert LEADING_WEIGHT / (LEADING_WEIGHT + 3.0) > 0.999


def test_the_limit_of_formula_units_reaches_every_generator() -> None:
    sources = [Source("one", left=0), Source("two", left=0)]
    mix = GeneratorMix([(source, 1.0) for source in sources])
    assert mix.generate(rng=np.random.default_rng(0), max_formula_units=3) is None
    assert [source.asked for source in sources] == [[3], [3]]
    assert mix.counts.total() == 0


@settings(max_examples=10)
@given(st.floats(0.4, 0.99))
def test_candidates_are_compressed_once_and_only_in_volume(compression: float) -> None:
    space = SearchSpace.create(NACL.composition, max_atoms=8, compression=compression)
    mix = GeneratorMix([(Source("one"), 1.0)], space)
    candidate = mix.generate(rng=np.random.default_rng(0))
    assert candidate is not None
    assert candidate.crystal.volume == pytest.approx(SALT.volume * compression**0.5)
    np.testing.assert_array_equal(candidate.crystal.scaled, SALT.scaled)
    assert candidate.origin.source == "one"
    plain = GeneratorMix([(Source("one"), 1.0)], NACL).generate(rng=np.random.default_rng(0))
    assert plain is not None
    assert plain.crystal is SALT


def test_generators_know_no_pressure_and_what_they_give_is_compressed() -> None:
    """What a run draws under pressure is what it draws at 0 GPa, in a smaller cell."""
    pressed = SearchSpace.create(NACL.composition, max_atoms=8, compression=0.7)
    kinds = [named("symmetric", weight=1.0), named("blocks", weight=1.0)]
    mixes = [build_generators(kinds, GeneratorContext(space)) for space in (NACL, pressed)]
    for seed in range(6):
        at_zero, under = (mix.generate(rng=np.random.default_rng(seed)) for mix in mixes)
        assert at_zero is not None
        assert under is not None
        ratio = under.crystal.volume_per_atom / pressed.volume_per_atom
        assert pressed.volume_window[0] <= ratio <= pressed.volume_window[1]
        assert under.origin.source == at_zero.origin.source
        assert under.crystal.n_atoms == at_zero.crystal.n_atoms


def test_scores_of_generators_are_those_of_compressed_crystals() -> None:
    pressed = SearchSpace.create(NACL.composition, max_atoms=8, compression=0.64)
    seen: list[Crystal] = []

    def score(crystals):
        seen.extend(crystals)
        return np.zeros(len(crystals))

    inner = GeneratorContext(pressed, score=score).at_rest()
    assert inner.space.compression == 1.0
    assert inner.start_ratio == pytest.approx(0.8)
    assert inner.score is not None
    inner.score([SALT])
    assert seen[0].volume == pytest.approx(0.8 * SALT.volume)
    assert GeneratorContext(pressed).at_rest().score is None
    around = GeneratorContext(NACL, score=score)
    assert around.at_rest() is around
    check_score("single-point", around)
    with pytest.raises(InputError, match="needs an energy model"):
        check_score("single-point", GeneratorContext(NACL))


@pytest.mark.parametrize("wrong", ["cell", "scaled"])
def test_crystals_that_are_not_finite_break_the_contract(wrong: str) -> None:
    values = {"cell": SALT.cell.copy(), "scaled": SALT.scaled.copy()}
    values[wrong][0, 0] = np.nan
    candidate = Candidate(SALT.replace(**values), Origin("x"))
    with pytest.raises(ContractError, match=r"cell or coordinates are not finite. Correct its"):
        check_candidate(candidate, Source("mine"), NACL)
    check_candidate(Candidate(SALT, Origin("x")), Source("mine"), NACL)


def names(settings: list, around: GeneratorContext) -> list[str]:
    return [generator.name for generator in build_generators(settings, around).generators]


def test_sources_that_end_are_completed_and_endless_ones_are_not(tmp_path: Path) -> None:
    write_cif(tmp_path / "salt.cif", SALT)
    file = str(tmp_path / "salt.cif")
    around = GeneratorContext(NACL, warn=lambda _: None)
    seeds, pool = named("seeds", files=file), named("pool", files=file)
    assert names([seeds], around) == ["seeds", "symmetric", "blocks"]
    assert names([pool], around) == ["pool", "blocks"]
    assert names([pool, seeds], around)[2:] == ["blocks"]
    assert names([seeds, named("symmetric")], around) == ["seeds", "symmetric"]
    assert names([named("blocks")], around) == ["blocks"]
    mine = Source("mine")
    assert names([ObjectSettings.of(mine)], around) == ["mine"]
    assert names([seeds, ObjectSettings.of(mine)], around) == ["seeds", "mine"]


@pytest.mark.parametrize("kind", ["blocks", "graph-search"])
def test_who_cannot_keep_to_space_groups_is_named(tmp_path: Path, kind: str) -> None:
    write_cif(tmp_path / "salt.cif", SALT)
    space = SearchSpace.create(NACL.composition, max_atoms=8, space_groups=[225])
    files = {"files": str(tmp_path / "salt.cif")} if kind in ("seeds", "pool") else {}
    settings = [named("symmetric"), named(kind, **files)]
    with pytest.raises(InputError, match=rf"the generator '{kind}' cannot keep to space groups"):
        build_generators(settings, GeneratorContext(space))
    assert names([], GeneratorContext(space)) == ["symmetric"]


def test_weights_of_the_defaults_add_up_whatever_the_size() -> None:
    for most in (2, SMALL_CELL, SMALL_CELL + 2, 60):
        space = SearchSpace.create(NACL.composition, max_atoms=most)
        for chosen in (random_generators(), default_generators(space)):
            assert sum(item.weight for item in chosen) == pytest.approx(1.0)
        has_pool = any(item.kind == "graph-search" for item in default_generators(space))
        assert has_pool == (most > SMALL_CELL)
    assert 0.0 < PROTOTYPES_WEIGHT < 1.0


def test_a_plain_object_serves_in_a_mix_with_what_it_lacks() -> None:
    class Plain:
        name = "plain"

        def generate(self, *, rng, max_formula_units=None):
            del rng, max_formula_units
            return Candidate(SALT, Origin("plain"))

    mix = GeneratorMix([(Plain(), 1.0), (Source("one", left=0), 1.0)], NACL)
    for seed in range(4):
        candidate = mix.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        mix.note(candidate.origin)
    assert mix.counts == {"plain": 4}
    assert mix.prepare() == 0.0
    assert as_generator(Plain()).name == "plain"


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.data())
def test_a_pool_gives_every_member_once_the_best_that_fits_first(sizes, data) -> None:
    space = SearchSpace.create(NACL.composition, max_atoms=8)
    members = [
        Member(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64) * (size, 1, 1)), {"rank": k})
        for k, size in enumerate(sizes)
    ]
    pool = RankedPool(space, members, name="pool", leading=3)
    left = list(range(len(sizes)))
    while left:
        limit = data.draw(st.sampled_from([None, 1, 2, 3, 4]))
        fitting = [k for k in left if limit is None or sizes[k] <= limit]
        found = pool.generate(rng=np.random.default_rng(0), max_formula_units=limit)
        assert (found is None) == (not fitting)
        if found is not None:
            assert found.origin.detail["order"] == fitting[0]
            assert pool.leads == (len(sizes) - len(left) < min(3, len(sizes)))
            pool.note(found.origin)
            left.remove(fitting[0])
        elif limit is not None and min(sizes[k] for k in left) > limit:
            pool.note(Origin("move:swap", detail={"source": "pool", "order": left.pop(0)}))
    assert not pool.leads
