"""Names and texts from outside."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleate.names import is_safe_name, safe_name
from nucleate.relax.outcome import Failed, FailReason
from nucleate.text import LONGEST_MESSAGE, clean, label, table_cell

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


@given(ANY_TEXT)
def test_a_safe_name_is_one_file_and_stays_as_it_is(text):
    name = safe_name(text)
    assert re.fullmatch(r"[\x20-\x7e]{1,120}", name)
    assert PurePosixPath(name).name == name
    assert name not in (".", "..")
    assert not name.startswith((".", "-"))
    if is_safe_name(text):
        assert name == text


@given(st.lists(ANY_TEXT, unique=True, max_size=8))
def test_different_names_stay_different(texts):
    assert len({safe_name(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "text",
    [
        "../../x",
        "/etc/passwd",
        "a b",
        "a:b",
        "a\\b",
        "NUL.txt",
        "a/b",
        "",
        ".",
        "..",
        "CON",
        "a\0b",
        "\ud800",
        "-rf",
    ],
)
def test_dangerous_names_are_replaced(text):
    assert safe_name(text) != text


@pytest.mark.parametrize("text", ["mp-149", "chgnet", "a_b", "SrTiO3", "spp-2.1", "r42"])
def test_common_names_stay(text):
    assert safe_name(text) == text


@given(ANY_TEXT)
def test_clean_text_can_be_written_anywhere(text):
    found = clean(text)
    found.encode("utf-8")
    assert all(c in "\n\t" or c.isprintable() or c.isspace() for c in found)
    assert clean(found) == found


def test_clean_removes_escapes_and_keeps_the_words():
    assert clean("\x1b[31mred\x1b[0m and \x1b]0;title\x07plain") == "red and plain"
    assert clean("\x9b2Jgone") == "gone"
    assert "\u202e" not in clean("a\u202eb")


def test_a_long_message_keeps_both_ends():
    found = clean("begin" + 10**6 * "x" + "end")
    assert len(found) <= LONGEST_MESSAGE
    assert found.startswith("begin")
    assert found.endswith("end")


def test_a_label_is_one_short_line():
    assert label("a\nb\tc") == "a b c"
    assert len(label(1000 * "x")) <= 200


def test_an_object_without_a_text_has_one():
    class Bad:
        def __str__(self):
            raise RuntimeError

    assert "Bad" in clean(Bad())


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3"])
def test_no_cell_is_a_formula(text):
    assert table_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["-1.5", "+3", "", "SrTiO3", "-1e-5"])
def test_numbers_and_words_stay(text):
    assert table_cell(text) == text


def test_the_message_of_a_failure_is_cleaned_where_it_is_made():
    failed = Failed(FailReason.CALCULATOR, "bad \ud800 \x1b[31m" + 10**7 * "y")
    failed.message.encode("utf-8")
    assert len(failed.message) <= LONGEST_MESSAGE
    assert "\x1b" not in failed.message
