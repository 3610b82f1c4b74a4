"""A tight `ulimit -u`: one sentence, or a run; never a traceback and no interrupt by a library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading

import pytest

from nucleate import clock, signals, surroundings

NOBODY = 65534
MAIN = "from nucleate.cli import main; main()"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits")


class NoThread(threading.Thread):
    """A thread that cannot be started."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_signals_and_clock_do_without_a_thread(monkeypatch):
    monkeypatch.setattr(threading, "Thread", NoThread)
    with signals.answering_signals():
        pass
    monkeypatch.setattr(clock, "_started", threading.Event())
    clock.watch()
    assert clock.running_s() <= clock.running_s()


@pytest.mark.parametrize("limit", [50, 10**6])
def test_linear_algebra_uses_one_thread_where_more_cannot_be_started(monkeypatch, limit):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(threading, "Thread", NoThread)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    surroundings.fit_surroundings()
    assert os.environ.get("OPENBLAS_NUM_THREADS") == ("1" if limit == 50 else None)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)


@pytest.mark.slow
@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="another user can be had as root only",
)
@pytest.mark.parametrize("limit", [3, 5, 8])
def test_few_processes_are_one_sentence(tmp_path, limit):
    tmp_path.chmod(0o777)
    keeps = "-all,+dac_override,+dac_read_search"  # to read this installation, without more
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    user += [f"--{name}={keeps}" for name in ("inh-caps", "ambient-caps", "bounding-set")]
    words = ["predict", "CaO", "--tier", "spp", "--max-atoms", "4", "--structures", "3",
             "--polish", "0", "--workers", "1", "--out", "run"]  # fmt: skip
    shell = f'ulimit -u {limit}; exec "$@"'
    done = subprocess.run(
        [*user, "bash", "-c", shell, "bash", sys.executable, "-c", MAIN, *words],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900,
        env={**os.environ, "HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "OpenBLAS" not in done.stderr
    if done.returncode:
        assert done.returncode == 1
        assert "ulimit -u" in done.stderr.splitlines()[-1]
