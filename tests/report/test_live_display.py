"""The live picture of a run: every phase in one place, in terminals of two sizes."""

import io
import logging
import sys
import time
import warnings
from dataclasses import replace

import pyte
import pytest
from rich.console import Console
from tests.report.conftest import emt_outcome
from tests.report.test_displays import COPPER, progress

from nucleate import compiling
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.report import live_display
from nucleate.report.columns import columns
from nucleate.report.counts import search_share
from nucleate.report.findings import Finding
from nucleate.report.live_display import LiveDisplay
from nucleate.report.phases import EXPORT, Phases
from nucleate.report.rows import Row
from nucleate.report.terminal import plain_fitted, terminal_table
from nucleate.report.views import BOARD, SHORT_STATUS, TERMINAL_RANKING
from nucleate.run.events import COMPILING, LOADING, Progress
from nucleate.search.record import Record, SearchUpdate, TierOutcome
from nucleate.search.search import SearchProgress
from nucleate.search.stop import Stop

SIZES = [(80, 24), (200, 50)]
STAGES = [
    ("reading known structures and networks", 0, 0),
    ("known structures", 0, 0),
    ("pool of 3 sizes, percent", 40, 100),
    (LOADING, 0, 0),
    (COMPILING, 0, 0),
]
LAST = [("polishing", 3, 40), ("comparing", 0, 0), ("judging by 7net-0", 1, 20), (EXPORT, 0, 0)]


class Terminal(io.StringIO):
    """A stream that a terminal emulator reads."""

    def __init__(self, width, height):
        super().__init__()
        self.screen = pyte.HistoryScreen(width, height, history=1000)
        self._stream = pyte.Stream(self.screen)

    def write(self, text):
        self._stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    def isatty(self):
        return True

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display if line.strip()]


def shown(display, terminal):
    with display._live._lock:  # else the thread that draws may be in the middle of a picture
        display._live.refresh()
        return "\n".join(terminal.lines)


def told(display, number, origin="prototypes"):
    outcome = emt_outcome(COPPER)
    record = Record(number, Candidate(COPPER, Origin(origin)), (TierOutcome("emt", outcome),))
    display.on_record(record, SearchUpdate(new_minimum=True), replayed=False)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_phase_is_in_one_place(width, height, monkeypatch, capsys):
    monkeypatch.setattr(live_display, "TABLE_EVERY_S", 0.0)
    terminal = Terminal(width, height)
    console = Console(file=terminal, force_terminal=True, width=width, height=height)
    with LiveDisplay(console) as display:
        display.start("SrTiO3 in a folder with a name that is rather long" * 3, ["emt"])
        display.on_note("known: Pm-3m, SrTiO3; " + "and more " * 30)
        for text, done, total in STAGES:
            display.on_stage(text, done, total)
            picture = shown(display, terminal)
            assert text.partition(" (")[0] in picture
            assert "left" in picture or "estimating" in picture
        for number in range(12):
            told(display, number, "origin" * 10)
        display.on_progress(progress())
        picture = shown(display, terminal)
        assert "search" in picture
        assert "1:00 left" in picture
        assert "Fm-3m" in picture
        assert "7 structures, 5 per minute" in picture
        for text, done, total in LAST:
            display.on_stage(text, done, total)
            assert text in shown(display, terminal)
        with display:  # once more from inside leaves it open
            pass
        warnings.warn("a warning of somebody", stacklevel=1)
        print("a word to stderr", file=sys.stderr)
        logging.getLogger("somebody").warning("logged")
        picture = shown(display, terminal)
        assert "a word to stderr" in picture
        assert len(terminal.lines) <= height - 1
        assert max(map(len, terminal.lines)) <= width
        assert not terminal.screen.history.top, "nothing has scrolled past"
        assert not terminal.screen.cursor.hidden
    left = "\n".join(terminal.lines)
    assert "polishing" not in left, "the picture is gone at the end"
    assert "known: Pm-3m" in left
    assert "a word to stderr" in left


