"""OPTIMADE: the rules of the specification, checked one by one, and what other programs read."""

from __future__ import annotations

import json
import re
from collections import Counter
from math import gcd
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.formula import Formula
from hypothesis import given, settings
from pymatgen.core import Composition, Lattice, Structure
from tests.report.conftest import emt_outcome

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.report.columns import columns
from nucleate.report.content import read_run
from nucleate.report.export import export_run
from nucleate.report.optimade import anonymous_formula, resource, structure, write_optimade
from nucleate.report.render import row_dict
from nucleate.report.rows import Row
from nucleate.report.views import RANKING
from nucleate.search.record import Record, TierOutcome
from nucleate.units import GPA_PER_EV_A3
from strategies import crystals

PROVIDED = re.compile(r"_nucleate_[a-z][a-z0-9_]*")


def check(found: dict) -> None:
    """Check the attributes of a structure against section Structures of version 1.2."""
    elements, sites = found["elements"], found["species_at_sites"]
    assert elements == sorted(set(sites))
    assert found["nelements"] == len(elements)
    assert sum(found["elements_ratios"]) == pytest.approx(1.0)
    shares = [sites.count(name) / len(sites) for name in elements]
    np.testing.assert_allclose(found["elements_ratios"], shares)
    parts = re.findall(r"([A-Z][a-z]?)([1-9]\d*)?", found["chemical_formula_reduced"])
    assert [name for name, _ in parts] == elements
    assert "1" not in [number for _, number in parts]
    numbers = [int(number or 1) for _, number in parts]
    assert gcd(*numbers) == 1
    letters = re.findall(r"([A-Z][a-z]?)([1-9]\d*)?", found["chemical_formula_anonymous"])
    assert [name for name, _ in letters] == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(elements)])
    assert [int(number or 1) for _, number in letters] == sorted(numbers, reverse=True)
    assert found["dimension_types"] == [1, 1, 1]
    assert found["nperiodic_dimensions"] == 3
    assert np.shape(found["lattice_vectors"]) == (3, 3)
    assert np.shape(found["cartesian_site_positions"]) == (found["nsites"], 3)
    assert len(sites) == found["nsites"]
    names = [item["name"] for item in found["species"]]
    assert len(set(names)) == len(names)
    assert set(names) == set(sites)
    for item in found["species"]:
        assert item["chemical_symbols"] == [item["name"]]
        assert item["concentration"] == [1.0]
    assert found["structure_features"] == []


@settings(max_examples=30)
@given(crystals())
def test_every_crystal_keeps_the_rules(crystal: Crystal) -> None:
    found = json.loads(json.dumps(structure(crystal), allow_nan=False))
    check(found)
    again = Crystal.from_positions(
        crystal.numbers, found["lattice_vectors"], found["cartesian_site_positions"]
    )
    difference = again.scaled - crystal.scaled
    np.testing.assert_allclose(difference, np.round(difference), atol=1e-7)
    assert Formula(found["chemical_formula_hill"]).count() == Formula(crystal.formula).count()
    assert Formula(crystal.formula).format("hill") == found["chemical_formula_hill"]


TYPES = {
    "immutable_id": type(None), "last_modified": type(None), "elements": list, "nelements": int,
    "elements_ratios": list, "chemical_formula_descriptive": str, "chemical_formula_reduced": str,
    "chemical_formula_hill": str, "chemical_formula_anonymous": str, "dimension_types": list,
    "nperiodic_dimensions": int, "lattice_vectors": list, "cartesian_site_positions": list,
    "nsites": int, "species": list, "species_at_sites": list, "structure_features": list,
}  # fmt: skip
"""Properties of a structure in version 1.2, as JSON types."""


@settings(max_examples=20)
@given(crystals(symbols=("C", "H", "O", "Ti", "Ca", "N")))
def test_formulas_and_sites_are_those_of_pymatgen(crystal: Crystal) -> None:
    found = structure(crystal)
    assert {key: type(value) for key, value in found.items()} == TYPES
    expected = Composition(Counter(found["species_at_sites"]))
    assert found["chemical_formula_anonymous"] == anonymous_of(expected)
    assert found["chemical_formula_hill"] == expected.hill_formula.replace(" ", "")
    reduced = reduced_of(expected).alphabetical_formula
    assert found["chemical_formula_reduced"] == re.sub(r"(?<=[A-Za-z])1(?!\d)| ", "", reduced)
    assert Composition(found["chemical_formula_descriptive"]) == expected
    again = Structure(
        Lattice(found["lattice_vectors"]), found["species_at_sites"],
        found["cartesian_site_positions"], coords_are_cartesian=True,
    )  # fmt: skip
    assert again.volume == pytest.approx(crystal.volume)
    inside = again.frac_coords
    assert ((inside > -1e-6) & (inside < 1.0 + 1e-6)).all(), "in the cell"
    np.testing.assert_allclose(
        np.sort(again.distance_matrix, axis=None),
        np.sort(crystal.to_pymatgen().distance_matrix, axis=None), atol=1e-6,
    )  # fmt: skip
    atoms = Atoms(
        found["species_at_sites"], cell=found["lattice_vectors"],
        positions=found["cartesian_site_positions"], pbc=found["dimension_types"],
    )  # fmt: skip
    assert atoms.get_volume() == pytest.approx(crystal.volume)
    assert atoms.numbers.tolist() == crystal.numbers.tolist()


