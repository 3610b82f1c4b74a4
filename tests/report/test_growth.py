"""Status and export of a large run read the geometries of the best only."""

from __future__ import annotations

import csv
import sqlite3
from typing import TYPE_CHECKING

import pytest

from nucleate.report import export
from nucleate.report.history import history_of
from nucleate.report.light import overview
from nucleate.run import reading, schema
from nucleate.run.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lists the records that are read in full."""
    seen: list[int] = []
    original = reading.candidate_of

    def counted(row):
        seen.append(1)
        return original(row)

    monkeypatch.setattr(reading, "candidate_of", counted)
    return seen


def make_old(folder: Path) -> None:
    """Turn a store into one of the version before."""
    with sqlite3.connect(folder / "run.db") as db:
        db.executescript(
            "DROP TABLE memo; DROP INDEX outcome_summary; DROP INDEX candidate_summary;"
        )
        db.execute("UPDATE meta SET value = '3' WHERE key = 'schema_version'")
    db.close()


def test_a_large_export_holds_the_best_and_says_so(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]
) -> None:
    full = export.export_run(run_folder, out=tmp_path / "full")
    monkeypatch.setattr(export, "LARGE", 2)
    monkeypatch.setattr(export, "RANKED", 2)
    decoded.clear()
    best = export.export_run(run_folder, out=tmp_path / "best", best=2)
    assert len(decoded) == 2
    assert best.n_distinct == full.n_distinct > 2
    assert "the best 2 of" in best.text
    assert [item.record.number for item in best.ranked] == [
        item.record.number for item in full.ranked[:2]
    ]
    assert [item.copies for item in best.ranked] == [item.copies for item in full.ranked[:2]]
    assert not (tmp_path / "best" / "results.csv").exists()
    tables = [
        list(csv.DictReader((tmp_path / name / "ranking.csv").open())) for name in ("best", "full")
    ]
    for short, long in zip(tables[0], tables[1], strict=False):
        assert short.items() <= long.items()
    everything = export.export_run(run_folder, out=tmp_path / "best", everything=True)
    assert everything.text == full.text
    assert (tmp_path / "best" / "results.csv").exists()


def test_summaries_read_indices_and_no_tables_with_geometries(run_folder: Path) -> None:
    with sqlite3.connect(run_folder / "run.db") as db:
        for statement in (schema.SELECT_SUMMARY, schema.SELECT_HISTORY):
            plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement)]
            read = [line for line in plan if " c " in line or " o " in line]
            assert len(read) == 2
            assert all("COVERING INDEX" in line for line in read)
    db.close()


def test_a_store_of_the_version_before_is_read_and_brought_up_to_date(run_folder: Path) -> None:
    with Store.read(run_folder) as store:
        before = list(store.records())
        facts = overview(store, best=3), history_of(store, store.tiers_seen())
    make_old(run_folder)
    with Store.read(run_folder) as store:
        assert [record.number for record, _ in store.records()] == [r.number for r, _ in before]
        assert overview(store, best=3).n_distinct == facts[0].n_distinct
        assert history_of(store, store.tiers_seen()).sources == facts[1].sources
        assert store.meta["schema_version"] == schema.WITHOUT_MEMOS
    with Store.append_to(run_folder) as store:
        store.add_memo(before[0][0].number, b"memo")
        store.commit()
    with Store.read(run_folder) as store:
        assert store.meta["schema_version"] == schema.SCHEMA_VERSION
        assert [update.memo for _, update in store.records()][:2] == [b"memo", b""]
