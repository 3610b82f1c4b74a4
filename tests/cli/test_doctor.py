"""What is installed, and what is wrong with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from nucleate.api import doctor as module
from nucleate.api.doctor import Diagnosis, Finding, doctor, extras


def test_a_machine_that_passes_the_tests_can_run(nucleate) -> None:
    done = nucleate("doctor", "--json")
    facts = json.loads(done.out)
    assert done.status == 0
    assert facts["can_run"]
    sections = {item["section"] for item in facts["findings"]}
    assert sections == {
        "versions", "optional packages", "devices", "threads", "folders", "programs", "terminal",
    }  # fmt: skip
    for item in facts["findings"]:
        assert item["value"]
        assert bool(item["remedy"]) == (item["state"] != "ok"), item
    programs = {item["name"] for item in facts["findings"] if item["section"] == "programs"}
    assert {"vasp", "espresso", "cp2k", "gulp", "lammps", "gpaw"} <= programs
    assert not os.listdir(), "the working folder is left as it was"  # noqa: PTH208


def test_for_people(nucleate) -> None:
    done = nucleate("doctor")
    assert done.status == 0
    assert "Searches can run" in done.out
    assert "CPU cores" in done.out


def test_extras_are_those_of_the_metadata(monkeypatch) -> None:
    assert "chgnet" in extras()["torch"]
    lines = ["numpy>=2", 'phonopy>=4; extra == "phonons"', "pytest; extra == 'dev'"]
    monkeypatch.setattr(module.metadata, "requires", lambda _: lines)
    assert extras() == {"phonopy": ["phonons"]}


def test_problems_have_remedies(tmp_path, monkeypatch) -> None:
    closed = tmp_path / "no such folder"
    quota = tmp_path / "cpu.max"
    quota.write_text("50000 100000\n")
    monkeypatch.setattr(module, "_CPU_QUOTA", quota)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/nucleate")
    monkeypatch.setattr(module, "NEEDED", ("numpy", "no_such_module"))
    found = doctor(closed)
    names = {item.name: item for item in found.problems}
    assert {"working folder", "file locks", "CPU quota", "no_such_module"} <= set(names)
    assert "--workers 1" in names["CPU quota"].remedy
    assert not found.can_run
    assert all(item.remedy for item in found.problems)


def test_a_problem_that_is_not_fatal() -> None:
    assert Diagnosis((Finding("a", "b", "c", "problem", "d"),)).can_run


CALL = "import sys; sys.argv = ['nucleate']; from nucleate.cli import main; main()"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_complete_commands(shell: str) -> None:
    asked = {
        "_NUCLEATE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "nucleate wat",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "nucleate wat",
    }
    done = subprocess.run(
        [sys.executable, "-c", CALL], env=os.environ | asked, capture_output=True, text=True
    )
    assert "watch" in done.stdout, done
