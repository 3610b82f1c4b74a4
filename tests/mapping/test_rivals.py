"""Of near structures of a composition the second model chooses its own lowest."""

from __future__ import annotations

import pytest
from tests.mapping.conftest import INPUT
from tests.report.maps.made import crystal_with, made_map

import nucleate as nc
from nucleate.api.map_rivals import RIVAL_EV, Rival, rivals_of
from nucleate.mapping.energies import Energies, RelaxedReference
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.reading import read_map
from nucleate.report.findings import read_findings
from nucleate.report.maps.advice import to_make_next
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
best = 3
judge = { name = "contrary", engine = { kind = "ase", calculator = "contrary:Contrary" } }
"""


@pytest.mark.usefixtures("short_visits")
def test_a_contrary_second_model_prefers_another_structure(tmp_path, monkeypatch):
    (tmp_path / "contrary.py").write_text(CONTRARY)
    (tmp_path / "field.toml").write_text(
        INPUT.replace("structures = 24", "structures = 15") + FINAL
    )
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
    assert "By the second model another structure than the one shown is the lowest of" in page
    advice = [item for item in to_make_next(found.rows) if item.formula in shown]
    assert all("by the second model" in item.doubts for item in advice)


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
