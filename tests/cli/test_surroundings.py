"""A relaxation wherever it is started: streams, locales, limits, a read-only installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import nucleate

MAIN = "from nucleate.cli import main; main()"
POSCAR = "MgO\n1.0\n0 2.1 2.1\n2.1 0 2.1\n2.1 2.1 0\nMg O\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
WORDS = ("relax", "x.vasp", "--tier", "spp", "--single-point", "--workers", "1")
GOOD = "1 of 1 structures have an energy"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX shell"),
]


def relax(folder, shell='"$@"', **environment):
    """Relax a file in a shell that changes the surroundings first."""
    (folder / "x.vasp").write_text(POSCAR)
    command = [sys.executable, "-P", "-c", MAIN, *WORDS]
    return subprocess.run(
        ["bash", "-c", shell, "bash", *command],
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none"},
    ],
    ids=["ASCII", "Jupyter", "no home"],
)
def test_variables(tmp_path, environment):
    ended = relax(tmp_path, **environment)
    assert ended.returncode == 0, ended.stderr
    assert GOOD in ended.stdout


@pytest.mark.parametrize(
    ("shell", "status"),
    [('"$@" >&-', 0), ('"$@" <&- >&- 2>&-', 0), ('"$@" > /dev/full', 1)],
    ids=["stdout closed", "all closed", "stdout full"],
)
def test_streams(tmp_path, shell, status):
    ended = relax(tmp_path, shell)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ("No space left" in ended.stderr) == (status == 1)


@pytest.mark.skipif(sys.platform != "linux", reason="limit on the address space")
def test_limits_of_the_address_space(tmp_path):
    ended = relax(tmp_path, 'ulimit -v 3000000; "$@"')
    assert ended.returncode == 0, ended.stderr
    ended = relax(tmp_path, 'ulimit -v 1000000; "$@"')
    assert ended.returncode == 1
    assert "The address space is limited to 976 MB" in ended.stderr


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux")
def test_an_installation_that_cannot_be_written(tmp_path):
    package = tmp_path / "site" / "nucleate"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(nucleate.__file__).parent, package, ignore=ignored)
    for path in [package, *package.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    drop = ""
    if os.geteuid() == 0:  # which may write anywhere
        drop = "exec setpriv --bounding-set=-dac_override,-dac_read_search "
    (tmp_path / "temporary").mkdir()
    try:
        ended = relax(
            tmp_path,
            drop + '"$@"',
            PYTHONPATH=str(package.parent),
            HOME="/proc/none",
            TMPDIR=str(tmp_path / "temporary"),
        )
    finally:
        for path in [package, *package.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
    assert ended.returncode == 0, ended.stderr
    assert GOOD in ended.stdout
    assert "Compiled code is kept in" in ended.stderr
    assert any((tmp_path / "temporary").glob("nucleate-numba-*/*"))


def test_a_search_off_the_main_thread(tmp_path):
    found = []

    def search():
        options = {"structures": 2, "polish": 0, "workers": 1, "seed": 1, "display": False}
        found.append(nucleate.predict("MgO", folder=tmp_path, model="spp", **options))

    thread = threading.Thread(target=search)
    thread.start()
    thread.join(timeout=280.0)
    assert len(found[0].records) >= 2
