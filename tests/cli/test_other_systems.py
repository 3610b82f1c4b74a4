"""What pure Python can tell of macOS and Windows: the calls that they lack are taken away."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import pytest

MISSING = dedent("""
    import os, signal, sys
    for name in ("sched_getaffinity", "fork", "setsid", "getuid", "killpg", "getpgid",
                 "sysconf", "geteuid", "getloadavg"):
        if hasattr(os, name):
            delattr(os, name)
    if os.environ["OTHER_SYSTEM"] == "fewest":
        for name in ("SIGHUP", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGSTOP", "SIGCONT"):
            if hasattr(signal, name):
                delattr(signal, name)
        for name in ("fcntl", "resource", "pwd", "grp", "termios"):
            sys.modules[name] = None
""")
"""A module that every process imports when it starts.

``fewest`` lacks what Windows lacks; its name is no real one, so that other packages do not look for
libraries of Windows.
"""

IMPORTS = dedent("""
    import importlib, pkgutil, sys
    import numpy, ase, spglib, gemmi, numba, pandas, typer, filelock  # not what is tested
    import nucleate
    sys.platform = sys.argv[1]
    wrong = []
    for module in pkgutil.walk_packages(nucleate.__path__, "nucleate."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("nucleate") or error.name in ("fcntl", "resource"):
                wrong.append(f"{module.name}: {error}")
        except nucleate.NucleateError:
            pass  # an extra that is not installed
        except Exception as error:
            wrong.append(f"{module.name}: {type(error).__name__}: {error}")
    print(len(wrong), wrong)
""")


SYSTEMS = ["fewest", pytest.param("darwin", marks=pytest.mark.slow)]
"""``fewest`` lacks all that macOS lacks, and more."""


def run(tmp_path, system, *words):
    (tmp_path / "sitecustomize.py").write_text(MISSING)
    paths = [str(tmp_path), *(path for path in sys.path if path)]
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=180,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OTHER_SYSTEM": system},
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_can_be_imported(tmp_path, system):
    ended = run(tmp_path, system, "-c", IMPORTS, system)
    assert ended.stdout.startswith("0 "), ended.stdout + ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_short_search_runs(tmp_path, system):
    before = "import sys, typer.main, rich, nucleate.cli, numba, filelock, pandas, numpy.random"
    relayed = "import nucleate.pipes\nnucleate.pipes.RELAYED = True" if system == "fewest" else ""
    main = f"{before}\nsys.platform = {system!r}\n{relayed}\nnucleate.cli.main()"
    words = "predict MgO --tier spp --structures 3 --workers 1 --generator blocks --seed 1".split()  # noqa: SIM905
    ended = run(tmp_path, system, "-c", main, *words, "--out", "run", "--polish", "0")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "3 structures were relaxed" in ended.stdout + ended.stderr
