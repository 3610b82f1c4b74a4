"""Signals, streams and unfriendly surroundings of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.signal_phases import processor_s

from nucleate import surroundings
from nucleate.surroundings import _is_writable

MAIN = "from nucleate.cli import main; main()"
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


def start(*words, cwd, **environment):
    return subprocess.Popen(
        [sys.executable, "-P", "-c", MAIN, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **environment},
        text=True,
        preexec_fn=answer_interrupts if os.name == "posix" else None,
    )


def answer_interrupts():
    """Answer SIGINT also where the shell that began the tests let it be ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("delay_s", [1.0, 2.0, 4.0, 8.0])
def test_a_signal_ends_a_command_within_two_seconds(tmp_path, number, delay_s):
    words = ("predict", "CaTiO3", "--max-atoms", "10", "--tier", "spp", "--workers", "1")
    process = start(*words, "--out", "run", cwd=tmp_path)
    time.sleep(delay_s)
    before = last = processor_s(process.pid)
    process.send_signal(number)
    while (used := processor_s(process.pid)) is not None:  # wall time depends on other programs
        last = used
        time.sleep(0.01)
    out, _ = process.communicate(timeout=30)
    assert last - before < 2.0
    assert process.returncode in (0, 128 + number)
    if process.returncode == 0 and "1  " in out:
        assert "`nucleate export run` writes all files" in out
        assert not list(tmp_path.glob("run/.unfinished*"))
        assert (tmp_path / "run" / "ranking.csv").exists()


@POSIX
def test_a_stranger_s_random_module_is_not_imported(tmp_path):
    for name in ("random", "numpy", "selectors"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the folder')")
    process = start(
        "relax", "x.vasp", "--tier", "spp", "--single-point", "--workers", "1", cwd=tmp_path
    )
    process.communicate(timeout=60)
    (tmp_path / "x.vasp").write_text(
        "MgO\n1.0\n0 2.1 2.1\n2.1 0 2.1\n2.1 2.1 0\nMg O\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
    )
    process = start(
        "relax", "x.vasp", "--tier", "spp", "--single-point", "--workers", "1", cwd=tmp_path
    )
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert "1 of 1 structures have an energy" in out


@POSIX
def test_a_closed_or_narrow_standard_output_is_no_traceback(tmp_path):
    narrow = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    process = start("--help", cwd=tmp_path, **narrow)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in error
    words = [sys.executable, "-c", MAIN, "presets", "list"]
    shell = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *words], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in shell.stderr
    assert shell.returncode in (0, 1)


def test_what_cannot_be_written_is_noticed(tmp_path):
    assert _is_writable(tmp_path / "new" / "folder")
    assert not _is_writable(tmp_path.__class__("/proc/1"))


def test_compiled_code_finds_a_place(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(surroundings.NUMBA_CACHE, raising=False)
    monkeypatch.setattr(surroundings, "_is_writable", lambda _: False)
    monkeypatch.setattr(surroundings.tempfile, "gettempdir", lambda: str(tmp_path))
    surroundings._find_numba_cache()
    folder = os.environ.pop(surroundings.NUMBA_CACHE)
    assert folder.startswith(str(tmp_path))
    assert folder in capsys.readouterr().err


def test_a_folder_of_somebody_else_is_not_used_for_compiled_code(tmp_path, monkeypatch):
    monkeypatch.setattr(surroundings.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    own = surroundings._own_temporary_folder()
    assert own is not None
    own.rmdir()
    own.symlink_to(tmp_path / "elsewhere")
    assert surroundings._own_temporary_folder() != own
