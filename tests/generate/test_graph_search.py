"""The graph search gives valid crystals with right energies, and learns from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import symmetry_dataset
from nucleate.generate.distinct import distinct
from nucleate.generate.graph_search.descent import descend
from nucleate.generate.graph_search.optimisers import ParticleSwarm, RandomSearch
from nucleate.generate.graph_search.parzen import ParzenSearch
from nucleate.generate.graph_search.parzen_density import FLOOR, log_density
from nucleate.generate.graph_search.points import PointSpace, Proposal
from nucleate.generate.graph_search.pool import Plan
from nucleate.generate.graph_search.search import search_crystals
from nucleate.generate.graph_search.sizes import make_pool
from nucleate.generate.wyckoff import operations
from nucleate.networks.graph_network.network import GraphNetwork

SPACE = SearchSpace.create(Composition.from_formula("CaTiO3"), formula_units=(2,))


@pytest.fixture(scope="module")
def network() -> GraphNetwork:
    return GraphNetwork.load()


@pytest.mark.parametrize("optimiser", ["random", "swarm", "tpe"])
def test_crystals_are_valid_and_their_energies_those_of_the_whole_crystal(
    network: GraphNetwork, optimiser
) -> None:
    harvest = search_crystals(SPACE, network, formula_units=2, number=250, optimiser=optimiser)
    assert len(harvest.samples) == 250
    for sample in harvest.samples:
        assert SPACE.rejection(sample.crystal) is None
        assert sample.crystal.n_atoms == 10
    whole = network.energies([sample.crystal for sample in harvest.samples])
    assert [sample.energy for sample in harvest.samples] == pytest.approx(whole, abs=2e-5)
    groups = {sample.layout.group for sample in harvest.samples}
    assert len(groups) > 5
    for sample in harvest.samples[:40]:
        dataset = symmetry_dataset(sample.crystal, 1e-3)
        assert dataset is not None
        order = len(operations(sample.layout.group)[0])
        assert len(dataset.operations.rotations) % order == 0


def test_triclinic_mode_has_one_orbit_for_each_atom(network: GraphNetwork) -> None:
    harvest = search_crystals(
        SPACE, network, formula_units=2, number=30, symmetry="triclinic", optimiser="random"
    )
    for sample in harvest.samples:
        assert sample.layout.group == 1
        assert len(sample.layout.parts) == 10


@pytest.mark.parametrize("optimiser", ["swarm", "tpe"])
def test_the_seed_decides(network: GraphNetwork, optimiser) -> None:
    def energies(seed: int) -> list[float]:
        harvest = search_crystals(
            SPACE, network, formula_units=2, number=230, optimiser=optimiser, seed=seed
        )
        return [sample.energy for sample in harvest.samples]

    assert energies(1) == energies(1)
    assert energies(1) != energies(2)


@pytest.mark.parametrize(("kind", "least"), [("tpe", 0.5), ("swarm", 0.2)])
def test_optimisers_learn_and_random_search_does_not(kind: str, least: float) -> None:
    """On a made-up energy, the distance from a volume, later batches must be better."""

    def run(name: str) -> list[float]:
        points = PointSpace(SPACE, 2)
        rng = np.random.default_rng(0)
        optimiser = {
            "tpe": lambda: ParzenSearch(points),
            "swarm": lambda: ParticleSwarm(points, rng=rng),
            "random": lambda: RandomSearch(points),
        }[name]()
        means = []
        for _ in range(12):
            built = [points.realise(p, rng=rng) for p in optimiser.propose(100, rng=rng)]
            judged = [
                None if s is None else replace(s, energy=abs(s.log_volume - 0.2)) for s in built
            ]
            optimiser.learn(judged)
            means.append(float(np.mean([s.energy for s in judged if s is not None])))
        return means

    plain, guided = run("random"), run(kind)
    assert np.mean(plain[-3:]) == pytest.approx(np.mean(plain[:3]), rel=0.15)
    assert np.mean(guided[-3:]) < (1.0 - least) * np.mean(guided[:2])


def test_a_proposal_is_taken_as_it_is_where_it_can_be() -> None:
    points = PointSpace(SPACE, 2)
    rng = np.random.default_rng(4)
    found = [s for s in (points.realise(points.draw(rng=rng), rng=rng) for _ in range(30)) if s]
    assert len(found) > 5
    again = 0
    for sample in found:
        proposal = Proposal(sample.layout, sample.shape, sample.log_volume, sample.free)
        second = points.realise(proposal, rng=rng)
        if second is not None and np.allclose(second.free, sample.free):
            again += 1
            assert np.allclose(second.crystal.scaled, sample.crystal.scaled)
    assert again > 0.5 * len(found)


def test_density_of_windows_agrees_with_a_plain_sum() -> None:
    rng = np.random.default_rng(0)
    values, members = rng.random((7, 4)), rng.random((5, 4))
    inverse = np.array([3.0, 0.0, 8.0, 5.0])
    periodic = np.array([False, False, True, True])
    gap = values[:, None] - members
    gap[..., 2:] -= np.rint(gap[..., 2:])
    square = ((gap * inverse) ** 2).sum(-1) / 3
    expected = np.log(np.exp(-0.5 * square).sum(1) + FLOOR)
    assert log_density(values, members, inverse, periodic) == pytest.approx(expected)
    assert not log_density(values, members[:0], inverse, periodic).any()


def test_descent_lowers_the_energy_and_keeps_what_is_allowed(network: GraphNetwork) -> None:
    harvest = search_crystals(SPACE, network, formula_units=2, number=12, optimiser="random")
    start = [sample.crystal for sample in harvest.samples]
    before = network.energies(start)
    crystals, energies = descend(
        network, start, steps=15, allowed=lambda c: SPACE.rejection(c) is None
    )
    assert (energies <= before + 1e-5).all()
    assert np.median(before - energies) > 0.1
    assert network.energies(crystals) == pytest.approx(energies, abs=1e-4)
    for crystal in crystals:
        assert SPACE.rejection(crystal) is None
    moved = [b for a, b in zip(start, crystals, strict=True) if a is not b]
    assert any(symmetry_dataset(crystal, 1e-3).number > 1 for crystal in start)
    assert all(symmetry_dataset(crystal, 1e-3).number == 1 for crystal in moved), "off saddles"
    again, _ = descend(network, start, steps=15, allowed=lambda c: SPACE.rejection(c) is None)
    for a, b in zip(crystals, again, strict=True):
        assert np.array_equal(a.scaled, b.scaled)
    stuck, _ = descend(network, start, steps=3, allowed=lambda _: False)
    assert all(a is b for a, b in zip(stuck, start, strict=True))


def test_pool_is_sorted_distinct_and_knows_its_origin(network: GraphNetwork) -> None:
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
    plan = Plan(number=120, refined=15, descent_steps=4, most_formula_units=2)
    stages = set()
    members, account = make_pool(space, network, plan, report=lambda s, *_: stages.add(s))
    energies = [member.detail["network_energy"] for member in members]
    assert energies == sorted(energies)
    assert set(account.found) == {1, 2}
    assert any("descent" in stage for stage in stages)
    first = members[0].detail
    assert first["optimiser"] == "tpe"
    assert {"formula_units", "space_group", "wyckoff", "network_energy"} <= first.keys()
    assert first["network_energy"] < -1.8, "rock salt, or something like it, is found"


def test_triclinic_pools_are_not_cut_short(network: GraphNetwork) -> None:
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8, formula_units=[4])
    plan = Plan(number=60, refined=20, descent_steps=0, symmetry="triclinic", optimiser="random")
    members, _ = make_pool(space, network, plan)
    assert len(members) == 20


def test_distinct_keeps_one_of_each() -> None:
    salt = Crystal(
        np.array([11, 17]), 2.82 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]),
        np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]),
    )  # fmt: skip
    caesium = Crystal(np.array([11, 17]), 3.45 * np.eye(3), salt.scaled)
    double = Crystal(
        np.tile(salt.numbers, 2), salt.cell * [[2], [1], [1]],
        np.concatenate([salt.scaled, salt.scaled + np.eye(3)[0]]) / [2, 1, 1],
    )  # fmt: skip
    assert distinct([salt, double, caesium, salt]) == [0, 2]
    assert distinct([salt, double, caesium], most=1) == [0]
    assert distinct([]) == []
    assert distinct([salt, caesium], kinds=["a", "a"], most_of_a_kind=1) == [0]
    assert distinct([salt, salt, caesium], kinds=["a", "b", "a"], most_of_a_kind=2) == [0, 2]
