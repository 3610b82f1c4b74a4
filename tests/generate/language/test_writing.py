"""What the language writes: exact in composition, without repeats, with its own likelihoods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds.wyckoff_language import WyckoffLanguageSettings
from nucleate.generate.mix import GeneratorMix
from nucleate.generate.symmetric_prior import load_prior
from nucleate.generate.wyckoff import sites

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from nucleate.generate.wyckoff_language.assignments import AssignmentSearch, Manner
from nucleate.generate.wyckoff_language.checkpoint import load_language
from nucleate.generate.wyckoff_language.completions import (
    group_tables,
    next_positions,
    of_group,
    possible_groups,
)
from nucleate.generate.wyckoff_language.draws import chosen_columns
from nucleate.generate.wyckoff_language.generator import WyckoffLanguageGenerator
from nucleate.generate.wyckoff_language.places import PlaceWriter
from nucleate.generate.wyckoff_language.sentence import crystal_of, expected_volume

COUNTS = st.lists(st.integers(1, 8), min_size=1, max_size=4)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(COUNTS, st.integers(0, 1000), st.booleans())
def test_every_sample_is_exact(
    small_language: Path, counts: list[int], seed: int, chance: bool
) -> None:
    network = load_language(small_language).network()
    rng = np.random.default_rng(seed)
    numbers = np.array([20, 22, 16, 8])[: len(counts)]
    atoms = np.array(counts)
    volume = float(np.log(expected_volume(numbers, atoms) / atoms.sum()))
    search = AssignmentSearch(network, numbers, atoms, volume)
    manner = Manner(1.3, 0.9) if chance else None
    found = search.likely(6, width=8, manner=manner, rng=rng if chance else None)
    keys = {(item.group, item.kinds, item.positions) for item in found}
    assert len(keys) == len(found)
    for item in found:
        sizes = np.array([sites(item.group)[p].multiplicity for p in item.positions])
        assert np.array_equal(np.bincount(item.kinds, sizes), atoms)
        single = [p for p in item.positions if sites(item.group)[p].freedom == 0]
        assert len(set(single)) == len(single)
    limits = 0.5 * load_prior().usual_contacts[np.ix_(numbers, numbers)]
    writer = PlaceWriter(network, numbers, atoms, limits)
    for item in writer.written(found, [2] * len(found), manner=Manner(), rng=rng):
        crystal = crystal_of(item.sentence, limits * 0.999)
        if crystal is not None:
            assert np.array_equal(np.sort(crystal.numbers), np.sort(np.repeat(numbers, atoms)))


@pytest.mark.parametrize(("group", "counts"), [(2, (3, 2)), (47, (2, 4)), (221, (1, 1, 3))])
def test_masks_allow_just_what_can_be_completed(group: int, counts: tuple[int, ...]) -> None:
    multiplicity, fixed = of_group(group)
    left = (1 << int(fixed.sum())) - 1
    later = group_tables(group, counts)[1]
    allowed = next_positions(multiplicity, fixed, later, counts[0], left, 0)
    first = {row[0][0] for row in _all(group, counts, frozenset())}
    assert set(np.flatnonzero(allowed).tolist()) == first
    assert possible_groups(tuple(sorted(counts)))[group] == bool(first)


def test_likelihoods_are_those_of_the_training(small_language: Path) -> None:
    torch = pytest.importorskip("torch")
    from nucleate.fitting.wyckoff_language.corpus import corpus_of
    from nucleate.fitting.wyckoff_language.lessons import lengths_of, lesson_of, losses
    from nucleate.generate.wyckoff_language.network import LanguageNetwork

    checkpoint = load_language(small_language)
    network, read = checkpoint.network(), LanguageNetwork(checkpoint.settings).eval()
    read.load_state_dict({k: torch.tensor(v) for k, v in checkpoint.state.items()})
    numbers, counts = np.array([38, 22, 8]), np.array([2, 2, 6])
    volume = float(np.log(expected_volume(numbers, counts) / counts.sum()))
    found = AssignmentSearch(network, numbers, counts, volume).likely(12, width=24)
    limits = np.full((3, 3), 0.3)
    written = PlaceWriter(network, numbers, counts, limits).written(
        found, [1] * len(found), manner=Manner(), rng=np.random.default_rng(0)
    )
    corpus = corpus_of([[item.sentence] for item in written])
    lesson = lesson_of(corpus, np.arange(len(corpus)), lengths_of(corpus))
    with torch.no_grad():
        parts = losses(read, lesson)
    density = -(parts["cell"] + parts["places"]).numpy()
    ours = np.array([item.log_density for item in written])
    np.testing.assert_allclose(ours, density, atol=2e-3)
    assignment = -(parts["group"] + parts["orbits"]).numpy()
    merged = np.array([item.log_assignment for item in written])
    assert (merged >= assignment - 1e-3).all()  # equal descriptions add up


def test_top_p_and_temperature() -> None:
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]]))
    np.testing.assert_allclose(np.exp(Manner(1.0, 0.7).log_shares(logits)), [[0.625, 0.375, 0, 0]])
    sharp = np.exp(Manner(0.5).log_shares(logits))[0]
    np.testing.assert_allclose(sharp, np.array([0.25, 0.09, 0.0225, 0.0025]) / 0.365)


MANNERS = [Manner(), Manner(0.7, 0.9), Manner(1.5, 0.5), Manner(1.0, 1e-9)]


@pytest.mark.parametrize("manner", MANNERS)
def test_words_are_drawn_as_often_as_they_are_likely(manner: Manner) -> None:
    rng, n = np.random.default_rng(5), 40_000
    logits = rng.normal(size=12).astype(np.float32)
    expected = np.exp(manner.log_shares(logits[None].astype(np.float64))[0])
    rows = np.repeat(logits[None], n, axis=0)
    pick, logs = chosen_columns(rows, manner, rng, np.full(n, -1))
    found = np.bincount(pick, minlength=12) / n
    assert (found[expected == 0.0] == 0.0).all()
    np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(0.25 / n))
    plain = Manner().log_shares(logits[None].astype(np.float64))[0]
    np.testing.assert_allclose(logs, plain[pick], atol=1e-6)
    pick, logs = chosen_columns(rows[:3], manner, rng, np.array([3, 3, 7]))
    assert pick.tolist() == [3, 3, 7]
    np.testing.assert_allclose(logs, plain[pick], atol=1e-6)


def test_candidates_of_another_checkpoint_are_not_continued(small_language: Path) -> None:
    space = SearchSpace.create(Composition.from_formula("SrTiO3"), max_atoms=5)
    language = load_language(small_language)
    made = WyckoffLanguageGenerator(space, language, number=3)
    taken = made.generate(rng=np.random.default_rng(0))
    assert taken is not None
    assert taken.origin.detail["checkpoint"] == language.digest
    WyckoffLanguageGenerator(space, language, number=3).note(taken.origin)
    other = WyckoffLanguageGenerator(space, load_language("mp"), number=3)
    with pytest.raises(InputError, match=r"began with the checkpoint .* Put the file back"):
        other.note(taken.origin)


def test_a_high_temperature_draws_other_assignments() -> None:
    search = AssignmentSearch(
        load_language().network(), np.array([38, 22, 8]), np.array([2, 2, 6]), 2.5
    )

    def mean(temperature: float) -> float:
        drawn = [
            search.likely(6, manner=Manner(temperature), rng=np.random.default_rng(seed))
            for seed in range(6)
        ]
        return float(np.mean([item.log_likelihood for row in drawn for item in row]))

    assert mean(3.0) < mean(0.3) - 0.5
    for key in ("assignment_temperature", "assignment_top_p"):
        with pytest.raises(ValueError, match=f"{key} = 0.5 has no effect"):
            WyckoffLanguageSettings.model_validate({key: 0.5})


def test_the_tail_of_the_assignments_can_be_cut() -> None:
    space = SearchSpace.create(Composition.from_formula("SrTiO3"), max_atoms=10)

    def words(top_p: float) -> list[str]:
        keys = {"explore": True, "number": 40, "ranking": "likelihood", "assignment_top_p": top_p}
        settings_ = named("wyckoff-language", assignment_temperature=2.0, **keys)
        members = settings_.build(GeneratorContext(space)).members
        return [str(member.detail["wyckoff"]) for member in members]

    assert len(set(words(0.3))) < len(set(words(1.0)))


def test_crystals_have_the_space_groups_that_are_asked_for() -> None:
    wanted = {4, 186, 216}
    space = SearchSpace.create(
        Composition.from_formula("Si"), formula_units=(1, 2, 3, 4), space_groups=wanted
    )
    members = named("wyckoff-language", number=30).build(GeneratorContext(space)).members
    assert {space_group(member.crystal, 0.1)[0] for member in members} <= wanted


def test_the_generator_keeps_space_groups_and_is_the_same_twice(small_language: Path) -> None:
    space = SearchSpace.create(
        Composition.from_formula("SrTiO3"), max_atoms=10, space_groups=[99, 123]
    )
    settings_ = named("wyckoff-language", checkpoint=str(small_language), number=12)
    first, again = (settings_.build(GeneratorContext(space)).members for _ in range(2))
    assert [m.crystal for m in first] == [m.crystal for m in again]
    assert first
    for member in first:
        assert member.detail["space_group_number"] in (99, 123)
        assert member.detail["log_likelihood"] < 0.0
    scores = [member.detail["log_likelihood"] for member in first]
    assert scores[0] == max(scores)


@pytest.mark.parametrize(
    ("formula", "atoms", "word"), [("Cm2O3", 20, "not seen Cm"), ("TiO2", 120, "at most 52")]
)
def test_what_it_has_not_seen_is_said_once(
    small_language: Path, formula: str, atoms: int, word: str
) -> None:
    told: list[str] = []
    space = SearchSpace.create(Composition.from_formula(formula), max_atoms=atoms)
    settings_ = named("wyckoff-language", checkpoint=str(small_language), number=3)
    generator = settings_.build(GeneratorContext(space, warn=told.append))
    generator.generate(rng=np.random.default_rng(0))
    generator.generate(rng=np.random.default_rng(1))
    assert len(told) == 1
    assert word in told[0]


def _all(
    group: int, counts: tuple[int, ...], used: frozenset[int]
) -> list[tuple[tuple[int, ...], ...]]:
    """Return all assignments by brute force: positions of each element."""
    if not counts:
        return [()]
    found = []
    for own in _multisets(group, counts[0], 0, used):
        taken = used | {p for p in own if sites(group)[p].freedom == 0}
        found += [(own, *rest) for rest in _all(group, counts[1:], taken)]
    return found


def _multisets(group: int, atoms: int, least: int, used: frozenset[int]) -> list[tuple[int, ...]]:
    if atoms == 0:
        return [()]
    found = []
    for position, site in list(enumerate(sites(group)))[least:]:
        if site.multiplicity > atoms or position in used:
            continue
        following = position if site.freedom else position + 1
        rests = _multisets(group, atoms - site.multiplicity, following, used)
        found += [(position, *rest) for rest in rests]
    return found


def test_a_language_that_waits_makes_nothing_before_its_turn(
    small_language: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = SearchSpace.create(Composition.from_formula("SrTiO3"), max_atoms=5)
    settings_ = named("wyckoff-language", checkpoint=str(small_language), number=3, after=2)
    made = settings_.build(GeneratorContext(space))
    rng = np.random.default_rng(0)
    with monkeypatch.context() as closed:
        closed.setattr(WyckoffLanguageGenerator, "make_pool", None)
        mix = GeneratorMix([(named("symmetric").build(GeneratorContext(space)), 1.0), (made, 1e9)])
        assert mix.prepare() == 0.0
        for _ in range(2):
            assert not mix.leads
            taken = mix.generate(rng=rng)
            assert taken is not None
            assert taken.origin.source == "symmetric"
            mix.note(taken.origin)
    assert mix.leads
    taken = mix.generate(rng=rng)
    assert taken is not None
    assert taken.origin.source == "wyckoff-language"
