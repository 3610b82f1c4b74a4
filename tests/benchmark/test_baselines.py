"""Baselines propose what they should, learn, and stop at their core time."""

from __future__ import annotations

import numpy as np
import pytest
from tests.run.toys import ToyRelaxer

from nucleate.benchmark.baselines import baseline as baselines
from nucleate.benchmark.baselines.baseline import BASELINES, build_baseline, run_baseline
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.distances import shortest_distance
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.run.store import Store
from nucleate.search.record import Record, TierOutcome
from nucleate.search.stop import CORE_TIME_SPENT

from .stores import relaxed

SPACE = SearchSpace.create(Composition.from_formula("CoAs2"), max_atoms=18)


def proposals(peer, count, start=0):
    found, attempt = [], 0
    while len(found) < count:
        candidate = peer.propose(rng=np.random.default_rng([start, attempt]))
        attempt += 1
        if candidate is not None:
            found.append(candidate)
        assert attempt < 500
    return found


def need(name):
    pytest.importorskip(BASELINES[name])


@pytest.mark.parametrize("name", BASELINES)
def test_proposals_keep_composition_and_size_and_are_seeded(name):
    need(name)
    first, again = (proposals(build_baseline(name, SPACE, units=4), 5) for _ in range(2))
    for candidate, same in zip(first, again, strict=True):
        crystal = candidate.crystal
        assert SPACE.composition.formula_units_of(crystal.numbers) is not None
        assert crystal.n_atoms <= 18
        assert shortest_distance(crystal) > 0.5
        assert np.array_equal(crystal.scaled, same.crystal.scaled)


def test_the_genetic_algorithm_breeds_from_the_best_once_it_has_a_population():
    need("ase-ga")
    peer = build_baseline("ase-ga", SPACE, units=4)
    for number, candidate in enumerate(proposals(peer, 24)):
        outcome = TierOutcome("chgnet", relaxed(candidate.crystal, -float(number)))
        peer.learn(Record(number, candidate, (outcome,)))
    children = proposals(peer, 12, start=1)
    sources = {child.origin.source for child in children}
    assert sources <= {
        "baseline:ase-cut-and-splice",
        "baseline:ase-strain",
        "baseline:ase-permutation",
    }
    assert len(sources) > 1
    assert all(parent >= 4 for child in children for parent in child.origin.parents)


def test_cryspy_breeds_a_generation_from_the_fittest_of_the_last():
    need("cryspy-ea")
    peer = build_baseline("cryspy-ea", SPACE, units=4)
    sources = []
    for number in range(40):
        [candidate] = proposals(peer, 1, start=number)
        outcome = TierOutcome("chgnet", relaxed(candidate.crystal, -float(number)))
        peer.learn(Record(number, candidate, (outcome,)))
        sources.append(candidate.origin.source.removeprefix("baseline:cryspy-"))
        assert all(parent in range(10, 20) for parent in candidate.origin.parents)
    assert sources[:20] == ["random"] * 20
    assert (
        sources[20:] == ["crossover"] * 10 + ["permutation"] * 4 + ["strain"] * 4 + ["random"] * 2
    )


class Counting:
    name = "counting"

    def __init__(self, crystal):
        self._crystal, self.learnt = crystal, []

    def propose(self, *, rng):
        assert rng is not None
        return Candidate(self._crystal, Origin("baseline:counting"))

    def learn(self, record):
        self.learnt.append(record.number)


def test_a_baseline_stops_at_its_core_time_and_continues(tmp_path, monkeypatch):
    pytest.importorskip("ase_ga")
    crystal = proposals(build_baseline("ase-ga", SPACE, units=4), 1)[0].crystal
    made = []

    def build(*_, **__):
        made.append(Counting(crystal))
        return made[-1]

    monkeypatch.setattr(baselines, "build_baseline", build)
    monkeypatch.setattr(baselines, "build_relaxer", lambda _: ToyRelaxer(busy_s=0.01, slots=2))
    options = {"units": 4, "seed": 1}
    assert run_baseline(tmp_path, "counting", SPACE, core_time_s=0.4, **options) == CORE_TIME_SPENT
    with Store.read(tmp_path) as store:
        before = [record for record, _ in store.records()]
    assert 0.1 < max(record.core_s for record in before) < 2.0
    assert run_baseline(tmp_path, "counting", SPACE, core_time_s=1.2, **options) == CORE_TIME_SPENT
    with Store.read(tmp_path) as store:
        after = [record for record, _ in store.records()]
    assert made[1].learnt == [record.number for record in after]
    assert len({record.number for record in after}) == len(after) > len(before)
    numbers = [record.number for record in after]
    assert numbers == sorted(numbers)


def test_an_unknown_baseline_is_refused():
    with pytest.raises(InputError, match="airss"):
        build_baseline("airss", SPACE, units=1)
