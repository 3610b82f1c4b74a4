"""The overview from numbers alone agrees with the ranking of all records."""

from __future__ import annotations

import numpy as np
import pytest
from tests.report.conftest import LEVEL

import nucleate as nc
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.report.content import read_run
from nucleate.report.light import overview
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate, TierOutcome

TIERS = ("low", "high")


def relaxed(crystal, energy):
    zeros = np.zeros((crystal.n_atoms, 3))
    return Relaxed(
        crystal=crystal, energy=energy, enthalpy=energy, forces=zeros, stress_gpa=np.zeros((3, 3)),
        max_force=0.0, max_stress_gpa=0.0, converged=True, steps=1, evaluations=1, wall_s=0.0,
        level=LEVEL,
    )  # fmt: skip


def fill(store, rng, n):
    originals = []
    for number in range(n):
        atoms = int(rng.integers(1, 4))
        crystal = Crystal([29] * atoms, np.eye(3) * rng.uniform(3, 6), rng.random((atoms, 3)))
        candidate = Candidate(crystal, Origin("symmetric"))
        store.add_candidate(number, candidate)
        outcomes = []
        kind = rng.random()
        if kind < 0.7:
            outcomes.append(TierOutcome("low", relaxed(crystal, float(rng.normal()))))
            if kind < 0.3:
                outcomes.append(TierOutcome("high", relaxed(crystal, float(rng.normal()))))
            elif kind < 0.4:
                outcomes.append(TierOutcome("high", Failed(FailReason.TIMEOUT, "late")))
        elif kind < 0.9:
            outcomes.append(TierOutcome("low", Failed(FailReason.EXPLODED, "gone")))
        for position, item in enumerate(outcomes):
            store.add_outcome(number, position, item.tier, item.outcome)
        copy_of = None
        if originals and rng.random() < 0.3:
            copy_of = int(rng.choice(originals))
        if copy_of is None or rng.random() < 0.3:
            originals.append(number)
        record = Record(number, candidate, tuple(outcomes), finished_s=number, core_s=2.0 * number)
        store.add_record(record, SearchUpdate(duplicate_of=copy_of))
    store.commit()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("added", [False, True])
def test_it_is_the_ranking_of_all(tmp_path, seed, added):
    rng = np.random.default_rng(seed)
    ladder = TIERS[:1] if added else TIERS
    meta = {"input": {"tier": [{"name": name} for name in ladder]}, "formula": "Cu", "seed": 0}
    with Store.create(tmp_path, meta) as store:
        if added:
            store.add_tier(0.0, "high", {"source": "refine", "settings": {}})
        fill(store, rng, 700 if seed == 0 else 60)
    content = read_run(tmp_path)
    ranked = content.ranked()
    with Store.read(tmp_path) as store:
        found = overview(store, best=6)
        times = store.times()
    assert found.n_distinct == len(ranked)
    key = [(item.record.number, item.tier, item.copies, item.above_best) for item in ranked[:6]]
    assert [(i.record.number, i.tier, i.copies, i.above_best) for i in found.ranked] == key
    paid = [record for record, _ in content.told if record.outcomes]
    assert (found.n_structures, found.n_repeats) == (len(paid), len(content.told) - len(paid))
    assert sum(found.failures.values()) == sum(record.failure is not None for record in paid)
    assert times == (content.told[-1][0].finished_s, content.told[-1][0].core_s)


@pytest.mark.parametrize("seed", range(3))
def test_a_run_reads_the_rest_of_its_list_when_it_is_needed(tmp_path, seed, monkeypatch):
    meta = {"input": {"tier": [{"name": name} for name in TIERS]}, "formula": "Cu", "seed": 0}
    with Store.create(tmp_path, meta) as store:
        fill(store, np.random.default_rng(seed), 60)
    whole = [(item.rank, item.record.number) for item in read_run(tmp_path).ranked()]
    monkeypatch.setattr("nucleate.api.run.SHOWN", 3)
    run = nc.open(tmp_path)
    monkeypatch.setattr("nucleate.api.run.Run._content", lambda _: pytest.fail("read everything"))
    first = run.best
    assert len(run.structures) == len(whole)
    assert [item.rank for item in run.structures[:3]] == [1, 2, 3]
    assert f"{len(run)} records, {len(whole)} distinct" in repr(run)
    monkeypatch.undo()
    assert [(item.rank, item.record.number) for item in run.structures] == whole
    assert run.structures[0] is first
    assert run.structures[-1].rank == whole[-1][0]
    assert [item.rank for item in run.structures[::-1]] == [rank for rank, _ in whole[::-1]]
    assert len(run.structures[2:2]) == 0
    with pytest.raises(IndexError):
        run.structures[len(whole)]


def test_records_come_in_order_and_can_be_continued(tmp_path):
    meta = {"input": {}, "formula": "Cu", "seed": 0}
    with Store.create(tmp_path, meta) as store:
        fill(store, np.random.default_rng(1), 1203)
        whole = [record.number for record, _ in store.records()]
        rest = [record.number for record, _ in store.records(after=700)]
        chosen = [record.number for record in store.records_of([900, 3])]
    assert whole == list(range(1203))
    assert rest == whole[700:]
    assert chosen == [900, 3]
