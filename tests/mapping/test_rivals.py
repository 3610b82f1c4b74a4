"""Of near structures of a composition the second model chooses its own lowest."""

from __future__ import annotations

import shutil
import sqlite3

import pytest
from tests.crystal.test_matching import ILMENITE, TILTED
from tests.mapping.conftest import INPUT
from tests.report.maps.made import crystal_with, made_map
from tests.report.runs import relaxed

import nucleate as nc
from nucleate.api.map_rivals import RIVAL_EV, Rival, preferred, rivals_of
from nucleate.mapping.energies import Energies, RelaxedReference
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.reading import read_map
from nucleate.report.findings import read_findings
from nucleate.report.maps.advice import _doubts
from nucleate.run.store import Store

CONTRARY = """
import numpy as np
from ase.calculators.emt import EMT


class Contrary(EMT):
    def calculate(self, *args, **options):
        super().calculate(*args, **options)
        self.results["energy"] *= -1.0
        self.results["forces"] = np.zeros_like(self.results["forces"])
        self.results["stress"] = np.zeros(6)
"""
"""At rest everywhere, and highest where effective-medium theory is lowest."""

FINAL = """
[final]
best = 4
judge = { name = "contrary", engine = { kind = "ase", calculator = "contrary:Contrary" } }
"""


@pytest.mark.usefixtures("short_visits")
def test_a_contrary_second_model_prefers_another_structure(tmp_path, monkeypatch):
    (tmp_path / "contrary.py").write_text(CONTRARY)
    (tmp_path / "field.toml").write_text(INPUT + FINAL)
    monkeypatch.chdir(tmp_path)
    found = nc.map("field.toml", folder="map", display=False)
    state = read_map("map")
    judged = state.meta[JUDGED]
    assert judged["others"]
    for formula, label in judged["others"].items():
        site = next(item for item in state.energies.sites if item.formula == formula)
        with Store.read(site.folder) as store:
            findings = read_findings(store)
            assert findings is not None
            energies = [
                relaxed.enthalpy_per_atom
                for row in findings.rows
                for record in store.records_of([row.record])
                if (relaxed := record.relaxed_by(row.tier)) is not None
            ]
        if isinstance(label, int):
            assert label != site.best_number
            assert label in {row.record for row in findings.rows}
            assert min(abs(judged["energies"][formula] + value) for value in energies) < 1e-4
        highest = max(value for value in energies if value <= min(energies) + RIVAL_EV)
        assert judged["energies"][formula] <= -highest + 1e-4
    shown = {row.formula: row.judged_structure for row in found.rows if row.judged_structure}
    assert set(shown) == set(judged["others"])
    found.export(tmp_path / "out")
    page = (tmp_path / "out" / "map.html").read_text(encoding="utf-8")
    assert "The second model prefers a structure other than the one shown for" in page
    for row in found.rows:
        if row.formula in shown:
            assert f"the second model puts {row.judged_structure} lowest" in _doubts(row)


def _damage_the_findings_of(found):
    """Destroy what the final phases have written; the structures stay."""
    for site in read_map(found.folder).energies.sites:
        if Store.exists(site.folder):
            with sqlite3.connect(site.folder / "run.db") as db:
                db.execute("UPDATE event SET data = '{' WHERE kind = 'final'")


def test_findings_that_cannot_be_read_leave_the_lowest_structures_to_the_judge(quick_map, tmp_path):
    folder = tmp_path / "map"
    shutil.copytree(quick_map, folder)
    found = nc.open(folder)
    judge = {"name": "other", "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}
    found.refine(best=2, judge=judge)
    _damage_the_findings_of(found)
    state = read_map(folder)
    site = next(item for item in state.energies.sites if item.best is not None)
    [phase] = [p for p in state.energies.phases() if p.composition.formula == site.formula]
    labels = [rival.label for rival in rivals_of(phase, state.energies, 3)]
    assert labels == ([site.best_number] if phase.site is site else [phase.reference.name])


def test_only_a_lower_and_other_structure_is_preferred():
    one, same, other = (Rival(label, crystal) for label, crystal in
                        ((4, TILTED), ("known", TILTED), (7, ILMENITE)))  # fmt: skip

    def choice(*outcomes):
        return preferred([one, same, other], outcomes)

    low, lower, lowest = (relaxed(TILTED, energy) for energy in (-3.0, -3.0005, -3.1))
    assert choice(low, None, relaxed(ILMENITE, -3.2)) == (pytest.approx(-3.2), 7)
    assert choice(low, lower, None) == (pytest.approx(-3.0005), None)
    assert choice(low, lowest, None) == (pytest.approx(-3.1), None)
    assert choice(low, None, relaxed(ILMENITE, -3.0005)) == (pytest.approx(-3.0005), None)
    assert choice(low, None, relaxed(TILTED, -3.2)) == (pytest.approx(-3.2), None)
    assert choice(None, None, relaxed(ILMENITE, -3.2)) is None


def test_a_known_structure_and_that_of_the_search_are_rivals_where_they_are_near(tmp_path):
    state = made_map("Cu-Au", tmp_path, max_atoms_per_formula=6)
    inner = [item for item in state.energies.sites if item.best is not None]
    site = inner[0]
    crystal = crystal_with(site.composition)

    def rivals(height: float) -> list[Rival]:
        known = RelaxedReference("known", site.composition, site.best + height, crystal)
        energies = Energies(
            state.field, state.energies.sites, [*state.energies.references, known], 24
        )
        phase = next(p for p in energies.phases() if p.composition.formula == site.formula)
        return rivals_of(phase, energies, 1)

    def labels(height: float) -> list[int | str]:
        return [rival.label for rival in rivals(height)]

    assert labels(-0.01) == ["known", site.best_number]
    assert labels(-2.0 * RIVAL_EV) == ["known"]
