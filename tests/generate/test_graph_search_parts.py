"""The parts of the graph search alone, on energies whose minimum is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from tests.strategies import seeds

from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.graph_search import generator, pool, search
from nucleate.generate.graph_search.generator import GraphSearchGenerator
from nucleate.generate.graph_search.optimisers import POPULATION, ParticleSwarm, RandomSearch
from nucleate.generate.graph_search.parzen import FRESH_SHARE, ParzenSearch
from nucleate.generate.graph_search.points import PLACES, PointSpace, Proposal, Sample
from nucleate.generate.graph_search.pool import MOST_OF_A_LAYOUT, Account, Plan
from nucleate.generate.graph_search.search import ATTEMPTS_FACTOR, BATCH, search_crystals
from nucleate.generate.graph_search.sizes import make_pool
from nucleate.generate.symmetric import LOG_VOLUME_LIMIT

SPACE = SearchSpace.create(Composition.from_formula("CaTiO3"), max_atoms=10)
POINTS = PointSpace(SPACE, 2)


def volume_energies(network: object, samples: Sequence[Sample]) -> np.ndarray:
    """Return a made-up energy that is lowest for an expansion of 10 %."""
    del network
    return np.array([abs(sample.log_volume - np.log(1.1)) for sample in samples])


@settings(max_examples=40)
@given(seeds, st.sampled_from(["all", "triclinic"]))
def test_points_are_crystals_of_the_space(seed: int, symmetry) -> None:
    points = POINTS if symmetry == "all" else PointSpace(SPACE, 2, symmetry="triclinic")
    rng = np.random.default_rng(seed)
    proposal = points.draw(rng=rng)
    assert proposal.layout.n_atoms == points.n_atoms == 10
    assert -LOG_VOLUME_LIMIT <= proposal.log_volume <= 2 * LOG_VOLUME_LIMIT
    assert proposal.shape.size == proposal.layout.shape_size
    sample = points.realise(proposal, rng=rng)
    if sample is None:
        return
    crystal = sample.crystal
    expected = SPACE.composition.volume_per_atom * np.exp(proposal.log_volume)
    assert crystal.volume_per_atom == pytest.approx(expected)
    assert SPACE.composition.formula_units_of(crystal.numbers) == 2
    structure = Structure(Lattice(crystal.cell), symbols_of(crystal.numbers), crystal.scaled)
    first, second, _, lengths = structure.get_neighbor_list(4.0)
    limits = SPACE.min_distances[crystal.numbers[first], crystal.numbers[second]]
    assert (lengths >= limits - 1e-9).all()
    assert sample.key == (sample.layout.group, sample.layout.words)
    numbers = proposal.layout.shape_size + 1 + 3 * len(proposal.layout.parts)
    assert sample.vector.shape == (numbers,)
    assert np.isnan(sample.energy)


def test_most_points_can_be_realised() -> None:
    rng = np.random.default_rng(0)
    found = [POINTS.realise(POINTS.draw(rng=rng), rng=rng) for _ in range(60)]
    assert sum(sample is not None for sample in found) > 20


@pytest.mark.parametrize("window", [(0.5, 3.0), (0.98, 1.02), (0.0, 1.0), (1.2, 5.0)])
def test_volumes_stay_in_the_window(window) -> None:
    space = SearchSpace.create(SPACE.composition, max_atoms=10, volume_window=window)
    points = PointSpace(space, 1)
    rng = np.random.default_rng(0)
    ratios = np.exp([points.draw_log_volume(rng=rng) for _ in range(300)])
    assert (ratios >= window[0] - 1e-12).all()
    assert (ratios <= window[1] + 1e-12).all()
    for value in (-np.inf, np.inf):
        assert window[0] - 1e-12 <= np.exp(points.clipped_log_volume(value)) <= window[1] + 1e-12


def test_tries_spread_around_the_proposal_and_begin_with_it() -> None:
    from nucleate.generate.graph_search.points import _rolls

    rng = np.random.default_rng(0)
    layout = POINTS.draw(rng=rng).layout
    free = rng.random((len(layout.parts), 3))
    rolls = _rolls(Proposal(layout, np.zeros(0), 0.0, free, spread=0.02), rng)
    assert rolls.shape == (len(layout.parts), PLACES, 3)
    np.testing.assert_array_equal(rolls[:, 0], free % 1.0)
    gaps = rolls - free[:, None]
    gaps -= np.rint(gaps)
    widths = gaps.std(axis=(0, 2))
    assert widths[-8:].mean() == pytest.approx(0.036, rel=0.35)
    assert widths[-8:].mean() > 3 * widths[1:6].mean()
    anywhere = _rolls(Proposal(layout, np.zeros(0), 0.0), rng)
    assert anywhere.std() == pytest.approx(12**-0.5, rel=0.1)


def judged(proposals: Sequence[Proposal], rng: np.random.Generator) -> list[Sample | None]:
    built = [POINTS.realise(proposal, rng=rng) for proposal in proposals]
    return [None if s is None else replace(s, energy=volume_energies(None, [s])[0]) for s in built]


def test_particles_take_turns_and_remember_their_best_place() -> None:
    rng = np.random.default_rng(0)
    swarm = ParticleSwarm(POINTS, rng=rng)
    start = swarm._place.copy()
    for first in range(0, POPULATION, 80):
        assert len(swarm.propose(80, rng=rng)) == 80
        np.testing.assert_array_equal(swarm._moved, (first + np.arange(80)) % POPULATION)
        np.testing.assert_array_equal(swarm._place, start), "nobody moves in the first round"
        swarm.learn(judged([swarm._proposal(swarm._place[row]) for row in swarm._moved], rng))
    known, places = swarm._own_energy.copy(), swarm._own.copy()
    worse = judged([swarm._proposal(swarm._place[row]) for row in swarm._moved], rng)
    swarm.learn([s and replace(s, energy=s.energy + 10.0) for s in worse])
    seen = np.isfinite(known)
    np.testing.assert_array_equal(swarm._own_energy[seen], known[seen])
    np.testing.assert_array_equal(swarm._own[seen], places[seen])
    known = swarm._own_energy.copy()
    assert 0.2 * POPULATION < np.isfinite(known).sum() < POPULATION
    moved = swarm.propose(80, rng=rng)
    assert np.abs(swarm._place - start).max() > 0.0
    swarm.learn([None] * 80)
    np.testing.assert_array_equal(swarm._own_energy, known)
    assert ((swarm._place[:, 7:] >= 0.0) & (swarm._place[:, 7:] < 1.0)).all()
    assert ((swarm._place[:, 0] >= 0.0) & (swarm._place[:, 0] < 1.0)).all()
    assert all(p.free is not None and len(p.free) == len(p.layout.parts) for p in moved)
    swarm.propose(80, rng=rng)
    with pytest.raises(ValueError, match="zip"):
        swarm.learn([None] * 79)


def test_parzen_windows_begin_at_random_and_then_leave_the_share_of_the_prior() -> None:
    rng = np.random.default_rng(0)
    estimator = ParzenSearch(POINTS, start=60)
    while len(estimator._samples) < 60:
        proposals = estimator.propose(100, rng=rng)
        assert all(proposal.free is None for proposal in proposals)
        estimator.learn(judged(proposals, rng))
    guided = [p for p in estimator.propose(400, rng=rng) if p.free is not None]
    assert 1.0 - len(guided) / 400 == pytest.approx(FRESH_SHARE, abs=0.08)
    best = sorted(estimator._samples, key=lambda sample: sample.energy)
    keys = {sample.key for sample in best[: max(10, len(best) // 10)]}
    assert {(p.layout.group, p.layout.words) for p in guided} <= keys
    error = [abs(p.log_volume - np.log(1.1)) for p in guided]
    assert np.median(error) < 0.5 * np.median([sample.energy for sample in best])
    for proposal in guided:
        assert proposal.free is not None
        assert ((proposal.free >= 0.0) & (proposal.free < 1.0)).all()
        unused = np.arange(3) >= proposal.layout.freedom[:, None]
        assert not proposal.free[unused].any(), "what cannot change does not"


def test_a_random_search_learns_nothing() -> None:
    first, second = (RandomSearch(POINTS) for _ in range(2))
    second.learn(judged(second.propose(30, rng=np.random.default_rng(0)), np.random.default_rng(0)))
    ours, theirs = (item.propose(5, rng=np.random.default_rng(4)) for item in (first, second))
    for one, other in zip(ours, theirs, strict=True):
        assert (one.layout.words, one.log_volume) == (other.layout.words, other.log_volume)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A network that only counts; energies are those of the volume."""
    monkeypatch.setattr(search, "network_energies", volume_energies)
    return SimpleNamespace(settings=None)


