"""What is measured of maps of known phase fields."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.library.conftest import KNOWN, perovskite

from nucleate.benchmark.phase_fields import (
    course,
    difference,
    hull_of,
    new_phases,
    recovered_by_judge,
    recoveries,
    structures_to_reach,
    without_refuted,
)
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.library.build import write_library
from nucleate.library.library import Library
from nucleate.mapping.energies import Energies, RelaxedReference
from nucleate.mapping.field import Field, field_of
from nucleate.mapping.reading import MapState
from nucleate.mapping.settings import FieldSettings
from nucleate.mapping.site import Site

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "phase_fields.py"
OPTIONS = FieldSettings(system="Sr-Ti-O", max_atoms=8)
META = {"input": {"tier": [{"name": "a model"}]}}
PEROVSKITE = perovskite("Sr", "Ti", "O", 3.905)
OTHER = perovskite("Ti", "Sr", "O", 4.6)


def reference(formula: str, energy: float, crystal: Crystal = PEROVSKITE) -> RelaxedReference:
    return RelaxedReference(formula, Composition.from_formula(formula), energy, crystal)


GIVEN = [reference(*item) for item in (("Sr", -1.0), ("Ti", -7.0), ("O2", -4.0), ("SrO", -5.5),
                                       ("TiO2", -8.0))]  # fmt: skip
GIVEN[2] = RelaxedReference("O", Composition.from_formula("O"), -4.0, PEROVSKITE)
KNOWN_PHASES = [*GIVEN, reference("SrTiO3", -7.3)]


@pytest.fixture(scope="module")
def field() -> Field:
    return field_of(OPTIONS)


def known_hull(field: Field):
    return hull_of(field, [(item.composition, item.energy) for item in KNOWN_PHASES])


def state_with(field: Field, found: dict[str, tuple[float, Crystal]]) -> MapState:
    sites = [Site(item, Path("nowhere")) for item in field.compositions]
    for formula, (energy, crystal) in found.items():
        place = field.index_of(formula)
        assert place is not None
        sites[place].note(0, energy)
        sites[place].best_crystal = crystal
    return MapState(Path("nowhere"), OPTIONS, field, Energies(field, sites, GIVEN, 8), (), META)


def test_the_difference_of_hulls_is_that_of_the_tie_line(field: Field) -> None:
    given = hull_of(field, [(item.composition, item.energy) for item in GIVEN])
    counts = np.array([field.counts_of(Composition.from_formula("SrTiO3"))])
    # SrO and TiO2 give (2 * -5.5 + 3 * -8.0) / 5 = -7.0
    found = difference(given, known_hull(field), counts)
    assert found.mean == pytest.approx(300.0)
    assert (found.missing, found.lower) == (pytest.approx(300.0), pytest.approx(0.0))
    back = difference(known_hull(field), given, counts)
    assert (back.missing, back.lower) == (pytest.approx(0.0), pytest.approx(300.0))


def test_the_course_counts_structures_and_falls(field: Field) -> None:
    def visit(formula: str, structures: int, best: float | None):
        return 0.0, 0.0, "visit", formula, {"structures": structures, "best": best}

    events = [
        (0.0, 0.0, "start", None, {}),
        visit("SrTiO3", 5, None),
        visit("Sr2TiO4", 5, -1.0),
        visit("SrTiO3", 15, -7.2),
        visit("SrTiO3", 25, -7.3),
    ]
    steps = course(field, GIVEN, events, known_hull(field))
    assert [number for number, _ in steps] == [0, 5, 10, 20, 30]
    missing = [step.missing for _, step in steps]
    assert missing[0] == missing[1] == missing[2] > missing[3] > missing[4]
    assert missing[4] == pytest.approx(0.0, abs=1e-9)
    assert missing[3] == pytest.approx(missing[0] / 3.0)
    assert structures_to_reach(steps, missing[0]) == 0
    assert structures_to_reach(steps, 0.5 * missing[0]) == 20
    assert structures_to_reach(steps[:-1], 0.1 * missing[0]) is None


def test_a_known_phase_is_recovered_only_with_its_structure_and_on_the_hull(field: Field) -> None:
    known = known_hull(field)

    def outcome(found: dict[str, tuple[float, Crystal]]):
        (row,) = recoveries(state_with(field, found), KNOWN_PHASES, known)
        return row

    assert outcome({}).height_mev is None
    right = outcome({"SrTiO3": (-7.3, PEROVSKITE)})
    assert right.is_recovered
    assert right.on_grid
    assert right.height_mev == pytest.approx(0.0)
    wrong = outcome({"SrTiO3": (-7.25, OTHER)})
    assert not wrong.is_same
    assert wrong.height_mev == pytest.approx(50.0)
    high = outcome({"SrTiO3": (-6.9, PEROVSKITE)})
    assert high.is_same
    assert not high.is_recovered


def test_a_second_model_recovers_what_it_prefers_and_refutes_the_rest(field: Field) -> None:
    from nucleate.mapping.judged import JUDGED, identity_of

    state = state_with(field, {"SrTiO3": (-7.35, PEROVSKITE), "Sr2TiO4": (-7.2, OTHER)})
    phases = state.energies.phases()
    values = {item.composition.formula: item.energy for item in phases}
    judged = {
        "energies": values | {"Sr2TiO4": -6.0},
        "structures": {item.composition.formula: identity_of(item) for item in phases},
    }
    state = replace(state, meta=META | {JUDGED: judged})
    known = known_hull(field)
    assert recovered_by_judge(state, KNOWN_PHASES, known) == ["SrTiO3"]
    left = without_refuted(state)
    assert "SrTiO3" in {left.names[k] for k in left.vertices}
    assert "Sr2TiO4" not in left.names
    values["SrTiO3"] = -6.5
    judged["energies"] = values
    assert recovered_by_judge(state, KNOWN_PHASES, known) == []


def test_new_phases_are_below_the_known_hull(field: Field) -> None:
    known = known_hull(field)
    found = {"SrTiO3": (-7.31, OTHER), "Sr2TiO4": (-6.9, OTHER)}
    new = new_phases(state_with(field, found), KNOWN_PHASES, known)
    assert [(item.formula, item.has_known) for item in new] == [
        ("Sr2TiO4", False),
        ("SrTiO3", True),
    ]
    assert new[1].below_mev == pytest.approx(10.0)
    # SrO and SrTiO3 give (2 * -5.5 + 5 * -7.3) / 7
    assert new[0].below_mev == pytest.approx(1000.0 * (6.9 - 47.5 / 7.0))
    assert not new_phases(state_with(field, {"SrTiO3": (-7.3005, OTHER)}), KNOWN_PHASES, known)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("phase_fields", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_maps_are_given_nothing_of_the_field_but_elements_and_binaries(
    tmp_path: Path, script: ModuleType
) -> None:
    write_library(iter(KNOWN), tmp_path / "all.nlib", {})
    case = script.Case("Sr-Ti-O", "a test")
    given, known = script.libraries(case, tmp_path / "all.nlib", tmp_path)
    names = {Library.load([given]).entry(k).name for k in range(len(Library.load([given])))}
    assert names == {item.name for item in KNOWN} - {"t-6"}
    own = Library.load([known])
    assert {own.entry(k).name for k in range(len(own))} == {"t-6", "t-9"}
    settings = script.settings_of(case, given, "equal", 1, {"core_time": "2h"})
    assert settings.search.known == "no-formula"
    assert settings.field.references == settings.search.library == (str(given),)


def test_every_case_is_a_field(script: ModuleType) -> None:
    sizes = [len(case.numbers) for case in script.CASES]
    assert (sizes.count(3), sizes.count(4)) == (10, 3)
    for case in script.CASES:
        assert len(field_of(FieldSettings(system=case.system, **case.options)).compositions) > 5


def test_a_row_takes_the_place_of_the_one_of_the_same_map(
    tmp_path: Path, script: ModuleType
) -> None:
    path = tmp_path / "rows.csv"
    row = {"field": "Sr-Ti-O", "rule": "hull", "seed": 0, "structures": 10, "share": None}
    for change in ({}, {"rule": "equal"}, {"structures": 20}):
        script.write_row(path, row | change)
    rows = script.read_rows(path)
    assert [(r["rule"], r["structures"]) for r in rows] == [("equal", "10"), ("hull", "20")]
    keys = script.COLUMNS
    text = script.table([r | dict.fromkeys(keys, "") for r in rows])
    assert len(text.splitlines()) == 4
