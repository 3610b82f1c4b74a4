"""Match rates of candidates as they are generated."""

from __future__ import annotations

import errno
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.library.conftest import KNOWN, perovskite, rutile

from nucleate.benchmark.csp import Entry
from nucleate.benchmark.generate_only import measure
from nucleate.benchmark.rates import summary_rows
from nucleate.errors import InputError
from nucleate.generate.build import named
from nucleate.library.build import write_library

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_library_that_was_replaced_is_refused(tmp_path: Path, library: tuple[str, ...]) -> None:
    out = tmp_path / "generated.jsonl"
    same = {"known": ["all"], "library": library, "most": 5}
    measure(out, ENTRIES[:1], [named("prototypes")], **same)
    write_library(iter(KNOWN[:8]), Path(library[0]), {"source": "textbooks"})
    with pytest.raises(InputError, match=r"another content of the library '.*small.nlib'"):
        measure(out, ENTRIES[:1], [named("prototypes")], **same)


def test_a_structure_that_was_replaced_is_measured_again(
    tmp_path: Path, library: tuple[str, ...]
) -> None:
    out = tmp_path / "generated.jsonl"
    told: list[str] = []
    same = {"known": ["all"], "library": library, "most": 5, "report": told.append}
    first = measure(out, ENTRIES, [named("prototypes")], **same)
    replaced = [Entry("a", ENTRIES[1].crystal), ENTRIES[1]]
    second = measure(out, replaced, [named("prototypes")], **same)
    assert [row["formula"] for row in first] == ["TiO2", "BaSnO3"]
    assert [row["formula"] for row in second] == ["BaSnO3", "BaSnO3"]
    assert second[1] == first[1]
    assert measure(out, ENTRIES, [named("prototypes")], **same) == first
    assert len(told) == 3


def test_a_file_of_before_there_were_digests_is_continued(
    tmp_path: Path, library: tuple[str, ...]
) -> None:
    out = tmp_path / "generated.jsonl"
    told: list[str] = []
    same = {"known": ["all"], "library": library, "most": 5, "report": told.append}
    measure(out, ENTRIES[:1], [named("prototypes")], **same)
    setup, row = (json.loads(line) for line in out.read_text().splitlines())
    del setup["setup"]["contents"], row["crystal"]
    out.write_text(f"{json.dumps(setup)}\n{json.dumps(row)}\n")
    assert measure(out, ENTRIES, [named("prototypes")], **same)[0] == row
    assert len(told) == 2
    write_library(iter(KNOWN[:8]), Path(library[0]), {"source": "textbooks"})
    with pytest.raises(InputError, match="another content"):
        measure(out, ENTRIES, [named("prototypes")], **same)


def test_a_full_disk_costs_no_row_that_was_written(
    tmp_path: Path, library: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "generated.jsonl"
    same = {"known": ["all"], "library": library, "most": 5}
    first = measure(out, ENTRIES[:1], [named("prototypes")], **same)
    whole = out.read_bytes()
    cut = whole + b'{"entry": "b", "kno'
    out.write_bytes(cut)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", fails_half_way)
        with pytest.raises(InputError, match=r"cannot be written \(No space left"):
            measure(out, ENTRIES, [named("prototypes")], **same)
    assert out.read_bytes() == cut
    assert measure(out, ENTRIES[:1], [named("prototypes")], **same) == first
    assert out.read_bytes() == whole
    assert [path.name for path in tmp_path.glob("generated*")] == [out.name]


def test_a_row_that_cannot_be_written_is_told_in_a_sentence(
    tmp_path: Path, library: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "generated.jsonl"
    same = {"known": ["all"], "library": library, "most": 5}
    measure(out, ENTRIES[:1], [named("prototypes")], **same)
    whole, opened = out.read_bytes(), Path.open

    def refused(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if mode == "a":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, mode, *args, **options)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match=r"generated.jsonl cannot be written \(Permission denied"):
        measure(out, ENTRIES, [named("prototypes")], **same)
    assert out.read_bytes() == whole


def fails_half_way(path: Path, text: str, **options: Any) -> int:
    with path.open("w", **options) as stream:
        stream.write(text[: len(text) // 2])
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "is cut short"),
        (lambda path: flip_in(path, "points.npy"), "is damaged: points.npy"),
    ],
)
def test_a_library_that_cannot_be_read_is_refused_before_any_work(
    tmp_path: Path, library: tuple[str, ...], damage: Callable[[Path], None], told: str
) -> None:
    out = tmp_path / "out" / "generated.jsonl"
    damage(Path(library[0]))
    for generators, used in (
        ([named("prototypes")], library),
        ([named("prototypes", library=library)], ("shipped",)),
    ):
        with pytest.raises(InputError, match=told):
            measure(out, ENTRIES[:1], generators, known=["all"], library=used, most=5)
    assert not out.parent.exists()


def test_the_warnings_of_generators_are_given(tmp_path: Path, library: tuple[str, ...]) -> None:
    entry = Entry("p", rutile("Pu", "O", 4.9, 3.2))
    with pytest.warns(UserWarning, match="no known structure has Pu"):
        (row,) = measure(
            tmp_path / "generated.jsonl",
            [entry],
            [named("prototypes")],
            known=["all"],
            library=library,
        )
    assert row["candidates"] == 0


def flip_in(path: Path, member: str) -> None:
    """Change a byte of the data of a member of an archive."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(member) + info.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
