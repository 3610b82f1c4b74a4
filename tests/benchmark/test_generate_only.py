"""Match rates of candidates as they are generated."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.library.conftest import KNOWN, perovskite, rutile

from nucleate.benchmark.csp import Entry
from nucleate.benchmark.generate_only import measure
from nucleate.benchmark.rates import summary_rows
from nucleate.errors import InputError
from nucleate.generate.build import named
from nucleate.library.build import write_library

ENTRIES = [
    Entry("a", rutile("Ti", "O", 4.59, 2.96)),
    Entry("b", perovskite("Ba", "Sn", "O", 4.12)),
]


@pytest.fixture
def library(tmp_path: Path) -> tuple[str, ...]:
    pytest.importorskip("pymatgen")
    path = tmp_path / "small.nlib"
    write_library(iter(KNOWN), path, {"source": "textbooks"})
    return (str(path),)


def test_the_rates_of_two_references_and_how_a_file_is_continued(
    tmp_path: Path, library: tuple[str, ...]
) -> None:
    told: list[str] = []
    out = tmp_path / "out" / "generated.jsonl"
    same = {"known": ["all", "off"], "library": library, "most": 5}
    generators = [named("prototypes")]
    rows = measure(out, ENTRIES[:1], generators, report=told.append, **same)
    with out.open("a", encoding="utf-8") as stream:
        stream.write('{"entry": "b", "kno')
    rows = measure(out, ENTRIES, generators, report=told.append, **same)
    assert len(told) == 4
    assert [row["known"] for row in rows] == ["all", "all", "off", "off"]
    assert rows == measure(out, ENTRIES, generators, report=told.append, **same)
    assert len(told) == 4
    best, *_ = summary_rows(rows, most=5)
    assert best["number"] == 2
    assert best["match@5"].startswith("100.0")
    assert "match@20" not in best
    off = next(row for row in summary_rows(rows) if row["known"] == "off")
    assert off["match@1"].startswith("0.0")
    assert off["cRMSE"] == "0.500"


def test_a_file_of_another_setup_is_refused(tmp_path: Path, library: tuple[str, ...]) -> None:
    out = tmp_path / "generated.jsonl"
    generators = [named("prototypes")]
    measure(out, ENTRIES[:1], generators, known=["off"], library=library, most=5)
    with pytest.raises(InputError, match="Choose another"):
        measure(out, ENTRIES[:1], generators, known=["off"], library=library, most=6)
