"""A composition that has no energy is a hole that the map shows, with its reason."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.mapping.test_level import found_by_workers

import nucleate as nc
from nucleate.errors import ComponentError
from nucleate.mapping.reading import read_map
from nucleate.report.maps.status import status_text
from nucleate.run.executor import InlineExecutor
from nucleate.run.pool import WorkerStartError

BROKEN = """
from nucleate import Component
from nucleate.generate.kinds.symmetric import SymmetricSettings
from pydantic import Field

class Broken(Component):
    weight: float = Field(1.0, ge=0.0)

    def build(self, context):
        return Generator(context)

class Generator:
    name = "broken"

    def __init__(self, context):
        self.formula = context.space.composition.formula
        self.inner = SymmetricSettings().build(context)

    def generate(self, *, rng, max_formula_units=None):
        if self.formula in {formulas}:
            raise KeyError("boom")
        return self.inner.generate(rng=rng, max_formula_units=max_formula_units)
"""
DATA: dict[str, Any] = {
    "field": {"system": "Cu-Au", "max_atoms": 4, "max_atoms_per_formula": 3, "references": []},
    "search": {"generators": [{"kind": "broken_one:Broken"}], "known": "off"},
    "allocation": {"rule": "equal", "first": 3, "slice": 3},
    "stop": {"structures": 15, "expected_change_mev": 0},
    "run": {"workers": 1},
}


def picky(*refused: int) -> Any:
    """Return a calculator that fails for crystals of these elements alone."""
    from ase.calculators import emt

    class Picky(emt.EMT):
        def calculate(self, atoms: Any = None, *args: Any, **kwargs: Any) -> None:
            if set(atoms.numbers.tolist()) == set(refused):
                raise RuntimeError("none of these here")
            super().calculate(atoms, *args, **kwargs)

    return Picky()


pytestmark = pytest.mark.usefixtures("short_visits")


def hull_rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "hull.csv").open(encoding="utf-8", newline="") as stream:
        return {row["formula"]: row for row in csv.DictReader(stream)}


def test_a_generator_that_raises_leaves_one_hole(tmp_path, monkeypatch):
    found_by_workers(tmp_path, monkeypatch)
    (tmp_path / "broken_one.py").write_text(BROKEN.replace("{formulas}", "('AuCu2',)"))
    folder = tmp_path / "map"
    for structures in (15, 18):  # the second start meets it again and continues all the same
        found = nc.map(DATA, model=picky(), folder=folder, structures=structures, display=False)
        facts = found.status()
        assert facts["structures"] >= structures
        assert facts["no_energy"] == ["AuCu2"]
        assert "boom" in facts["no_energy_error"]
        rows = {row.formula: row for row in found.rows}
        assert rows["AuCu2"].state == "no energy"
        assert "raised KeyError" in rows["AuCu2"].reason
        assert rows["Au2Cu"].n_structures > 0
    found.export()
    assert "boom" in hull_rows(folder)["AuCu2"]["reason"]
    assert "no energy at 1 composition (AuCu2); most frequent error: " in status_text(facts)
    assert "no energy at 1 composition (AuCu2)" in (folder / "map.html").read_text("utf-8")


def test_a_map_of_holes_ends_by_itself(tmp_path, monkeypatch):
    found_by_workers(tmp_path, monkeypatch)
    text = BROKEN.replace("{formulas}", "('Cu', 'Au', 'AuCu', 'AuCu2', 'Au2Cu')")
    (tmp_path / "broken_two.py").write_text(text)
    data = {**DATA, "search": {"generators": [{"kind": "broken_two:Broken"}], "known": "off"}}
    found = nc.map(data, model=picky(), folder=tmp_path / "map", display=False)
    facts = found.status()
    assert len(facts["no_energy"]) == facts["compositions"] == 5
    assert facts["stop_reason"] == "every composition of the map is complete"


@pytest.mark.parametrize("error", [WorkerStartError("no engine"), ComponentError("no engine")])
def test_workers_that_cannot_start_end_the_map_and_it_says_so(tmp_path, monkeypatch, error):
    """Whatever its class, what the executor raises is no fault of one composition."""
    data = {**DATA, "search": {"generators": [{"kind": "symmetric"}], "known": "off"}}
    inner, calls = InlineExecutor.poll, []

    def poll(self: InlineExecutor, timeout_s: float) -> Any:
        calls.append(timeout_s)
        if len(calls) > 6:
            raise error
        return inner(self, timeout_s)

    monkeypatch.setattr(InlineExecutor, "poll", poll)
    with pytest.raises(type(error), match="no engine"):
        nc.map(data, model=picky(), folder=tmp_path / "map", display=False)
    state = read_map(tmp_path / "map")
    assert state.events[-1][2] == "stop"
    facts = nc.open_map(tmp_path / "map").status()
    assert facts["stop_reason"] == "ended by an error: no engine"
    assert hull_rows(tmp_path / "map")
    assert len([event for event in state.events if event[2] == "blank"]) == 0


def test_the_most_frequent_error_of_a_composition_is_its_reason(tmp_path):
    data = {**DATA, "search": {"generators": [{"kind": "symmetric"}], "known": "off"}}
    found = nc.map(data, model=picky(79), folder=tmp_path / "map", display=False)
    found.export()
    reason = hull_rows(tmp_path / "map")["Au"]["reason"]
    assert "structures: calculator: " in reason
    assert "none of these here" in reason
    text = status_text(found.status())
    assert "no energy at 1 composition (Au); most frequent error: calculator: " in text
    page = (tmp_path / "map" / "map.html").read_text("utf-8")
    assert "There is no energy at 1 composition (Au)" in page
