"""Energies of two models never meet in one hull, whatever they are called."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import nucleate as nc
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.mapping import cache, level
from nucleate.mapping.level import level_of
from nucleate.mapping.settings import MapSettings
from nucleate.relax.outcome import Relaxed

pytestmark = pytest.mark.usefixtures("short_visits")

MODULE = """
from ase.calculators.emt import EMT

class Shifted(EMT):
    def calculate(self, atoms=None, *args, **kwargs):
        super().calculate(atoms, *args, **kwargs)
        for key in ("energy", "free_energy"):
            self.results[key] += {shift} * len(atoms)
"""


def level_with(python: str | None = None, **engine: object) -> level.Level:
    tier = {"name": "a", "engine": engine, "python": python}
    return level_of(MapSettings.from_dict({"field": {"system": "Cu-Au"}, "tier": [tier]}).tier[0])


def test_a_module_counts_by_its_source_and_is_never_shared(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    keys = []
    for shift in (0.0, 1.0):
        (tmp_path / "shifted_one.py").write_text(MODULE.format(shift=shift))
        found = level_with(kind="ase", calculator="shifted_one:Shifted")
        assert not found.shared
        keys.append(found.key)
    assert keys[0] != keys[1]
    package = tmp_path / "shifted_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for text in ("one", "two"):
        (package / "helper.py").write_text(f"# {text}")
        keys.append(level_with(kind="ase", calculator="shifted_package.main:make").key)
    assert len(set(keys)) == 4


def test_a_folder_counts_by_its_content_and_a_program_is_never_shared(tmp_path):
    keys = []
    for text in ("one", "two"):
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "Cu.upf").write_text(text)
        for name in ("a", "b"):
            found = level_with(kind="espresso", pseudopotentials=str(tmp_path / name))
            assert not found.shared
            keys.append(found.key)
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_a_file_named_like_a_kind_does_not_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = level_with(kind="ase", calculator="ase.calculators.emt:EMT")
    (tmp_path / "ase").write_text("output of some command", encoding="utf-8")
    assert level_with(kind="ase", calculator="ase.calculators.emt:EMT") == before
    (tmp_path / "field.toml").write_text("[charges]\nCu = 0.0\n", encoding="utf-8")
    assert "field.toml" in str(level_with(kind="force-field", file="field.toml").contents)


def test_versions_and_the_interpreter_count_between_maps(monkeypatch):
    before = level_with(kind="chgnet")
    assert before.shared
    assert before == level_with(kind="chgnet")
    other = level_with("/usr/bin/other-python", kind="chgnet")
    assert (other.key, other.shared) == (before.key, "")
    monkeypatch.setattr(level, "surroundings", lambda: {"versions": {"chgnet": "0.0.0"}})
    after = level_with(kind="chgnet")
    assert after.key == before.key
    assert after.shared not in (before.shared, "")


def found_by_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and its workers import modules of a folder."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)


def _energies(folder: Path) -> dict[str, float]:
    found = nc.open_map(folder)
    return {row.formula: row.energy_ev_per_atom for row in found.rows if row.known_as}


def alloy(folder: Path, calculator: str, **stop: float) -> dict[str, object]:
    """Return the input of a small map with two references of the user."""
    folder.mkdir(exist_ok=True)
    for symbol in ("Cu", "Au"):
        bulk(symbol).write(folder / f"{symbol}.cif")
    field = {"system": "Cu-Au", "max_atoms": 2, "max_atoms_per_formula": 2}
    return {
        "field": {**field, "references": [str(folder)]},
        "search": {"generators": [{"kind": "symmetric"}], "known": "off"},
        "tier": [{"name": "emt", "engine": {"kind": "ase", "calculator": calculator}}],
        "stop": stop,
    }


@pytest.mark.slow
def test_a_changed_calculator_gets_energies_of_its_own(tmp_path, monkeypatch):
    """A new map relaxes the elements again, and a searched one is not continued."""
    found_by_workers(tmp_path, monkeypatch)
    monkeypatch.setattr(cache, "user_cache", lambda: tmp_path / "user")
    data = alloy(tmp_path / "known", "shifted_two:Shifted", structures=2)
    shown = []
    for folder, shift in (("one", 0.0), ("two", 1.25)):
        (tmp_path / "shifted_two.py").write_text(MODULE.format(shift=shift))
        nc.map(data, folder=tmp_path / folder, workers=1, display=False)
        shown.append(_energies(tmp_path / folder))
    for name in ("Cu", "Au"):
        assert shown[1][name] == pytest.approx(shown[0][name] + 1.25, abs=1e-6)
    with pytest.raises(InputError, match=r"shifted_two:Shifted.*content has changed.*--out"):
        nc.map(data, folder=tmp_path / "one", structures=4, workers=1, display=False)
    (tmp_path / "shifted_two.py").write_text(MODULE.format(shift=0.0))
    nc.map(data, folder=tmp_path / "one", structures=4, workers=1, display=False)
    assert _energies(tmp_path / "one") == shown[0]


@pytest.mark.slow
def test_only_known_compounds_are_relaxed_again(tmp_path, monkeypatch):
    """Where nothing was searched, references of the earlier content are left behind."""
    found_by_workers(tmp_path, monkeypatch)
    data = alloy(tmp_path / "known", "shifted_six:Shifted", core_time=1e-6)
    shown = []
    for shift in (0.0, 1.25):
        (tmp_path / "shifted_six.py").write_text(MODULE.format(shift=shift))
        nc.map(data, folder=tmp_path / "map", workers=1, display=False)
        shown.append(_energies(tmp_path / "map"))
    assert shown[1]["Cu"] == pytest.approx(shown[0]["Cu"] + 1.25, abs=1e-6)


def test_the_cache_of_the_user_serves_one_level_and_its_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "user_cache", lambda: tmp_path / "user")
    cell = np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0]])
    crystal = Crystal(np.array([29]), cell, np.zeros((1, 3)))
    forces, stress, theory = np.zeros((1, 3)), np.zeros((3, 3)), LevelOfTheory("emt", "1", "a")
    outcome = Relaxed(crystal, -1.0, -1.0, forces, stress, 0.0, 0.0, True, 1, 1, 0.1, theory)
    with cache.Caches(tmp_path / "one", "a") as caches:
        caches.put("key", outcome)
    for name, shared, is_found in (("two", "a", True), ("three", "b", False), ("four", "", False)):
        with cache.Caches(tmp_path / name, shared) as caches:
            assert (caches.get("key") is not None) == is_found
    with sqlite3.connect(tmp_path / "user" / "nucleate" / cache.NAME) as db:
        assert db.execute("SELECT count(*) FROM outcome").fetchone() == (1,)
    db.close()
