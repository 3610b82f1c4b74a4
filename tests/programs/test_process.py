"""A command ends with all its children, at its limit or with its caller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from tests.programs.fakes import executable, living_with

from nucleate.programs.process import ExternalProcess, run_command, tail

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

FAMILY = """
import os, subprocess, sys, time
sleeper = "import time; time.sleep(600)"
subprocess.Popen([sys.executable, "-c", sleeper])
subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
print("started", flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(3)
"""


@pytest.fixture
def word():
    """A word that marks the processes of one test."""
    return f"mark-{uuid.uuid4().hex}"


def gone(word, seconds=10.0):
    """Wait until no process has the word."""
    end = time.monotonic() + seconds
    while living_with(word):
        assert time.monotonic() < end, "processes are left"
        time.sleep(0.05)
    return True


@linux
def test_the_limit_ends_children_in_other_sessions_too(tmp_path, word):
    program = executable(tmp_path / "family", FAMILY)
    ending = run_command([str(program), "600"], tmp_path, wall_s=1.5, environment={"MARK": word})
    assert ending.timed_out
    assert ending.status is None
    assert 1.4 < ending.wall_s < 8.0
    assert gone(word)
    assert tail(tmp_path / "output") == "started"


@linux
def test_daemons_left_by_a_finished_command_are_ended(tmp_path, word):
    program = executable(tmp_path / "family", FAMILY)
    ending = run_command([str(program), "0"], tmp_path, wall_s=60.0, environment={"MARK": word})
    assert (ending.status, ending.timed_out) == (3, False)
    assert gone(word)


@linux
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_caller_leaves_nothing(tmp_path, word, end):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    program = executable(tmp_path / "family", FAMILY)
    code = (
        "import sys, pathlib\n"
        "from nucleate.programs.process import ExternalProcess\n"
        f"p = ExternalProcess([{str(program)!r}, '600'], pathlib.Path({str(scratch)!r}))\n"
        "print('up', flush=True)\n"
        "p.ended(600)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, "MARK": word},
        start_new_session=True,
    )
    assert caller.stdout is not None
    assert caller.stdout.readline() == b"up\n"
    while not (scratch / "output").is_file() or not (scratch / "output").read_bytes():
        time.sleep(0.02)
    os.killpg(caller.pid, end)
    caller.wait()
    caller.stdout.close()
    assert gone(word)
    assert not scratch.exists()


def test_giving_up_ends_the_command_and_removes_its_folder(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = ExternalProcess(["sleep", "600"], scratch)
    assert process.ended(0.2) is None
    process.kill()
    assert not scratch.exists()


def test_the_working_folder_stays(tmp_path):
    before = Path.cwd()
    program = executable(tmp_path / "where", "import os; print(os.getcwd())")
    assert run_command([str(program)], tmp_path, wall_s=60.0).status == 0
    assert Path.cwd() == before
    assert tail(tmp_path / "output") == str(tmp_path)


@pytest.mark.parametrize("command", ["/nowhere/vasp_std", "not-a-program-of-anyone"])
def test_a_missing_program_is_named(tmp_path, command):
    ending = run_command([command], tmp_path, wall_s=10.0)
    assert ending.error == "No such file or directory"
    assert ending.status is None


def test_a_signal_is_a_negative_status(tmp_path):
    program = executable(tmp_path / "abort", "import os; os.abort()")
    assert run_command([str(program)], tmp_path, wall_s=60.0).status == -signal.SIGABRT


def test_the_tail_is_short_and_printable(tmp_path):
    path = tmp_path / "output"
    path.write_bytes(b"begin" + b"\x00\x01\xff" * 5000 + b"\nthe end\n")
    text = tail(tmp_path / "missing", path)
    assert text.endswith("the end")
    assert "begin" not in text
    assert "\x00" not in text
    assert tail(tmp_path / "missing") == ""
