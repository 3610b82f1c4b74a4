"""The prose of the project keeps to its word list."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "check_words.py"


@pytest.fixture(scope="module")
def words() -> ModuleType:
    spec = spec_from_file_location("check_words", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_project_keeps_to_the_word_list(
    words: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    status = words.main([])

    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("sentence", "phrase", "advice"),
    [
        ("The run goes on afterwards.", "goes on", "continue"),
        ("It takes one process a core.", "process a core", "per core"),
        ("A device that is not there fails.", "is not there", "missing"),
        ("The user is told about it.", "is told", "reported"),
        ("It stops after so many structures.", "so many", "this many"),
        ("Pools are made anew.", "anew", "again"),
        ("It is done. So the aim is met.", "So", "Therefore"),
        ("Kernels of ours are used.", "of ours", "our"),
        ("CHGNet has a hole there.", "hole", "unphysical minimum"),
        ("The atoms are shaken first.", "shaken", "rattle"),
        ("Then hand back the results.", "hand back", "import results"),
        ("One thing: another thing: a third.", ": another thing:", "one colon"),
    ],
)
def test_planted_phrases_are_found_in_markdown(
    words: ModuleType,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    sentence: str,
    phrase: str,
    advice: str,
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\nA good line.\n{sentence}\n", encoding="utf-8")

    status = words.main([str(page)])

    out = capsys.readouterr().out
    assert status == 1
    assert f"{page}:4: {phrase!r}" in out
    assert advice in out


def test_a_phrase_is_found_across_lines_and_not_in_code(
    words: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "The search goes\non. But `goes on` is code,\n\n```\nso many of ours\n```\n\n"
        "and a [link](so-many-holes.md) is not prose.\n",
        encoding="utf-8",
    )

    words.main([str(page)])

    assert capsys.readouterr().out.splitlines() == [
        f"{page}:1: 'goes on': write continue(s), proceed(s)"
    ]


def test_python_docstrings_messages_and_comments_are_read(
    words: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""A module.\n\nThe run goes on.\n"""\n\n'
        'KEY = "shake"\n'
        "x = 1  # made anew each time\n"
        'raise ValueError(\n    f"{KEY}: the file is "\n    "not there."\n)\n',
        encoding="utf-8",
    )

    words.main([str(module)])

    found = capsys.readouterr().out.splitlines()

    assert [line.split(": write")[0] for line in found] == [
        f"{module}:3: 'goes on'",
        f"{module}:7: 'anew'",
        f"{module}:9: 'is not there'",
    ]
