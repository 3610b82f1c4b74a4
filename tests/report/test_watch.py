"""The terminal view of a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nucleate as nc
from nucleate.report.curve import ASCII_LEVELS, LEVELS, curve
from nucleate.report.watch import watched


@given(
    values=st.lists(st.floats(-10, 10) | st.just(float("nan")), max_size=60),
    width=st.integers(2, 90),
    height=st.integers(1, 6),
    plain=st.booleans(),
)
def test_bars_never_rise_from_left_to_right(values, width, height, plain):
    if not values:
        return
    lines = curve(values, width=width, height=height, window=0.6, plain=plain)
    assert [len(line) for line in lines] == [width] * height
    marks = ASCII_LEVELS if plain else LEVELS
    assert set("".join(lines)) <= set(marks)
    heights = np.array([[marks.index(mark) for mark in line] for line in lines]).sum(axis=0)
    if np.isfinite(values[0]):
        assert (np.diff(heights) <= 0).all()
        assert heights[-1] == 0


@pytest.fixture(scope="module")
def run(salt_run):
    return salt_run


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (30, 10)])
def test_the_view_fits_its_terminal(run, width, height):
    text, running = watched(run.folder, width=width, height=height)
    lines = text.splitlines()
    assert not running
    assert max(map(len, lines)) <= width
    assert len(lines) <= max(height, 20)
    assert lines[0].startswith("NaCl: stopped")
    if width >= 80:
        assert f"lowest {run.best.relaxed.enthalpy_per_atom:.4f} arb. unit/atom" in text
        assert "failed: " in text


def test_plain_terminals_get_ascii(run):
    text, _ = watched(run.folder, width=80, height=24, plain=True)
    assert text.split("\n\n")[0].isascii()


def test_the_command_prints_once_where_there_is_no_terminal(run, capsys, monkeypatch):
    import sys

    from nucleate.cli import main

    monkeypatch.setattr(sys, "argv", ["nucleate", "watch", str(run.folder)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert "NaCl: stopped" in capsys.readouterr().out


def test_a_folder_without_a_run_is_one_sentence(tmp_path):
    with pytest.raises(nc.InputError, match="not a run folder"):
        watched(tmp_path, width=80, height=24)
