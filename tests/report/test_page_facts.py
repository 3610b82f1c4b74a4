"""What the page says beyond its rows: points, the best so far, sources, failures, ancestors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.runs import (
    EV,
    FCC,
    PROXY,
    SOURCES,
    MadeRun,
    made_runs,
    record,
    relaxed,
    stored,
    write,
)
from tests.report.test_page import data_of
from tests.report.test_rows import Cells

from nucleate.crystal.candidate import Origin
from nucleate.relax.outcome import Failed, FailReason
from nucleate.report.content import read_run
from nucleate.report.history import history_of
from nucleate.report.light import overview
from nucleate.report.page import Facts, facts_of
from nucleate.report.page import facts as facts_module
from nucleate.report.page.write import page_text
from nucleate.report.rows import ranked_rows
from nucleate.run.lock import locked
from nucleate.run.store import Store
from nucleate.search.polished import JUDGED
from nucleate.search.record import SearchUpdate


def page_in(folder: Path, *, best: int = 5) -> tuple[str, Facts]:
    """Return the page of a run folder and its facts."""
    with Store.read(folder) as store:
        history = history_of(store, store.tiers_seen())
        rows = ranked_rows(overview(store, best=best).ranked)
        facts = facts_of(store, history.searched, rows)
        return page_text(store.meta, history, rows, facts), facts


def run_of(energies: list[float | None], *, sources: tuple[str, ...] = SOURCES) -> MadeRun:
    """Return a run of one tier; sources take turns; None stands for a failure."""
    told = []
    for number, energy in enumerate(energies):
        outcome = (
            Failed(FailReason.EXPLODED, "too large") if energy is None else relaxed(FCC, energy)
        )
        origin = Origin(sources[number % len(sources)])
        item = record(number, ("low", outcome), origin=origin, core_s=3.0 * number)
        told.append((item, SearchUpdate()))
    return MadeRun(told, ladder=("low",))


@settings(max_examples=15)
@given(st.lists(st.none() | st.integers(-40, 40).map(lambda k: k / 8), max_size=40))
def test_points_are_the_records_with_an_energy(energies: list[float | None]) -> None:
    with stored(run_of(energies)) as folder:
        _, facts = page_in(folder)
    expected = [
        (k, "moves" if SOURCES[k % 5].startswith("move:") else SOURCES[k % 5], energy, 3.0 * k)
        for k, energy in enumerate(energies)
        if energy is not None
    ]
    assert [point[:4] for point in facts.points] == expected
    assert all(point[4] == pytest.approx(FCC.volume, abs=1e-3) for point in facts.points)
    assert facts.n_points == len(expected)


@settings(max_examples=15)
@given(st.lists(st.none() | st.integers(-40, 40).map(lambda k: k / 8), max_size=40))
def test_the_best_so_far_is_a_falling_stair_that_ends_at_the_lowest(energies) -> None:
    with stored(run_of(energies)) as folder:
        _, facts = page_in(folder)
    stairs, lowest = [], np.inf
    for place, energy in enumerate(energies):
        if energy is not None and energy < lowest:
            stairs.append((place, 3.0 * place, energy))
            lowest = energy
    assert facts.best == stairs


@pytest.mark.parametrize("number", [40, 41, 399, 400])
def test_a_long_run_is_thinned_evenly_and_keeps_every_best(monkeypatch, number: int) -> None:
    monkeypatch.setattr(facts_module, "MOST_POINTS", 40)
    energies = np.random.default_rng(number).normal(size=number).round(3).tolist()
    with stored(run_of(energies)) as folder:
        page, facts = page_in(folder)
    shown = [point[0] for point in facts.points]
    assert shown == sorted(set(shown))
    assert {place for place, *_ in facts.best} <= set(shown)
    assert len(shown) <= 40 + len(facts.best)
    assert facts.n_points == number
    assert np.diff([0, *shown, number]).max() <= number // 40 + 1, "no part is left out"
    assert min(point[2] for point in facts.points) == min(energies)
    assert data_of(page)["n_points"] == number
    assert data_of(page)["points"] == [list(point) for point in facts.points]


@pytest.mark.parametrize("most", [8, 8000])
def test_the_best_of_a_source_is_that_of_all_its_structures(monkeypatch, most: int) -> None:
    monkeypatch.setattr(facts_module, "MOST_POINTS", most)
    energies = np.random.default_rng(5).normal(size=120).round(3)
    with stored(run_of(energies.tolist())) as folder:
        page, _ = page_in(folder)
    lines = {line[0]: line for line in Cells(page[: page.index("<script")]).lines if line}
    for place, source in enumerate(SOURCES):
        gap = 1000 * (energies[place::5].min() - energies.min())
        assert lines[source] == [source, "24", "24", "0", f"{gap:.0f}"]


@settings(max_examples=20)
@given(made_runs())
def test_failures_by_tier_and_reason_are_those_of_the_records(run: MadeRun) -> None:
    with stored(run) as folder:
        content = read_run(folder)
        page, facts = page_in(folder)
    steps = [(item, step) for item, _ in content.told for step in item.outcomes]
    failed = [(i, s) for i, s in steps if isinstance(s.outcome, Failed)]
    counts = Counter((step.tier, str(step.outcome.reason)) for _, step in failed)
    assert {(tier, reason): n for tier, reason, n, *_ in facts.failures} == counts
    assert [n for _, _, n, *_ in facts.failures] == sorted(counts.values(), reverse=True)
    for tier, reason, _, number, message in facts.failures:
        own = [i.number for i, s in failed if (s.tier, str(s.outcome.reason)) == (tier, reason)]
        assert (number, message) == (min(own), "because")
        assert [reason, tier, str(counts[tier, reason])] in [
            line[:3] for line in Cells(page[: page.index("<script")]).lines
        ]


def test_failures_of_a_second_model_are_no_failures_of_the_run(tmp_path: Path) -> None:
    judged = (0, JUDGED[0], Failed(FailReason.TIMEOUT, "late"))
    run = run_of([-1.0])
    write(tmp_path, MadeRun(run.told, run.ladder, added=(JUDGED[0],), retried=[judged]))
    assert page_in(tmp_path)[1].failures == []


def family_of_records(parents: dict[int, tuple[int, ...]]) -> MadeRun:
    """Return a run whose records have these parents; the last is the lowest."""
    told = [
        (
            record(
                number, ("low", relaxed(FCC, -float(number), level=EV)),
                origin=Origin("move:swap" if above else "blocks", above, {"place": number}),
            ),
            SearchUpdate(duplicate_of=None if number == max(parents) else max(parents)),
        )
        for number, above in sorted(parents.items())
    ]  # fmt: skip
    return MadeRun(told, ladder=("low",))


def tree_of(page: str) -> list[dict]:
    (structure,) = data_of(page)["structures"]
    return structure["tree"]


def test_the_family_tree_leads_back_to_the_start_generation_by_generation() -> None:
    parents = {0: (), 1: (), 2: (0, 1), 3: (2,), 4: (3, 2), 5: (), 6: (4,)}
    with stored(family_of_records(parents)) as folder:
        page, facts = page_in(folder)
    tree = tree_of(page)
    assert [item["record"] for item in tree] == [6, 4, 3, 2, 0, 1]
    assert 5 not in facts.ancestors, "no ancestor"
    for item in tree:
        assert tuple(item["parents"]) == parents[item["record"]]
        assert item["source"] == ("move:swap" if item["parents"] else "blocks")
        assert item["detail"] == f"place: {item['record']}"


@settings(max_examples=20)
@given(st.data())
def test_every_ancestor_is_in_the_tree_once(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 12))
    parents = {
        k: tuple(data.draw(st.lists(st.integers(0, k - 1), max_size=2)) if k else ())
        for k in range(number)
    }
    with stored(family_of_records(parents)) as folder:
        page, _ = page_in(folder)
    ancestors, wanted = set(), {number - 1}
    while wanted:
        ancestors |= wanted
        wanted = {above for one in wanted for above in parents[one]} - ancestors
    shown = [item["record"] for item in tree_of(page)]
    assert len(shown) == len(set(shown))
    assert set(shown) == ancestors


def test_a_very_long_line_of_ancestors_ends() -> None:
    length = facts_module.LONGEST_TREE + 10
    parents = {k: (k - 1,) if k else () for k in range(length)}
    with stored(family_of_records(parents)) as folder:
        page, _ = page_in(folder)
    shown = [item["record"] for item in tree_of(page)]
    assert shown == list(range(length - 1, 9, -1))


def test_parents_that_are_not_in_the_store_end_a_tree() -> None:
    with stored(family_of_records({3: (1, 2)})) as folder:
        page, _ = page_in(folder)
    assert [item["record"] for item in tree_of(page)] == [3]


def test_the_page_says_whether_the_search_runs_has_stopped_or_was_killed(tmp_path: Path) -> None:
    write(tmp_path, run_of([-1.0, -2.0]))
    with locked(tmp_path):
        page, facts = page_in(tmp_path)
    assert facts.running
    assert "running for 0:00" in page
    page, facts = page_in(tmp_path)
    assert not facts.running
    assert "interrupted" in page
    with Store.append_to(tmp_path) as store:
        store.add_event(0.0, "start", {})
        store.add_event(83.0, "stop", {"reason": "enough <structures>", "core_s": 200.0})
        store.commit()
    page, facts = page_in(tmp_path)
    assert (facts.stop_reason, facts.elapsed_s, facts.core_s) == ("enough <structures>", 83.0, 200)
    assert "stopped: enough &lt;structures&gt;" in page
    shown = page[: page.index("<script")]
    for name, value in (
        ("structures", "2"), ("best found after", "0:03 of processor time"), ("tiers", "low"),
        ("running time", "1:23"), ("processor time", "3:20"), ("pressure", "0 GPa"),
    ):  # fmt: skip
        assert f"<dt>{name}</dt><dd>{value}</dd>" in shown.replace("\n", "").replace("  ", "")


def test_energies_of_a_proxy_potential_are_nowhere_in_electronvolts() -> None:
    told = [
        (record(k, ("low", relaxed(FCC, -float(k), level=PROXY)), origin=Origin(SOURCES[k])),
         SearchUpdate(duplicate_of=None if k == 2 else 2))
        for k in range(3)
    ]  # fmt: skip
    with stored(MadeRun(told, ladder=("low",))) as folder:
        page, _ = page_in(folder)
    shown = page[: page.index("<script")]
    assert "eV" not in shown
    assert "its best above the best (arb. unit)" in shown
    lines = [line for line in Cells(shown).lines if line[:1] == ["blocks"]]
    assert [line[-1] for line in lines] == ["2.000"]
    assert data_of(page)["unit"] == "arb. unit"
