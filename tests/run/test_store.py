"""The store gives back what was written, and nothing that was not committed."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError, NucleateError
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate, TierOutcome

LEVEL = LevelOfTheory("toy", "1", "pair", checkpoint="abc", settings="def")


def crystal(seed=0, n=3):
    rng = np.random.default_rng(seed)
    return Crystal(rng.integers(1, 90, n), rng.normal(size=(3, 3)) * 5, rng.random((n, 3)))


def relaxed(seed=0, energy=-1.0 / 3.0):
    rng = np.random.default_rng(seed + 100)
    return Relaxed(
        crystal=crystal(seed + 1),
        energy=energy,
        enthalpy=energy + 0.1,
        forces=rng.normal(size=(3, 3)),
        stress_gpa=rng.normal(size=(3, 3)),
        max_force=0.02,
        max_stress_gpa=0.3,
        converged=True,
        steps=12,
        evaluations=13,
        wall_s=0.25,
        level=LEVEL,
        note="fine",
    )


def candidate(seed=0):
    return Candidate(crystal(seed), Origin("move:swap", (3, 4), {"axis": "a", "n": 2, "x": 0.1}))


def same_crystal(a, b):
    return all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("numbers", "cell", "scaled")
    )


def write(store, number, *outcomes, verdict=None, **values):
    record = Record(number, candidate(number), tuple(outcomes), **values)
    store.add_candidate(number, record.candidate, asked_s=1.5)
    for position, item in enumerate(outcomes):
        store.add_outcome(number, position, item.tier, item.outcome)
    store.add_record(record, verdict or SearchUpdate())
    return record


def test_everything_comes_back_bit_for_bit(tmp_path):
    verdict = SearchUpdate(
        accepted=True, new_minimum=True, melted=True, temperature=0.03, current=7, best=7
    )
    failed = Failed(FailReason.EXPLODED, "volume × 12", crystal(9), 0.5)
    with Store.create(tmp_path, {"seed": 42, "input": {"a": [1, 2]}}) as store:
        written = write(
            store, 7, TierOutcome("cheap", relaxed(1)), TierOutcome("dear", failed),
            verdict=verdict, finished_s=2.5, core_s=4.5,
        )  # fmt: skip
        write(store, 8, verdict=SearchUpdate(duplicate_of=7), finished_s=3.0)
        store.add_event(3.0, "note", {"text": "é"})
        store.commit()
    with Store.read(tmp_path) as store:
        assert store.meta["seed"] == 42
        assert store.meta["input"] == {"a": [1, 2]}
        (first, first_verdict), (second, second_verdict) = store.records()
        assert list(store.events("note")) == [(3.0, "note", {"text": "é"})]
        assert list(store.events("other")) == []
    assert first_verdict == verdict
    assert second_verdict.duplicate_of == second.duplicate_of == 7
    assert (first.number, first.seed, first.asked_s, first.finished_s) == (7, 42, 1.5, 2.5)
    assert first.core_s == 4.5
    assert first.candidate.origin == written.candidate.origin
    assert same_crystal(first.candidate.crystal, written.candidate.crystal)
    ours, theirs = first.outcomes[0].outcome, written.outcomes[0].outcome
    assert same_crystal(ours.crystal, theirs.crystal)
    assert np.array_equal(ours.forces, theirs.forces)
    assert np.array_equal(ours.stress_gpa, theirs.stress_gpa)
    for name in ("energy", "enthalpy", "max_force", "converged", "steps", "level", "note"):
        assert getattr(ours, name) == getattr(theirs, name)
    ours = first.outcomes[1].outcome
    assert (ours.reason, ours.message, ours.wall_s) == (failed.reason, failed.message, 0.5)
    assert same_crystal(ours.last, failed.last)
    assert first.tier == "cheap"
    assert first.failure.tier == "dear"


def test_what_was_not_committed_is_not_there(tmp_path):
    store = Store.create(tmp_path, {"seed": 1})
    write(store, 0)
    store.commit()
    write(store, 1)
    store.close()
    with Store.read(tmp_path) as reader:
        assert [record.number for record, _ in reader.records()] == [0]


def test_a_reader_works_while_the_driver_writes_and_cannot_write(tmp_path):
    with Store.create(tmp_path, {"seed": 1}) as store:
        write(store, 0)
        store.commit()
        with Store.read(tmp_path) as reader:
            write(store, 1)
            assert reader.n_records() == 1
            store.commit()
            assert [record.number for record, _ in reader.records(after=1)] == [1]
            with pytest.raises(NucleateError):
                reader.add_event(0.0, "no", {})


def test_unfinished_candidates_keep_the_tiers_that_ended(tmp_path):
    with Store.create(tmp_path, {"seed": 1}) as store:
        write(store, 0)
        store.add_candidate(2, candidate(2), asked_s=3.0)
        store.add_candidate(1, candidate(1), duplicate_of=0)
        store.add_outcome(2, 0, "cheap", relaxed())
        store.commit()
        one, two = store.unfinished()
    assert (one.number, one.duplicate_of, one.outcomes) == (1, 0, ())
    assert (two.number, two.asked_s, [item.tier for item in two.outcomes]) == (2, 3.0, ["cheap"])


def test_a_candidate_is_finished_once(tmp_path):
    with Store.create(tmp_path, {}) as store:
        record = write(store, 0)
        with pytest.raises(NucleateError):
            store.add_record(record, SearchUpdate())


def test_create_never_overwrites(tmp_path):
    Store.create(tmp_path, {"seed": 1}).close()
    with pytest.raises(InputError, match="exists already"):
        Store.create(tmp_path, {"seed": 2})
    with Store.read(tmp_path) as store:
        assert store.meta["seed"] == 1


def test_what_is_not_a_store_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        Store.read(tmp_path)
    (tmp_path / "run.db").write_text("not SQLite at all, and long enough to be a header " * 40)
    with pytest.raises(InputError, match="cannot be read"):
        Store.append_to(tmp_path)


def test_another_schema_version_is_refused(tmp_path):
    Store.create(tmp_path, {}).close()
    with sqlite3.connect(tmp_path / "run.db") as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    db.close()
    with pytest.raises(InputError, match="schema version 99"):
        Store.read(tmp_path)
