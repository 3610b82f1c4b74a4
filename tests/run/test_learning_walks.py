"""Walks of basin hopping whose steps a surrogate judges first."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from tests.run.test_learning import an_input

import nucleate as nc
from nucleate.run.learning.tables import Considered, Decision
from nucleate.run.learning.walks import Walks
from nucleate.run.store import Store
from nucleate.search.delayed import Step


def a_record(number: int, enthalpy: float | None):
    from nucleate.relax.outcome import Failed, FailReason, Relaxed

    outcome = Failed(FailReason.CALCULATOR, "") if enthalpy is None else Relaxed.__new__(Relaxed)
    if enthalpy is not None:
        for name, value in (("enthalpy", enthalpy), ("crystal", SimpleNamespace(n_atoms=1))):
            object.__setattr__(outcome, name, value)
    return SimpleNamespace(number=number, outcomes=(SimpleNamespace(outcome=outcome),))


def walks(*, on: bool = True) -> tuple[Walks, SimpleNamespace]:
    search = SimpleNamespace(step_of=lambda number: Step(0, 0.02) if number else None, bias=None)
    screening = SimpleNamespace(review_of=lambda _: SimpleNamespace(on=on))
    found = Walks(search, screening, 0.05)  # type: ignore[arg-type]
    found.told(a_record(0, -1.0))
    return found, search


def test_a_step_that_the_surrogate_likes_pays_for_it_in_the_second_stage() -> None:
    found, search = walks()
    lower, higher = Considered(1, 1, -1.1, None, None), Considered(2, 1, -0.9, None, None)
    assert found.chance(lower) == 1.0
    assert found.chance(higher) == pytest.approx(0.05 + 0.95 * 0.0067, abs=1e-4)
    for item in (lower, higher):
        found.note(item)
    assert search.bias(a_record(1, -1.1), Step(0, 0.02)) < -2.5
    assert search.bias(a_record(2, -0.9), Step(0, 0.02)) > 2.5
    assert search.bias(a_record(3, -0.9), Step(0, 0.02)) == 0.0  # was not considered


def test_unphysical_minima_are_finished_by_chance_alone() -> None:
    found, search = walks()
    item = Considered(1, 1, None, None, None)
    assert found.chance(item) == 0.05
    found.note(item)
    assert search.bias(a_record(1, -1.1), Step(0, 0.02)) > 0.0
    assert search.bias(a_record(1, None), Step(0, 0.02)) == 0.0


def test_what_is_no_step_is_judged_by_rank() -> None:
    found, _ = walks()
    assert found.chance(Considered(0, 1, -1.1, None, None)) is None
    assert walks(on=False)[0].chance(Considered(1, 1, -1.1, None, None)) is None
    other = Walks(SimpleNamespace(), SimpleNamespace(), 0.05)  # type: ignore[arg-type]
    assert other.chance(Considered(1, 1, -1.1, None, None)) is None


@pytest.mark.slow
def test_a_walk_is_refused_by_the_surrogate_and_stays(tmp_path) -> None:
    data = an_input(structures=30)
    data["search"] |= {"kind": "basin-hopping", "population": 12, "walkers": 2}
    nc.predict(data, folder=tmp_path / "run", display=False)
    with Store.read(tmp_path / "run") as store:
        records = list(store.records())
    steps = [(r, u) for r, u in records if "walk" in r.candidate.origin.detail]
    refused = [(r, u) for r, u in steps if r.is_screened]
    assert refused
    assert not any(update.accepted for _, update in refused)
    assert any(update.accepted for record, update in steps if not record.is_screened)
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as db:
        rows = dict(db.execute("SELECT candidate, decision FROM considered").fetchall())
    numbers = {record.number for record, _ in steps}
    assert Decision.REPEAT not in {rows[number] for number in numbers & set(rows)}
