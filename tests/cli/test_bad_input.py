"""Input that cannot be used: one sentence, exit status 2, nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def nucleate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nucleate", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("predict", "Xx2"), "'Xx' is not known"),
        (("predict", "SrTiO3", "--max-atoms", "3"), "at least 5"),
        (("predict", "nope.toml"), "cannot be read"),
        (("predict", "SrTiO3", "--tier", "chgnett"), "not an engine"),
        (("predict", "SrTiO3", "--generator", "seeds=nothing.cif"), "matches no structure file"),
        (("status", "nowhere"), "not a run folder"),
        (("export", "nowhere"), "not a run folder"),
    ],
)
def test_one_sentence_and_status_2(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    ended = nucleate(tmp_path, *arguments)
    assert ended.returncode == 2, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.rglob("run.db"))


def test_misspelt_key_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[problem]\nformula = "NaCl"\nmax_atom = 8\n')
    ended = nucleate(tmp_path, "predict", "run.toml")
    assert ended.returncode == 2
    assert "max_atom" in ended.stderr
    assert "max_atoms" in ended.stderr


def test_generate_writes_valid_crystals_and_never_overwrites(tmp_path: Path) -> None:
    from nucleate.crystal.composition import Composition
    from nucleate.crystal.files import read_crystals
    from nucleate.crystal.space import SearchSpace

    arguments = ("generate", "SrTiO3", "--generator", "symmetric", "--number", "5")
    assert nucleate(tmp_path, *arguments, "--max-atoms", "10").returncode == 0
    space = SearchSpace.create(Composition.from_formula("SrTiO3"), max_atoms=10)
    named = read_crystals(tmp_path / "pool.extxyz")
    assert len(named) == 5
    assert all(space.rejection(crystal) is None for _, crystal in named)
    again = nucleate(tmp_path, *arguments)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_init_writes_an_input_that_is_valid(tmp_path: Path) -> None:
    from nucleate.run.settings import RunSettings

    assert nucleate(tmp_path, "init", "CoAs2").returncode == 0
    assert RunSettings.from_toml(tmp_path / "run.toml").problem.formula == "CoAs2"