def test_the_picture_moves_while_the_main_thread_works():
    terminal = Terminal(80, 24)
    with LiveDisplay(Console(file=terminal, force_terminal=True, width=80, height=24)) as display:
        display.start("Cu", ["emt"])
        display.on_stage(LOADING, 0, 0)
        before = "\n".join(terminal.lines)
        end = time.monotonic() + 2.0
        while time.monotonic() < end and "0:01" not in "\n".join(terminal.lines):
            sum(range(10000))
        assert "\n".join(terminal.lines) != before


def test_an_error_is_said_below_the_picture():
    terminal = Terminal(80, 24)
    stderr = sys.stderr
    display = LiveDisplay(Console(file=terminal, force_terminal=True, width=80, height=24))
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert sys.stderr is stderr
    assert not terminal.lines


def test_estimates(monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr("nucleate.report.phases.time.monotonic", lambda: clock["now"])
    phases = Phases()
    phases.note("polishing", 4, 40)
    assert phases.now.words() == "4 of 40, 0:00, estimating"
    clock["now"] = 10.0
    phases.note("polishing", 14, 40)
    assert phases.now.words() == "14 of 40, 0:10, about 0:26 left"
    phases.note(LOADING, 0, 0)
    clock["now"] = 14.0
    assert phases.now.words() == "0:04, about 0:04 left"
    assert phases.now.share() == 0.5
    clock["now"] = 60.0
    assert phases.now.words() == "0:50, longer than usual"
    assert phases.now.share() == 0.95
    phases.note("search", 5, 10, left_s=7.0, spent_s=3.0)
    assert phases.now.words() == "0:03, 0:07 left"
    assert phases.past_words() == "polishing 0:10, loading the energy models 0:50"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"time_s": 120.0}, (0.5, 60.0)),
        ({"structures": 20}, (0.5, 60.0)),
        ({"without_improvement": 10}, (0.4, 36.0)),
        ({"core_s": 40.0}, (0.25, 180.0)),
        ({"core_s": 40.0, "structures": 20}, (0.5, 60.0)),
        ({}, (0.0, None)),
    ],
)
def test_the_rule_that_ends_first_counts(rules, expected):
    search = SearchProgress(n_structures=10, since_best=4)
    state = Progress(
        session_s=60.0, core_s=10.0, session_structures=10, search=search, stop=Stop(**rules)
    )
    share, left = search_share(state)
    assert (share, left) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


def test_compilation_is_counted(monkeypatch):
    numba = pytest.importorskip("numba")
    names = []
    compiling.watch_compilation(lambda name, _: names.append(name))
    before = compiling.compiled()

    @numba.njit
    def doubled(value):
        return 2 * value

    assert doubled(2) == 4
    after = compiling.compiled()
    compiling.watch_compilation()
    assert after.functions == before.functions + 1
    assert after.wall_s > before.wall_s
    assert after.core_s > before.core_s
    assert not after.is_open
    assert names[-1] == "doubled"
    doubled(3)
    assert compiling.compiled() == after


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_tables_are_never_wider_than_the_terminal(width):
    long = "a note on the structure that is longer than any column " * 3
    finding = Finding(0, "emt", 1, probability=0.5, weight=0.1, note=long)
    outcome = emt_outcome(COPPER)
    record = Record(0, Candidate(COPPER, Origin("x" * 80)), (TierOutcome("emt", outcome),))
    row = replace(Row.of_record(record), rank=1, above_best=0.0, copies=3, finding=finding)
    for view in (TERMINAL_RANKING, BOARD, SHORT_STATUS):
        terminal = Terminal(width, 40)
        console = Console(file=terminal, force_terminal=True, width=width, height=40)
        console.print(terminal_table([row, row], columns(*view), width))
        lines = terminal.lines
        rows = [line for line in lines if "Fm-3m" in line]
        assert len(rows) == 2, "each row is one line"
        assert "space group" in lines[0]
        assert max(map(len, plain_fitted([row], columns(*view), width).splitlines())) <= width
        assert (long[:20] in "\n".join(lines)) == ("note" in view)
