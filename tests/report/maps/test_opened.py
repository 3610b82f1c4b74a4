"""The hull of a map at one condition of a reservoir."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import pytest
from tests.report.maps.made import made_map

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.mapping.gases import potential
from nucleate.mapping.known import LostReference
from nucleate.report.maps.opened import open_to
from nucleate.report.maps.page import _reservoirs, map_page_text
from nucleate.report.maps.reservoir import open_ranges
from nucleate.report.maps.rows import map_rows


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return made_map("Sr-Ti-O", tmp_path_factory.mktemp("map"), max_atoms_per_formula=9)


def test_stable_phases_are_those_of_pymatgen(state, tmp_path):
    diagrams = pytest.importorskip("pymatgen.analysis.phase_diagram")
    from pymatgen.core import Element

    from nucleate.report.maps.materials import phase_diagram

    whole = phase_diagram(state)
    found = open_to(state, "O", temperature_k=1000.0, pressure_bar=0.21)
    assert found.potential_ev == pytest.approx(potential("O", 1000.0, 0.21))
    oxygen = whole.el_refs[Element("O")].energy_per_atom
    chempots = {Element("O"): oxygen + found.potential_ev}
    entries = [item for item in whole.all_entries if item.composition.reduced_formula != "O2"]
    expected = diagrams.GrandPotentialPhaseDiagram(entries, chempots)
    stable = {item.original_comp.reduced_formula for item in expected.stable_entries}
    assert {Composition.from_formula(text).formula for text in found.stable} == {
        Composition.from_formula(text).formula for text in stable
    }
    path = found.write_csv(tmp_path / "open_hull_O.csv")
    with path.open(encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert [row["formula"] for row in read] == [row.formula for row in found.rows]
    assert read[0]["temperature_k"] == "1000.0"
    with pytest.raises(InputError, match=r"none.*cannot be written .*Choose another file"):
        found.write_csv(tmp_path / "none" / "x.csv")


@pytest.mark.parametrize(("symbol", "mu"), [("O", -1.0), ("Sr", -0.2), ("Ti", 0.0)])
def test_reactions_with_the_reservoir_are_balanced(state, symbol, mu):
    found = open_to(state, symbol, potential_ev=mu)
    reactions = [row.reaction for row in found.rows if not row.is_stable]
    assert reactions
    for reaction in reactions:
        sides = []
        for side in reaction.split(" → "):
            counts: dict[str, int] = {}
            for term in side.split(" + "):
                number, formula = re.fullmatch(r"(?:(\d+) )?(\S+)", term).groups()
                for name, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
                    counts[name] = counts.get(name, 0) + int(number or 1) * int(count or 1)
            sides.append(counts)
        assert sides[0] == sides[1], reaction
    assert f"open to {symbol} at {mu:.3f} eV" in found.text(3)


@pytest.mark.parametrize(
    ("symbol", "condition", "message"),
    [
        ("N", {"potential_ev": -1.0}, "Choose one of"),
        ("O", {}, "Give a temperature"),
        ("Sr", {}, "Give its chemical potential"),
        ("Sr", {"temperature_k": 1000.0}, "chemical potential in eV instead"),
        ("O", {"temperature_k": 9000.0}, "Give a temperature in between"),
        ("O", {"temperature_k": 1000.0, "pressure_bar": -1.0}, "positive partial pressure"),
        ("O", {"temperature_k": 100.0, "pressure_bar": 1e30}, "Lower the pressure"),
        ("O", {"potential_ev": 0.5}, "Give 0 or less"),
        ("O", {"potential_ev": float("nan")}, "Give 0 or less"),
        ("O", {"potential_ev": -1.0, "temperature_k": 500.0}, "Leave one of them out"),
    ],
)
def test_conditions_that_are_none_are_refused(state, symbol, condition, message):
    with pytest.raises(InputError, match=message):
        open_to(state, symbol, **condition)


def test_known_structures_that_are_not_in_the_hull_are_said(state):
    lost = (LostReference("mp-1", "SrO", ""), LostReference("mp-2", "TiO2", "too slow"))
    found = open_to(replace(state, lost=lost), "O", potential_ev=-1.0)
    for words in ("1 known structures are not relaxed yet", "mp-2 of TiO2 (too slow)"):
        assert words in found.text(3)
        assert words in found.to_dict()["doubts"][0]
    assert open_to(state, "O", potential_ev=-1.0).doubts == ()


def test_end_members_are_refused_with_the_field_to_map(tmp_path):
    state = made_map("SrO-TiO2", tmp_path, max_atoms_per_formula=9)
    with pytest.raises(InputError, match="Map the elements: Sr-Ti-O"):
        open_to(state, "O", potential_ev=-1.0)


def test_the_page_has_a_table_for_each_element(state):
    text = map_page_text(state, map_rows(state.energies))
    assert text.count('<details name="reservoir"') == 3


def test_a_gas_says_nothing_of_a_compressed_field(tmp_path):
    state = made_map("Sr-Ti-O", tmp_path, max_atoms_per_formula=9, pressure_gpa=50.0)
    with pytest.raises(InputError, match=r"50 GPa of this map\. Give the potential of O"):
        open_to(state, "O", temperature_k=1000.0, pressure_bar=0.21)
    assert open_to(state, "O", potential_ev=-1.0).rows
    assert all(item.coldest_k is item.hottest_k is None for item in open_ranges(state, "O"))
    (table,) = [item for item in _reservoirs(state) if item["symbol"] == "O"]
    assert not table["is_gas"]
