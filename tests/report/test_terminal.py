"""What is drawn on a terminal fits it: the view of a running search, tables, lines of state."""

from __future__ import annotations

import io
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.report.runs import EV, FCC, KINDS, PROXY, MadeRun, made_runs, record, relaxed, stored
from tests.report.runs import write as write_run
from tests.report.test_page_facts import run_of

from nucleate.crystal.candidate import Origin
from nucleate.relax.outcome import Failed, FailReason
from nucleate.report.board import SHOWN, Board
from nucleate.report.columns import columns
from nucleate.report.content import read_run
from nucleate.report.curve import curve
from nucleate.report.displays import duration
from nucleate.report.ranking import rank_structures
from nucleate.report.render import plain_table, texts
from nucleate.report.rows import ranked_rows
from nucleate.report.status import UNPOLISHED, read_status, state_of
from nucleate.report.terminal import terminal_table
from nucleate.report.views import BOARD, SHORT_STATUS, TERMINAL_RANKING
from nucleate.report.watch import watched
from nucleate.run.lock import locked
from nucleate.run.store import Store
from nucleate.search.record import SearchUpdate
from nucleate.signals import words_of

SIZES = [(80, 24), (200, 50), (40, 12)]


@settings(max_examples=25)
@given(made_runs(), st.sampled_from(SIZES), st.booleans())
def test_the_view_of_any_run_fits_its_terminal(run: MadeRun, size, plain: bool) -> None:
    width, height = size
    with stored(run) as folder:
        text, running = watched(folder, width=width, height=height, plain=plain)
        content = read_run(folder)
    lines = text.splitlines()
    assert not running
    assert max(map(len, lines)) <= width
    assert len(lines) <= max(height, 16)
    assert lines[0].startswith("Cu: stopped: killed, 0:")
    if width == 200:
        best = content.ranked()[:1]
        assert all(f"{item.relaxed.enthalpy_per_atom:.4f}" in text for item in best)
        n_structures = sum(bool(record.outcomes) for record, _ in run.told)
        assert f", {n_structures} structures" in lines[0]


def test_many_structures_and_long_names_fit_too(tmp_path: Path) -> None:
    name = "x" * 60
    told = [
        (record(k, (name, relaxed(KINDS[1][k % 2], -0.1 * k)), origin=Origin("y" * 90 + str(k))),
         SearchUpdate(new_minimum=True))
        for k in range(30)
    ]  # fmt: skip
    write_run(tmp_path, MadeRun(told, ladder=(name,)))
    for width, height in SIZES[:2]:
        lines = watched(tmp_path, width=width, height=height)[0].splitlines()
        assert max(map(len, lines)) == width, "cut, not folded"
        assert len(lines) <= height


def test_the_view_says_what_is_left_what_worked_and_what_failed(tmp_path: Path) -> None:
    energies = [-1.0, None, -1.5, -1.25, None, -2.0]
    run = run_of(energies, sources=("blocks", "move:reshape"))
    told = [(item, replace(u, new_minimum=k in (0, 2, 5))) for k, (item, u) in enumerate(run.told)]
    write_run(tmp_path, MadeRun(told, ladder=("low",)))
    with locked(tmp_path):
        text, running = watched(tmp_path, width=200, height=50)
    assert running
    assert text.startswith("Cu: running")
    assert "new best structures by source: blocks 2 of 3, move:reshape 1 of 3" in text
    assert "failed: 2 exploded" in text
    assert "lowest -2.0000 eV/atom by low; the bars reach up to 600 meV/atom above it" in text


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        ({"time": 100}, ", 0:57 left, "),
        ({"core_time": 60}, ", 0:00 of processor time left, "),
        ({"time": 100, "core_time": 3600}, ", 0:57 left, 58:21 of processor time left, "),
        ({"time": None, "structures": 5}, "Cu: running, 0:43, 1 structures"),
    ],
)
def test_the_time_that_is_left(tmp_path: Path, stop: dict, told: str) -> None:
    meta = {"formula": "Cu", "seed": 0, "input": {"tier": [{"name": "low"}], "stop": stop}}
    item = record(0, ("low", relaxed(FCC, -1.0)))
    with Store.create(tmp_path, meta) as store:
        store.add_candidate(0, item.candidate)
        store.add_outcome(0, 0, "low", item.outcomes[0].outcome)
        store.add_record(item, SearchUpdate())
        store.add_event(43.0, "stop", {"reason": "enough", "core_s": 99.0})
        store.commit()
    with locked(tmp_path):
        assert told in watched(tmp_path, width=200, height=50)[0].splitlines()[0]
    stopped = watched(tmp_path, width=200, height=50)[0].splitlines()[0]
    assert stopped == "Cu: stopped: enough, 0:43, 1 structures"


