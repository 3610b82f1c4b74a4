"""All compositions of a map under pressure have one compression."""

from __future__ import annotations

import pytest

import nucleate as nc
from nucleate.mapping.field import field_of
from nucleate.mapping.pressure import middle_of
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.store import MapStore
from nucleate.run.store import Store


@pytest.mark.parametrize(
    ("system", "middle"), [("Y2O3-SrO-TiO2", "YSrTiO4"), ("Mg-O", "MgO"), ("MgO-SrO", "SrMgO2")]
)
def test_the_middle_of_a_field(system, middle):
    field = field_of(MapSettings.from_dict({"field": {"system": system}}))
    found = middle_of(field)
    assert field.coordinates_of(found).std() == pytest.approx(
        min(field.coordinates_of(item).std() for item in field.inner)
    )
    if system != "Y2O3-SrO-TiO2":
        assert found.formula == middle


@pytest.mark.slow
def test_runs_and_workers_of_a_map_have_the_same_compression(tmp_path, monkeypatch):
    from ase.calculators.emt import EMT

    from nucleate.energy.compression import Compression
    from nucleate.mapping import pressure, running

    asked, guards = [], []

    def found(settings):
        asked.append(settings.problem.formula)
        return Compression(0.9, "", "emt")

    def noted(tiers, factor):
        guards.append(factor)
        return tuple(tiers)

    monkeypatch.setattr(pressure, "compression_by_the_model", found)
    monkeypatch.setattr(running, "under_pressure", noted)
    data = {
        "field": {
            "system": "Cu-Au",
            "max_atoms": 2,
            "max_atoms_per_formula": 2,
            "pressure_gpa": 20.0,
            "references": [],
        },
        "search": {"generators": [{"kind": "symmetric"}], "known": "off"},
    }
    folder = tmp_path / "map"
    for structures in (2, 20):
        data["stop"] = {"structures": structures}
        nc.map(data, model=EMT(), folder=folder, display=False)
    assert asked == ["AuCu"]
    assert set(guards) == {0.9}
    with MapStore.read(folder) as store:
        assert store.meta["input"]["field"]["compression"] is None
        assert store.meta["compression"]["factor"] == pytest.approx(0.9)
    factors = set()
    for path in (folder / "compositions").iterdir():
        with Store.read(path) as store:
            factors.add(store.meta["input"]["problem"]["compression"])
    assert factors == {0.9}
