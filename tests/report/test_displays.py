"""What is shown of a run while it is in progress."""

from __future__ import annotations

import io
import sys
from collections import Counter
from types import SimpleNamespace

import pytest
from ase.build import bulk
from tests.report.conftest import emt_outcome

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.report import displays
from nucleate.report.counts import counts, heading
from nucleate.report.displays import (
    NoDisplay,
    NotebookDisplay,
    PlainDisplay,
    Stages,
    is_notebook,
)
from nucleate.report.live_display import LiveDisplay, suitable_display
from nucleate.report.phases import duration
from nucleate.run.events import Progress
from nucleate.search.record import Record, SearchUpdate, TierOutcome
from nucleate.search.search import SearchProgress
from nucleate.search.stop import Stop

COPPER = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
SEARCH = SearchProgress(n_structures=7, n_repeats=2, since_best=3, text="melted")


def progress(session_s: float = 60.0) -> Progress:
    return Progress(
        elapsed_s=3600.0,
        session_s=session_s,
        core_s=10.0,
        stop=Stop(time_s=120.0),
        search=SEARCH,
        session_structures=5,
        in_flight=2,
        failures=Counter({"exploded": 1}),
    )


def tell(display: NoDisplay, number: int = 0, origin: str = "blocks") -> None:
    steps = (TierOutcome("emt", emt_outcome(COPPER)),)
    record = Record(number, Candidate(COPPER, Origin(origin)), steps, finished_s=62.0)
    display.on_record(record, SearchUpdate(new_minimum=True), replayed=False)


def test_numbers_and_times() -> None:
    assert duration(62.9) == "1:02"
    assert duration(3723.0) == "1:02:03"
    assert heading("Cu", progress()) == "Cu: 1:00:00, 1:00 left"
    assert counts(progress()) == (
        "7 structures, 5 per minute, 2 in flight, 3 since the last best, 2 repeats skipped, "
        "melted, failed: 1 exploded"
    )


def test_plain_lines() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display.start("Cu in here", ["emt"])
        tell(display)
        display.on_progress(progress(session_s=1.0))
        display.on_progress(progress())
        display.on_progress(progress())
    lines = stream.getvalue().splitlines()
    assert lines[0] == "Cu in here"
    energy = emt_outcome(COPPER).enthalpy_per_atom
    words = f"eV/atom {energy:.4f}, space group Fm-3m, atoms 1, record 0, origin blocks"
    assert lines[1] == f"    1:02  {words}"
    assert lines[2].startswith(" 1:00:00  7 structures")
    assert len(lines) == 3, "one line in half a minute"


def test_records_of_an_earlier_start_are_not_printed_again() -> None:
    stream = io.StringIO()
    display = PlainDisplay(stream)
    steps = (TierOutcome("emt", emt_outcome(COPPER)),)
    record = Record(0, Candidate(COPPER, Origin("blocks")), steps)
    display.on_record(record, SearchUpdate(new_minimum=True), replayed=True)
    assert stream.getvalue() == ""


class Handle:
    """What IPython's ``display`` returns."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, html: str) -> None:
        self.shown.append(html)


def test_notebook_escapes_what_others_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Handle()
    module = SimpleNamespace(HTML=str, display=lambda html, display_id: handle)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=module))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(displays, "NOTEBOOK_EVERY_S", 0.0)
    with NotebookDisplay() as display:
        display.start("<Cu>", ["emt"])
        display.on_stage("<pool>", 1, 2)
        tell(display, origin="<script>")
        display.on_progress(progress())
    stage, table, end = handle.shown
    assert stage == "<p>&lt;Cu&gt;: &lt;pool&gt;: 1 of 2</p>"
    assert "<script>" not in table
    assert "&lt;Cu&gt;" in table
    assert "<table>" in table
    assert end == ""


def test_the_display_suits_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_notebook()
    assert type(suitable_display()) is NoDisplay
    shell = SimpleNamespace(kernel=None)
    module = SimpleNamespace(HTML=str, display=lambda html, display_id: Handle())
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=module)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    assert is_notebook()
    assert type(suitable_display()) is NotebookDisplay
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert type(suitable_display()) is LiveDisplay


def test_stages_print_their_end(capsys: pytest.CaptureFixture[str]) -> None:
    stages = Stages()
    for done in range(4):
        stages("crystals", done, 3)
    stages("descent", 1, 10)
    stages("loading", 0, 0)
    stages("loading", 0, 0)
    assert capsys.readouterr().err == "crystals: 3 of 3\nloading\n"