def test_a_run_without_energies_has_a_view(tmp_path: Path) -> None:
    write_run(tmp_path, run_of([None, None]))
    lines = watched(tmp_path, width=80, height=24)[0].splitlines()
    assert "no energies yet" in lines
    assert lines[-1] == "failed: 2 exploded"


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.integers(1, 30), st.integers(1, 5))
def test_bars_are_as_high_as_the_best_so_far_is_above_the_lowest(energies, width, height) -> None:
    lines = curve(energies, width=width, height=height, window=1.0)
    best = np.minimum.accumulate(energies)
    places = np.linspace(0, len(energies) - 1, width).round().astype(int)
    for column, place in enumerate(places):
        above = min(best[place] - best[-1], 1.0)
        marks = " ▁▂▃▄▅▆▇█"
        filled = sum(marks.index(line[column]) for line in lines)
        assert -1e-9 <= filled - 8 * height * above <= 1.0
    assert all(len(line) == width for line in lines)


def test_no_energies_are_no_bars() -> None:
    assert curve([], width=5, height=2, window=1.0) == ["     ", "     "]
    assert curve([float("nan")], width=5, height=2, window=1.0) == ["     ", "     "]


@settings(max_examples=15)
@given(made_runs(), st.sampled_from([80, 140]))
def test_tables_of_rich_fold_into_the_terminal(run: MadeRun, width: int) -> None:
    with stored(run) as folder:
        rows = ranked_rows(read_run(folder).ranked())
    stream = io.StringIO()
    Console(file=stream, width=width).print(terminal_table(rows, columns(*TERMINAL_RANKING), width))
    assert max(map(len, stream.getvalue().splitlines()), default=0) <= width


@settings(max_examples=15)
@given(made_runs())
def test_lines_of_text_keep_their_columns(run: MadeRun) -> None:
    with stored(run) as folder:
        rows = ranked_rows(read_run(folder).ranked())
    expected = texts(rows, columns(*SHORT_STATUS))
    lines = plain_table(rows, columns(*SHORT_STATUS)).splitlines()
    start = 0
    for place, head in enumerate(expected.heads):
        cells = [line[place] for line in [expected.heads, *expected.cells]]
        width = max(map(len, cells))
        for line, cell in zip(lines, cells, strict=True):
            assert line[start : start + width].strip() == cell, head
        start += width + 2


@settings(max_examples=20)
@given(made_runs(with_added=False))
def test_the_board_is_the_ranking_of_what_it_was_told(run: MadeRun) -> None:
    told = [
        (replace(item, duplicate_of=None), replace(update, duplicate_of=None))
        for item, update in run.told
    ]
    board = Board(run.ladder)
    for item, update in told:
        known = {row.record.number for row in board.rows}
        added = board.add(item, update)
        assert added == (item.number in {row.record.number for row in board.rows} - known)
    ranked = rank_structures([item for item, _ in told], run.ladder)[:SHOWN]
    found = [(row.tier, row.relaxed.enthalpy_per_atom) for row in board.rows]
    assert found == [(item.tier, item.relaxed.enthalpy_per_atom) for item in ranked]
    for row, item in zip(board.rows, ranked, strict=True):
        assert (row.rank, row.above_best) == (item.rank, pytest.approx(item.above_best))
    assert len(plain_table(board.rows, columns(*BOARD)).splitlines()) == len(found) + bool(found)


def test_status_says_how_a_run_ended(tmp_path: Path) -> None:
    write_run(tmp_path, run_of([-1.0, None, -2.0]))
    with Store.append_to(tmp_path) as store:
        assert state_of(store) == "killed"
        assert read_status(store, best=3)["final"] == []
        store.add_event(5.0, "start", {})
        store.add_event(9.0, "stop", {"reason": "3 structures", "target": "at 0.1", "core_s": 7.0})
        facts = read_status(store, best=1)
        assert state_of(store) == facts["stop_reason"] == "3 structures"
        assert (facts["elapsed_s"], facts["core_s"], facts["target"]) == (9.0, 7.0, "at 0.1")
        assert (facts["structures"], facts["distinct"]) == (3, 2)
        assert facts["failures"] == {"exploded": 1}
        assert len(facts["best"]) == 1
        store.add_event(9.5, "start", {})
        assert state_of(store) == "killed"
        store.add_event(9.9, "stop", {"reason": words_of(signal.SIGTERM)})
        assert read_status(store, best=1)["final"] == [UNPOLISHED]
        store.commit()
    with locked(tmp_path), Store.read(tmp_path) as store:
        assert state_of(store) == "running"


@given(st.integers(0, 10**6), st.floats(0, 0.99))
def test_durations_are_read_back(seconds: int, part: float) -> None:
    parts = [int(word) for word in duration(seconds + part).split(":")]
    assert sum(value * 60**k for k, value in enumerate(reversed(parts))) == seconds
    assert all(value < 60 for value in parts[1:])


def test_energies_of_two_kinds_have_columns_of_their_own() -> None:
    both = [
        record(0, ("spp", relaxed(FCC, 5.0, level=PROXY))),
        record(1, ("spp", relaxed(FCC, 4.0, level=PROXY)), ("emt", relaxed(FCC, -1.0, level=EV))),
        record(2, ("spp", Failed(FailReason.TIMEOUT, "late"))),
    ]
    rows = ranked_rows(rank_structures(both, ("spp", "emt")))
    head, first, second = plain_table(rows, columns("rank", "enthalpy", "tier")).splitlines()
    assert head.split() == ["rank", "eV/atom", "arb.", "unit/atom", "tier"]
    assert first.split() == ["1", "-1.0000", "emt"]
    assert second.split() == ["2", "5.0000", "spp"]
