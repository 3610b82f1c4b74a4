"""Compiled code that is older than a source file that it contains."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nucleate.compiled_files import forget_outdated

INNER = "from numba import njit\n\n@njit(cache=True)\ndef value():\n    return {}\n"
OUTER = (
    "from numba import njit\nfrom pack.deep.inner import value\n\n"
    "@njit(cache=True)\ndef twice():\n    return 2 * value()\n"
)
RUN = (
    "import sys; sys.path.insert(0, '.')\n"
    "{}from pack.outer import twice\nprint(twice(), len(twice.stats.cache_hits))"
)
FORGET = "from nucleate.compiled_files import forget_outdated; forget_outdated('pack'); "


def printed(folder: Path, before: str = "") -> list[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": ""}
    run = subprocess.run(
        [sys.executable, "-c", RUN.format(before)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose code has been compiled."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "pack" / "deep").mkdir(parents=True)
    for name in ("pack", "pack/deep"):
        (folder / name / "__init__.py").touch()
    (folder / "pack/deep/inner.py").write_text(INNER.format(21))
    (folder / "pack/outer.py").write_text(OUTER)
    assert printed(folder) == ["42", "0"]
    return folder


@pytest.fixture
def package(compiled: Path, tmp_path: Path) -> Path:
    """A copy of it, with its times."""
    shutil.copytree(compiled / "pack", tmp_path / "pack")
    return tmp_path


@pytest.mark.slow
def test_a_changed_callee_in_another_file_is_compiled_again(package):
    time.sleep(0.05)
    (package / "pack/deep/inner.py").write_text(INNER.format(100))
    assert printed(package) == ["42", "1"], "numba sees such changes itself: drop compiled_files"
    assert printed(package, FORGET) == ["200", "0"]
    assert printed(package, FORGET) == ["200", "1"]


def test_what_is_newer_than_all_sources_is_kept(package):
    assert forget_outdated(str(package / "pack")) == 0
    other = package / "pack" / "plain.py"  # holds no compiled code
    other.write_text("a = 1")
    assert forget_outdated(str(package / "pack")) == 0


def test_a_source_from_the_future_does_not_forget_everything_at_every_start(package):
    later = time.time() + 1e6
    os.utime(package / "pack/deep/inner.py", (later, later))
    assert forget_outdated(str(package / "pack")) == 0


def test_folders_that_are_not_there_hold_nothing(tmp_path):
    assert forget_outdated(str(tmp_path / "nothing")) == 0
