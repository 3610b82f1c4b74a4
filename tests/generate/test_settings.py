"""Keys of generators that cannot be used are named with their value; weights rule the draws."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase.build import bulk
from pydantic import ValidationError
from scipy.stats import binomtest

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.build import build_generators, named, random_generators
from nucleate.generate.context import GeneratorContext
from nucleate.generate.distinct import distinct
from nucleate.generate.generator import Generator, as_generator
from nucleate.generate.mix import ContractError, GeneratorMix
from nucleate.generate.objects import ObjectSettings
from nucleate.generate.pool import Member, RankedPool, ranked
from nucleate.plugins import find, kinds

NACL = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
SHIPPED = [kind.name for kind in kinds()["generators"].values() if kind.source == "nucleate"]
NEEDS_FILES = {"seeds", "pool"}


def least(kind: str) -> dict[str, object]:
    return {"files": "none.cif"} if kind in NEEDS_FILES else {}


@pytest.mark.parametrize("kind", SHIPPED)
def test_unknown_keys_and_bad_weights_are_named(kind: str) -> None:
    settings = find(kind, "generators")
    for key, value in (("colour", "red"), ("weight", -1.0), ("weight", "much")):
        with pytest.raises(ValidationError) as caught:
            settings.model_validate({**least(kind), key: value})
        (problem,) = caught.value.errors()
        assert problem["loc"] == (key,)
        assert problem["input"] == value


@pytest.mark.parametrize("weight", [float("inf"), float("nan")])
@pytest.mark.parametrize("kind", SHIPPED)
def test_weights_are_finite(kind: str, weight: float) -> None:
    with pytest.raises(ValidationError, match="weight"):
        find(kind, "generators").model_validate({**least(kind), "weight": weight})


BAD = [
    ("graph-search", "optimiser", "gradient"),
    ("graph-search", "symmetry", "cubic"),
    ("graph-search", "number", 0),
    ("graph-search", "most_formula_units", 0),
    ("graph-search", "refined", 0),
    ("graph-search", "descent_steps", -1),
    ("graph-search", "ranking", "best"),
    ("lattice", "grids", 0),
    ("lattice", "relaxed", -3),
    ("lattice", "keep", 0),
    ("lattice", "max_atoms", 0),
    ("lattice", "leading", -1),
    ("pool", "ranking", "auto"),
    ("pool", "files", 7),
    ("seeds", "files", None),
    ("prototypes", "known", "some"),
    ("prototypes", "most", 0),
    ("prototypes", "leading", -1),
    ("prototypes", "library", 3),
]


@pytest.mark.parametrize(("kind", "key", "value"), BAD)
def test_values_out_of_range_are_named(kind: str, key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        find(kind, "generators").model_validate({**least(kind), key: value})
    assert {problem["loc"][0] for problem in caught.value.errors()} == {key}
    assert all(problem["input"] == value for problem in caught.value.errors())


@pytest.mark.parametrize("kind", SHIPPED)
def test_settings_are_frozen_and_come_back_from_their_dump(kind: str) -> None:
    settings = find(kind, "generators").model_validate(least(kind))
    with pytest.raises(ValidationError):
        settings.weight = 3.0
    assert type(settings).model_validate(settings.model_dump()) == settings


def test_zero_weights_alone_are_refused_with_a_remedy() -> None:
    with pytest.raises(InputError, match=r"every weight is 0.*positive weight"):
        build_generators([named("symmetric", weight=0.0)], GeneratorContext(NACL))


def test_an_energy_model_is_asked_for_where_one_is_needed(tmp_path) -> None:
    settings = named("pool", files=str(tmp_path), ranking="single-point")
    with pytest.raises(InputError, match=r"ranking = 'single-point' needs an energy model"):
        build_generators([settings], GeneratorContext(NACL))


def test_symmetric_crystals_prevail_among_random_ones() -> None:
    weights = [item.weight for item in random_generators()]
    assert weights[0] > weights[1]


def test_an_object_that_is_gone_is_asked_for_again() -> None:
    source = Fixed("mine")
    settings = ObjectSettings.of(source)
    assert settings.build(GeneratorContext(NACL)) is source
    copy = ObjectSettings.model_validate(settings.model_dump(exclude={"kind"}))
    with pytest.raises(InputError, match=r"Fixed lives in the process .* generators="):
        copy.build(GeneratorContext(NACL))


class Fixed(Generator):
    """Always the same answer."""

    def __init__(self, name: str, answer: object = SALT, *, ends_after: int = 10**6) -> None:
        self.name, self.answer, self.left = name, answer, ends_after
        self.noted: list[Origin] = []

    def generate(self, *, rng, max_formula_units=None):
        del rng, max_formula_units
        self.left -= 1
        if self.left < 0:
            return None
        is_crystal = isinstance(self.answer, Crystal)
        return Candidate(self.answer, Origin(self.name)) if is_crystal else self.answer

    def note(self, origin: Origin) -> None:
        self.noted.append(origin)

    def prepare(self) -> float:
        return 1.5


def test_draws_follow_the_weights() -> None:
    mix = GeneratorMix([(Fixed("one"), 3.0), (Fixed("two"), 1.0), (Fixed("never"), 0.0)], NACL)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        mix.generate(rng=rng)
    assert set(mix.counts) == {"one", "two"}
    assert binomtest(mix.counts["one"], 1000, 0.75).pvalue > 1e-3
    assert [item.name for item in mix.generators] == ["one", "two"]


def test_a_generator_that_ends_leaves_the_rest_to_the_others() -> None:
    mix = GeneratorMix([(Fixed("few", ends_after=3), 100.0), (Fixed("many"), 1.0)], NACL)
    rng = np.random.default_rng(0)
    assert all(mix.generate(rng=rng) is not None for _ in range(20))
    assert mix.counts["few"] == 3
    assert mix.counts.total() == 20


def test_all_generators_are_told_and_prepared() -> None:
    sources = [Fixed("one"), Fixed("two")]
    mix = GeneratorMix([(source, 1.0) for source in sources])
    mix.note(Origin("one"))
    assert [source.noted for source in sources] == [[Origin("one")]] * 2
    assert mix.prepare() == 3.0
    assert not mix.leads


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("text", "no Candidate"),
        (Candidate("text", Origin("x")), "no Candidate"),
        (Candidate(SALT, "x"), "no Origin"),
        (Crystal.from_ase(bulk("KCl", "rocksalt", a=6.3)), "KCl, which is not NaCl"),
        (Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.6) * (5, 1, 1)), "10 atoms, more than"),
    ],
)
def test_what_breaks_the_contract_is_an_error_that_names_the_generator(answer, words) -> None:
    mix = GeneratorMix([(Fixed("mine", answer), 1.0)], NACL)
    with pytest.raises(
        ContractError, match=rf"the generator mine \(\S*:Fixed .*\) returned .*{words}"
    ):
        mix.generate(rng=np.random.default_rng(0))


def test_a_plain_object_is_a_generator() -> None:
    class Plain:
        def generate(self, *, rng, max_formula_units=None):
            del rng, max_formula_units
            return Candidate(SALT, Origin("plain"))

    source = as_generator(Plain())
    assert source.name.endswith("Plain")
    assert source.prepare() == 0.0
    assert not source.leads
    assert source.generate(rng=np.random.default_rng(0)).crystal is SALT
    assert as_generator(source) is source


def test_distinct_keeps_the_first_of_each_and_no_more_than_asked() -> None:
    edges = (5.2, 5.2, 5.6, 6.0, 5.6, 6.4)
    crystals = [Crystal.from_ase(bulk("NaCl", "rocksalt", a=a)) for a in edges]
    assert distinct(crystals) == [0, 2, 3, 5]
    assert distinct(crystals, most=2) == [0, 2]
    assert distinct(crystals, most=0) == []
    kinds_of = ["a", "a", "a", "b", "b", "b"]
    assert distinct(crystals, kinds=kinds_of, most_of_a_kind=1) == [0, 3]
    assert distinct([]) == []


def test_ranking_is_stable_and_a_restored_pool_continues() -> None:
    edges = (5.2, 5.6, 6.0, 6.4)
    members = [Member(Crystal.from_ase(bulk("NaCl", "rocksalt", a=a)), {"a": a}) for a in edges]
    equal = ranked(members, "single-point", space=NACL, score=lambda c: np.zeros(len(c)))
    assert [m.detail["a"] for m in equal] == list(edges), "ties keep their order"
    nothing = ranked(members, "single-point", space=NACL, score=lambda c: np.full(len(c), np.inf))
    assert nothing == []
    rng = np.random.default_rng(0)
    whole = RankedPool(NACL, equal, name="pool", leading=9)
    origins = []
    while (candidate := whole.generate(rng=rng)) is not None:
        origins.append(candidate.origin)
        whole.note(candidate.origin)
    assert [origin.detail["rank"] for origin in origins] == [1, 2, 3, 4]
    assert not whole.leads
    again = RankedPool(NACL, equal, name="pool", leading=9)
    for origin in (origins[2], origins[0], Origin("other", detail={"order": 1})):
        again.note(origin)
    assert again.leads
    assert again.generate(rng=rng).origin == origins[1]
    assert Counter(type(origin.detail["rank"]) for origin in origins) == {int: 4}
