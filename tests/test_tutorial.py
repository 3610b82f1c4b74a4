"""The tutorial, run from top to bottom exactly as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).resolve().parent.parent / "docs" / "tutorial.md"
STUB = '#!/bin/sh\nexec "{python}" -m nucleate "$@"\n'


def shell_blocks() -> list[str]:
    """Return the shell blocks below the installation, which the README's command covers."""
    text = TUTORIAL.read_text(encoding="utf-8").partition("## A first search")[2]
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_step_is_a_command_of_nucleate() -> None:
    lines = [line for block in shell_blocks() for line in block.splitlines()]
    assert len(lines) >= 8
    assert all(line.startswith("nucleate ") for line in lines)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_tutorial_as_written(tmp_path: Path) -> None:
    pytest.importorskip("chgnet")
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "nucleate"
    program.write_text(STUB.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    for block in shell_blocks():
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    for name in ("nucleate-CoAs2/report.html", "so-far/ranking.csv", "from-input/run.db",
                 "with-seeds/run.db", "pool.extxyz", "relaxed-pool/relaxed.csv"):  # fmt: skip
        assert (work / name).exists(), name
    table = (
        TUTORIAL.read_text(encoding="utf-8").partition("| file | what |")[2].partition("\n\n")[0]
    )
    for line in table.splitlines()[2:]:
        for name in re.findall(r"`([\w.]+/?)`", line.split("|")[1]):
            assert (work / "nucleate-CoAs2" / name).exists(), name
