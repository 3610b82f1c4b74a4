"""Particle swarm: alignment, the rule of motion, who belongs to the swarm, the contract."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.moves.parents import closest_over_limit, context_of, parents

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.errors import InputError
from nucleate.run.settings import RunSettings
from nucleate.search.context import SearchContext
from nucleate.search.kinds.swarm import PARTICLE, STEP, Swarm
from nucleate.search.swarming.alignment import aligned, upright
from nucleate.search.swarming.attractors import Attractors
from nucleate.search.swarming.particle import MOST_STEP, Particle, stepped
from nucleate.search.swarming.swarm import Particles
from nucleate.testing import check_search

from .scripted import SPACE, RandomPairs, play

RNG = np.random.default_rng(0)
quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def pairs(count, seed=5):
    source, rng = RandomPairs(), np.random.default_rng(seed)
    return [source.generate(rng=rng).crystal for _ in range(count)]


def particle_of(start, relaxed, energy=-1.0, number=0):
    rng = np.random.default_rng(0)
    particle = Particle.founded(start, relaxed, (0, energy, number), rng=rng)
    particle.scaled_velocity[:] = 0.0
    particle.cell_velocity[:] = 0.0
    return particle


@quick
@given(parents())
def test_an_upright_crystal_is_the_same_crystal(given_parent):
    crystal, _ = given_parent
    turned = upright(crystal)
    assert np.allclose(turned.cell, np.tril(turned.cell))
    assert np.allclose(turned.lengths, crystal.lengths)
    assert np.allclose(turned.angles, crystal.angles)
    assert fingerprint_distance(fingerprint(turned), fingerprint(crystal)) < 1e-3


@quick
@given(parents(), seeds)
def test_alignment_undoes_a_shift_and_another_order(given_parent, seed):
    crystal, _ = given_parent
    rng = np.random.default_rng(seed)
    here = upright(crystal)
    order = rng.permutation(here.n_atoms)
    moved = Crystal(here.numbers[order], here.cell, (here.scaled + rng.random(3))[order])
    found = aligned(moved, here)
    assert np.array_equal(found.numbers, here.numbers)
    rare = min(np.unique(here.numbers), key=lambda z: (here.numbers == z).sum())
    if (here.numbers == rare).sum() <= 12:
        assert np.abs(found.scaled - here.scaled).max() < 1e-6
    distance = fingerprint_distance(fingerprint(found), fingerprint(moved))
    assert distance < 1e-3


@quick
@given(parents(), seeds)
def test_a_step_keeps_the_composition_and_is_bounded(given_parent, seed):
    crystal, context = given_parent
    rng = np.random.default_rng(seed)
    other = context.fresh(None, rng).crystal
    if other.n_atoms != crystal.n_atoms:
        return
    particle = particle_of(crystal, crystal)
    child = stepped(particle, other, inertia=0.9, own=2.0, shared=2.0, rng=rng)
    if child is None:
        return
    assert np.array_equal(child.numbers, crystal.numbers)
    assert np.abs(child.scaled - particle.position.scaled).max() <= MOST_STEP + 1e-9
    assert 0.69 <= child.volume / crystal.volume <= 1.41


def test_a_particle_at_its_best_and_at_the_attractor_stays_but_for_its_inertia() -> None:
    (crystal,) = pairs(1)
    particle = particle_of(crystal, crystal)
    rng = np.random.default_rng(0)
    still = stepped(particle, crystal, inertia=0.9, own=2.0, shared=2.0, rng=rng)
    assert np.allclose(still.scaled, particle.position.scaled)
    start = particle.position.scaled
    particle.move(particle.position.replace(scaled=np.add(start, [[0.0] * 3, [0.05, 0.0, 0.0]])))
    moved = stepped(particle, crystal, inertia=0.5, own=0.0, shared=0.0, rng=rng)
    assert np.allclose(moved.scaled - start, [[0.0] * 3, [0.075, 0.0, 0.0]])
    assert (particle.generation, particle.fruitless) == (1, 0)


def test_the_pull_goes_from_the_start_to_the_best_by_the_shortest_way() -> None:
    cell = np.eye(3) * 5.0
    start = Crystal([11, 17], cell, [[0, 0, 0], [0.95, 0.5, 0.5]])
    best = Crystal([11, 17], cell, [[0, 0, 0], [0.05, 0.5, 0.5]])
    particle = particle_of(start, best)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        child = stepped(particle, best, inertia=0.0, own=1.0, shared=0.0, rng=rng)
        assert 0.95 <= child.scaled[1, 0] <= 1.05


def test_the_swarm_takes_the_lowest_and_lets_the_fruitless_go() -> None:
    one, two, three, four = pairs(4)
    swarm = Particles(2, 2, 0.01)
    assert swarm.join(0, one, one, (0, -1.0, 0), rng=RNG)
    assert not swarm.join(1, one, one, (0, -9.0, 1), rng=RNG)  # like another
    assert swarm.join(2, two, two, (0, -2.0, 2), rng=RNG)
    assert not swarm.join(3, three, three, (0, -0.5, 3), rng=RNG)
    assert swarm.join(4, three, three, (0, -3.0, 4), rng=RNG)  # in the place of 0
    assert len(swarm) == 2
    assert swarm.waiting()[0][0] == 2
    swarm.begin(2, two)
    assert swarm.waiting()[0][0] == 4
    assert not swarm.end(0, one, (0, -5.0, 5))  # gone
    assert not swarm.end(2, None, None)
    assert swarm.waiting()[0][0] == 4
    swarm.begin(2, two)
    assert not swarm.end(2, two, (0, -1.0, 7))
    assert len(swarm) == 1
    swarm.begin(4, four)
    assert swarm.waiting() == []
    assert swarm.end(4, four, (0, -4.0, 8))
    assert swarm.waiting()[0][1].place == (0, -4.0, 8)


def test_particles_that_become_alike_are_one() -> None:
    one, two = pairs(2)
    swarm = Particles(4, 5, 0.05)
    swarm.join(0, one, one, (0, -1.0, 0), rng=RNG)
    swarm.join(1, two, two, (0, -2.0, 1), rng=RNG)
    swarm.begin(0, one)
    swarm.end(0, two, (0, -1.5, 2))
    assert len(swarm) == 1
    assert swarm.waiting()[0][0] == 1


def test_a_local_swarm_has_several_attractors_and_a_global_one_the_lowest() -> None:
    one, two = pairs(2)
    known = Attractors(2, 0.01)
    assert known.lowest(2) is None
    assert known.nearest(one) is None
    known.add(one, (0, -1.0, 0))
    known.add(two, (0, -2.0, 1))
    assert known.lowest(2) == (1, two)
    assert known.nearest(one.replace(cell=one.cell * 1.02)) == (0, one)
    assert known.nearest(one) == (1, two)  # another one than itself
    narrow = Attractors(2, 10.0)
    narrow.add(one, (0, -1.0, 0))
    narrow.add(two, (0, -2.0, 1))
    assert narrow.nearest(one) == (1, two)


@pytest.mark.parametrize("topology", ["local", "global"])
def test_the_search_keeps_its_contract(topology) -> None:
    check_search(Swarm(population=4, topology=topology, known="off"), "CaTiO3", trials=30)
    check_search(
        Swarm(population=3, swarm_fraction=1.0), "NaCl", max_atoms=4, in_flight=1, trials=16
    )


def test_the_share_of_the_swarm_is_settable() -> None:
    for fraction in (0.0, 1.0):
        walk = search_of(fraction)
        play(walk, *np.linspace(-1.0, -1.2, 5))
        sources = set()
        for _ in range(6):
            trial = walk.ask()
            sources.add(trial.candidate.origin.source)
        assert sources == ({STEP, "pairs"} if fraction else {"pairs"})


def test_starts_keep_the_distances_and_name_their_particle() -> None:
    context = context_of("NaCl")
    walk = search_of(1.0)
    play(walk, *np.linspace(-1.0, -1.2, 5))
    steps = [walk.ask() for _ in range(4)]
    names = [trial.candidate.origin.detail[PARTICLE] for trial in steps]
    assert len(set(names)) == 4
    for trial in steps:
        limits = 0.3 * context.space.min_distances
        assert closest_over_limit(trial.candidate.crystal, limits) >= 0.85 - 1e-9


def test_a_step_descends_from_what_attracts_it_as_well_so_that_it_is_no_find_of_that() -> None:
    walk = search_of(1.0)
    play(walk, *np.linspace(-1.0, -1.2, 5))
    families = {trial.candidate.origin.parents for trial in (walk.ask() for _ in range(4))}
    assert {len(family) for family in families} == {2}


def test_a_particle_without_an_allowed_step_does_not_hold_up_the_others(monkeypatch) -> None:
    walk = search_of(1.0)
    play(walk, *np.linspace(-1.0, -1.2, 5))
    stuck = walk._particles.waiting()[0][0]
    whole = type(walk)._step
    monkeypatch.setattr(
        walk,
        "_step",
        lambda name, particle, rng: None if name == stuck else whole(walk, name, particle, rng),
    )
    names = [walk.ask().candidate.origin.detail[PARTICLE] for _ in range(3)]
    assert len(set(names)) == 3
    assert stuck not in names


def search_of(fraction):
    settings_ = Swarm(population=5, swarm_fraction=fraction, diversity=0.01)
    return settings_.build(SearchContext(SPACE, RandomPairs(), tiers=("toy",)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inertia": [0.4, 0.9]}, "does not decline"),
        ({"inertia": [3.0, 0.9]}, "does not decline"),
        ({"swarm_fraction": 1.5}, "swarm_fraction"),
        ({"topology": "ring"}, "topology"),
        ({"moves": "fuse2"}, "moves"),
        ({"walkers": 2}, "walkers"),
        ({"topology": "global", "attractors": 7}, "attractors has no effect"),
    ],
)
def test_settings_without_sense_are_refused(values, message) -> None:
    with pytest.raises(InputError, match=message):
        RunSettings.from_dict(
            {"problem": {"formula": "MgO"}, "search": {"kind": "swarm", **values}}
        )