def reduced_of(composition: Composition) -> Composition:
    """Return a composition over the common divisor; pymatgen has O2 for oxygen."""
    return composition / gcd(*(int(amount) for amount in composition.values()))


def anonymous_of(composition: Composition) -> str:
    """Return the anonymous formula by falling amounts; pymatgen's own is by rising ones."""
    falling = sorted((int(amount) for amount in reduced_of(composition).values()), reverse=True)
    parts = zip("ABCDEF", falling, strict=False)
    return "".join(f"{letter}{n if n > 1 else ''}" for letter, n in parts)


def test_values_of_the_ranking_are_in_the_resource_once_and_json() -> None:
    crystal = Crystal(np.array([29]), 2.6 * np.eye(3), np.zeros((1, 3)))
    candidate = Candidate(crystal, Origin("blocks"))
    row = Row.of_record(Record(3, candidate, (TierOutcome("emt", emt_outcome(crystal)),)))
    item = json.loads(json.dumps(resource(row), allow_nan=False))
    values = item["attributes"]
    for key, value in row_dict(row, columns(*RANKING)).items():
        assert values[f"_nucleate_{key}"] == value
    assert np.shape(values["_nucleate_forces_ev_per_angstrom"]) == (1, 3)
    assert np.shape(values["_nucleate_stress_gpa"]) == (3, 3)
    assert not [key for key in values if "scaled_positions" in key or "cell_angstrom" in key]
    assert item["id"] == "r3"


def test_letters_continue_as_in_the_specification() -> None:
    counts = {f"x{k}": 1 for k in range(80)}
    letters = re.findall("[A-Z][a-z]?", anonymous_formula(counts))
    assert letters[24:30] == ["Y", "Z", "Aa", "Ba", "Ca", "Da"]
    assert letters[51:54] == ["Za", "Ab", "Bb"]
    assert len(set(letters)) == 80


def test_no_rows_are_a_document_without_data(tmp_path: Path) -> None:
    write_optimade(tmp_path / "a.json", [])
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert document["data"] == []
    assert document["meta"]["data_returned"] == 0
    assert document["meta"]["query"]["representation"] == "/structures"
    assert document["meta"]["more_data_available"] is False
    assert set(document["meta"]["provider"]) == {"name", "description", "prefix"}


def test_formulas() -> None:
    assert anonymous_formula({"Sr": 2, "Ti": 2, "O": 6}) == "A3BC"
    assert anonymous_formula({f"{k}": 1 for k in range(28)}).endswith("YZAaBa")


def test_the_file_of_a_run(run_folder: Path) -> None:
    export_run(run_folder)
    ranked = read_run(run_folder).ranked()
    document = json.loads((run_folder / "structures.optimade.json").read_text(encoding="utf-8"))
    assert document["meta"]["api_version"].startswith("1.2")
    assert document["meta"]["data_returned"] == len(document["data"]) == len(ranked)
    ids = [item["id"] for item in document["data"]]
    assert len(set(ids)) == len(ids)
    for item, expected in zip(document["data"], ranked, strict=True):
        assert item["type"] == "structures"
        check(item["attributes"])
        own = {key for key in item["attributes"] if key.startswith("_")}
        assert all(PROVIDED.fullmatch(key) for key in own)
        unit = "ev" if expected.relaxed.level.unit == "eV" else "arbitrary"
        energy = item["attributes"][f"_nucleate_energy_{unit}_per_atom"]
        assert energy == pytest.approx(expected.relaxed.energy_per_atom)
        given = item["attributes"].items()
        assert [v for key, v in given if key.startswith("_nucleate_pressure_")] == [0.0]


def test_pymatgen_reads_it() -> None:
    reader = pytest.importorskip("pymatgen.io.optimade").OptimadeStructureAdapter
    crystal = Crystal.from_ase(bulk("Cu", cubic=True))
    read = reader.get_structure({"id": "1", "type": "structures", "attributes": structure(crystal)})
    assert read.composition.formula == "Cu4"
    np.testing.assert_allclose(read.lattice.matrix, crystal.cell)
    np.testing.assert_allclose(read.cart_coords, crystal.positions, atol=1e-12)


def test_optimade_python_tools_accept_it() -> None:
    models = pytest.importorskip("optimade.models")
    crystal = Crystal(np.array([11, 17]), 5.6 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
    models.StructureResource(id="1", type="structures", attributes=structure(crystal))


def test_the_pressure_of_an_outcome() -> None:
    from dataclasses import replace

    found = emt_outcome(Crystal(np.array([29]), 2.6 * np.eye(3), np.zeros((1, 3))))
    assert found.pressure_gpa == 0.0
    pressed = replace(found, enthalpy=found.energy + 12.5 / GPA_PER_EV_A3 * found.crystal.volume)
    assert pressed.pressure_gpa == pytest.approx(12.5)
