"""Limits of the machine: processes, address space and file systems that cannot lock."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys

import pytest

from nucleate import processes
from nucleate.run import lock
from nucleate.run.lock import is_locked, locked
from nucleate.run.pool import Pool
from nucleate.run.process import WorkerSpec
from nucleate.surroundings import LEAST_ADDRESSES_MB
from nucleate.trouble import MachineError, machine_trouble, start_trouble

MAIN = "from nucleate.cli import main; main()"


def refuse(number):
    def popen(*_, **__):
        raise OSError(number, os.strerror(number))

    return popen


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
def test_too_few_processes_are_a_sentence_with_the_remedy(monkeypatch, number):
    monkeypatch.setattr(processes.subprocess, "Popen", refuse(number))
    spec = WorkerSpec(tiers=({},), factory="tests.run.toys:build")
    with pytest.raises(MachineError, match=r"--workers.*ulimit -u") as caught:
        Pool(spec, workers=1)
    assert machine_trouble(caught.value) == str(caught.value)


def test_a_missing_interpreter_is_not_the_machine_s_trouble():
    assert start_trouble(FileNotFoundError(2, "No such file")) == ""
    assert "ulimit -u" in start_trouble(RuntimeError("can't start new thread"))
    assert start_trouble(RuntimeError("other")) == ""


@pytest.mark.skipif(os.name != "posix", reason="POSIX limits")
def test_too_little_address_space_is_one_sentence():
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))

    words = [sys.executable, "-c", MAIN, "check", "MgO"]
    ended = subprocess.run(words, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"needs {LEAST_ADDRESSES_MB} MB" in ended.stderr
    assert "ulimit -v unlimited" in ended.stderr


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.filterwarnings("ignore")
def test_a_file_system_without_locks_still_keeps_a_second_run_out(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    folder = tmp_path / "run"
    with pytest.warns(UserWarning, match="lock"), locked(folder):  # noqa: PT031
        assert is_locked(folder)
        with (
            pytest.raises(lock.InputError, match=r"by another run \(process \d+ on [^ ]+ since"),
            locked(folder),
        ):
            pass
    assert not is_locked(folder)
    with locked(folder):
        pass


@pytest.mark.filterwarnings("ignore")
def test_a_soft_lock_of_a_dead_driver_is_taken_over(tmp_path):
    code = (
        "import fcntl, os, sys, pathlib\n"
        "def flock(*_): raise OSError({0}, 'no locks')\n"
        "fcntl.flock = flock\n"
        "from nucleate.run.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): {1}\n"
    )
    for number in (errno.ENOLCK, errno.ENOSYS):
        folder = tmp_path / str(number)
        for last in ("os._exit(9)", "print('taken')"):
            words = [sys.executable, "-W", "ignore", "-c", code.format(number, last), str(folder)]
            ended = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ended.stdout == "taken\n", ended.stderr