@pytest.mark.parametrize("optimiser", ["random", "swarm", "tpe"])
def test_a_search_is_a_function_of_seed_and_size(toy, optimiser) -> None:
    def energies(seed: int, number: int, units: int = 1) -> list[float]:
        harvest = search_crystals(
            SPACE, toy, formula_units=units, number=number, optimiser=optimiser, seed=seed
        )
        assert len(harvest.samples) == number
        assert harvest.proposals % BATCH == 0
        return [sample.energy for sample in harvest.samples]

    whole = energies(3, 260)
    assert energies(3, 40) == whole[:40], "a shorter search is the beginning of a longer one"
    assert energies(4, 40) != whole[:40]
    assert energies(3, 40, units=2) != whole[:40]


def test_a_search_that_finds_nothing_ends(toy) -> None:
    crowded = SearchSpace.create(SPACE.composition, max_atoms=5, pair_distances={"Ti-O": 9.0})
    shown: list[tuple[int, int]] = []
    harvest = search_crystals(
        crowded, toy, formula_units=1, number=10, progress=lambda *args: shown.append(args)
    )
    assert harvest.samples == ()
    assert harvest.proposals == ATTEMPTS_FACTOR * 10
    assert shown == [(0, 10)] * (harvest.proposals // BATCH)
    assert make_pool(crowded, toy, Plan(number=5, descent_steps=0))[0] == []


def test_a_pool_is_limited_by_kind_and_number_and_counts_what_it_did(toy) -> None:
    shown = []
    plan = Plan(number=150, refined=40, descent_steps=0, most_formula_units=2, optimiser="random")
    members, account = make_pool(SPACE, toy, plan, report=lambda *args: shown.append(args))
    energies = [member.detail["network_energy"] for member in members]
    assert energies == sorted(energies)
    assert account.found == {1: 150, 2: 150}
    assert account.elsewhere_s == 0.0
    assert {"optimiser", "building", "network", "duplicates", "all"} <= set(account.seconds)
    assert "descent" not in account.seconds
    for units in (1, 2):
        own = [member.detail for member in members if member.detail["formula_units"] == units]
        assert 0 < len(own) <= 40
        kinds = [(item["space_group_number"], item["wyckoff"]) for item in own]
        assert max(kinds.count(kind) for kind in kinds) <= MOST_OF_A_LAYOUT
        rows = [row for row in shown if row[0] == f"{units} formula units: crystals"]
        assert [done for _, done, _ in rows] == sorted(done for _, done, _ in rows)
        assert rows[-1][1:] == (150, 150)


@pytest.mark.parametrize("symmetry", ["all", "triclinic"])
def test_a_kind_is_refined_a_limited_number_of_times_but_not_p1(toy, monkeypatch, symmetry) -> None:
    monkeypatch.setattr(pool, "MOST_OF_A_LAYOUT", 1)
    plan = Plan(number=120, descent_steps=0, most_formula_units=1, symmetry=symmetry)
    members, _ = make_pool(SPACE, toy, plan)
    groups = [member.detail["space_group_number"] for member in members]
    kinds = Counter(
        (group, member.detail["wyckoff"])
        for group, member in zip(groups, members, strict=True)
        if group != 1
    )
    assert max(kinds.values(), default=0) == (1 if symmetry == "all" else 0)
    assert symmetry == "all" or len(members) > 50


@pytest.mark.parametrize(
    ("most", "options", "expected"),
    [
        (8, {"max_atoms": 20}, (1, 2, 3, 4)),
        (2, {"max_atoms": 20}, (1, 2)),
        (1, {"formula_units": [2, 4]}, (2,)),
        (8, {"formula_units": [2, 4, 9]}, (2, 4)),
    ],
)
def test_sizes_of_a_pool(most: int, options: dict, expected: tuple[int, ...]) -> None:
    space = SearchSpace.create(SPACE.composition, **options)
    assert Plan(most_formula_units=most).formula_units(space) == expected


def test_accounts_add_up() -> None:
    account, other = Account(), Account(found={2: 7}, proposals=100)
    account.spend("network", 1.5)
    account.spend("network", 0.5)
    other.spend("network", 3.0)
    other.spend("all", 4.0)
    account.add(other)
    assert account.seconds == {"network": 5.0, "all": 4.0}
    assert (account.found, account.proposals, account.elsewhere_s) == ({2: 7}, 100, 4.0)


def test_a_pool_is_made_once_and_read_again(toy, tmp_path: Path, monkeypatch) -> None:
    toy.energies = lambda crystals: np.array([crystal.volume_per_atom for crystal in crystals])
    plan = Plan(number=30, refined=6, descent_steps=0, most_formula_units=1)
    file = tmp_path / "pool.extxyz"
    stages: list[str] = []
    first = GraphSearchGenerator(
        SPACE, toy, plan, leading=2, file=file, report=lambda stage, *_: stages.append(stage)
    )
    assert not file.exists()
    assert first.prepare() == 0.0
    assert first.leads
    assert stages[-1] == "ranking"
    ranks = [member.detail["rank"] for member in first.members]
    assert ranks == list(range(1, len(ranks) + 1))
    volumes = [member.crystal.volume_per_atom for member in first.members]
    assert volumes == sorted(volumes), "ranked by the network's energies of whole crystals"
    monkeypatch.setattr(generator, "make_pool", None)
    again = GraphSearchGenerator(SPACE, toy, plan, leading=2, file=file)
    assert [member.detail for member in again.members] == [m.detail for m in first.members]
    file.write_text(file.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(InputError, match="Remove the file to make it again"):
        GraphSearchGenerator(SPACE, toy, plan, file=file).prepare()
