"""Temporary folders of killed processes are removed at the next start, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from nucleate.run.leftovers import OLD_S, remove_leftovers
from nucleate.run.lock import locked


def folder(place, name, *, age=2 * OLD_S):
    made = place / name
    made.mkdir()
    (made / "run.db").write_text("x")
    then = time.time() - age
    os.utime(made, (then, then))
    return made


def test_only_those_of_dead_processes_are_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = folder(tmp_path, f"nucleate-{ended.pid}-abc_1")
    others = [
        folder(tmp_path, f"nucleate-{os.getpid()}-abc"),
        folder(tmp_path, f"nucleate-{ended.pid}-new", age=0.0),
        folder(tmp_path, "nucleate-numba-0"),
        folder(tmp_path, f"other-{ended.pid}-abc"),
    ]
    busy = folder(tmp_path, f"nucleate-{ended.pid}-busy")
    (tmp_path / f"nucleate-{ended.pid}-link").symlink_to(others[3])
    with locked(busy):
        then = time.time() - 2 * OLD_S
        os.utime(busy, (then, then))
        assert remove_leftovers(tmp_path) == [dead]
    assert all(other.is_dir() for other in [*others, busy])
