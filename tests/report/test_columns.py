"""Columns and tables: values with independent oracles, units, texts for people and machines."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import replace
from math import gcd
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as in_group
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from tests.report.runs import EV, FCC, PROXY, MadeRun, made_runs, record, relaxed, stored
from tests.strategies import spread_crystals

from nucleate.crystal.candidate import Origin
from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Failed, FailReason
from nucleate.report import naming
from nucleate.report.columns import COLUMNS, columns, density, status_of, stress_in, unit_of
from nucleate.report.content import read_run
from nucleate.report.findings import Copy, Finding, Opinion
from nucleate.report.render import row_dict, texts, to_dicts, to_pandas, write_csv
from nucleate.report.rows import Row, ranked_rows, record_rows
from nucleate.report.views import RANKING, SHORT_RANKING, result_columns
from nucleate.search.record import SearchUpdate
from nucleate.units import GPA_PER_EV_A3


def row_of(crystal: Crystal = FCC, level=EV, pressure_gpa: float = 0.0, **values) -> Row:
    found = relaxed(crystal, -1.5, level=level)
    found = replace(
        found, enthalpy=found.energy + pressure_gpa / GPA_PER_EV_A3 * crystal.volume, **values
    )
    return Row.of_record(record(5, ("emt", found), crystal=crystal, finished_s=12.3456))


@settings(max_examples=20)
@given(spread_crystals(max_atoms=8), st.integers(0, 60))
def test_values_of_a_geometry_are_those_of_pymatgen(crystal: Crystal, pressure: int) -> None:
    expected = crystal.to_pymatgen()
    found = row_dict(row_of(crystal, pressure_gpa=float(pressure)), columns(*RANKING))
    assert found["density_g_per_cm3"] == pytest.approx(float(expected.density), rel=1e-3)
    assert found["volume_ang3_per_atom"] == pytest.approx(expected.volume / len(expected))
    assert found["n_atoms"] == len(expected)
    units = gcd(*(int(amount) for amount in expected.composition.values()))
    assert found["formula_units"] == units
    assert Composition(found["formula"]) * units == expected.composition
    assert found["pressure_gpa"] == pytest.approx(pressure, abs=1e-9)
    enthalpy = -1.5 + pressure / GPA_PER_EV_A3 * crystal.volume_per_atom
    assert found["enthalpy_ev_per_atom"] == pytest.approx(enthalpy)
    assert found["energy_ev_per_atom"] == -1.5


GROUPS = {
    "Fm-3m": bulk("NaCl", "rocksalt", a=5.64), "F-43m": bulk("ZnS", "zincblende", a=5.41),
    "Fd-3m": bulk("Si"), "P6_3/mmc": bulk("Mg"), "Im-3m": bulk("W"),
    "P4_2/mnm": in_group(["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
                         cellpar=[4.594, 4.594, 2.959, 90, 90, 90]),
}  # fmt: skip


@pytest.mark.parametrize("symbol", GROUPS)
def test_space_groups_are_those_of_pymatgen(symbol: str) -> None:
    crystal = Crystal.from_ase(GROUPS[symbol])
    found = row_dict(
        row_of(crystal), columns("space_group", "tight_space_group", "space_group_number")
    )
    oracle = SpacegroupAnalyzer(crystal.to_pymatgen(), symprec=0.01)
    assert found["space_group_number_0p1_angstrom"] == oracle.get_space_group_number()
    symbols = {found["space_group_0p1_angstrom"], found["space_group_0p01_angstrom"]}
    assert {name.replace("_", "") for name in symbols} == {symbol.replace("_", "")}
    assert oracle.get_space_group_symbol().replace("_", "") == symbol.replace("_", "")


def test_stresses_of_proxy_potentials_are_in_their_own_unit() -> None:
    stress = np.diag([160.21766208, 0.0, 0.0])
    for level, value, key in ((EV, 160.2177, "gpa"), (PROXY, 1.0, "arbitrary_per_ang3")):
        row = row_of(level=level, stress_gpa=stress, max_stress_gpa=160.21766208)
        found = row_dict(row, columns("max_stress", "pressure"))
        assert found[f"max_stress_{key}"] == pytest.approx(value, rel=1e-6)
        assert set(found) == {f"max_stress_{key}", f"pressure_{key}"}
        assert row.relaxed is not None
        assert stress_in(row.relaxed, 160.21766208) == pytest.approx(value, rel=1e-6)
    assert (unit_of(None), unit_of(Failed(FailReason.TIMEOUT, ""))) == ("", "")


def test_density_is_mass_over_volume() -> None:
    water_like = Crystal([1, 1, 8], np.eye(3) * 3.105, [[0, 0, 0.1], [0, 0.1, 0], [0, 0, 0]])
    assert density(water_like) == pytest.approx(18.015 * 1.66053906660 / 3.105**3, rel=1e-4)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [(None, ""), (relaxed(FCC, -1.0), "converged"),
     (relaxed(FCC, -1.0, converged=False), "not converged"),
     (replace(relaxed(FCC, -1.0, converged=False), note="500 steps"), "500 steps"),
     (Failed(FailReason.TIMEOUT, "late"), "failed: timeout")],
)  # fmt: skip
def test_states_in_words(outcome, told: str) -> None:
    assert status_of(outcome) == told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("probability", 0.126, "0.13"), ("above_best", 0.00004, "0.0000"), ("converged", True, "yes"),
     ("converged", False, "no"), ("judge_difference", -0.0123, "-12"), ("copies", 3, "3"),
     ("formula", "SrTiO3", "SrTiO3"), ("energy", None, ""), ("volume", 11.998, "12.00")],
)  # fmt: skip
def test_numbers_for_people(name: str, value, told: str) -> None:
    assert COLUMNS[name].text(value) == told


def test_other_records_of_a_structure_are_named_with_the_nearest_displacement() -> None:
    same = (Copy(5, "polished", 0.0), Copy(7, "polished", 0.0123), Copy(7, "x", 0.004))
    finding = Finding(5, "polished", family=1, same=(*same, Copy(2, "polished", 0.02)))
    row = replace(row_of(), finding=finding)
    assert row_dict(row, columns("same_as"))["same_as"] == "7 (0.004) 2 (0.020)"
    assert row_dict(row_of(), columns("same_as", "family", "note")) == {}


def test_a_second_opinion_has_columns_of_its_own() -> None:
    opinion = Opinion(energy=-2.0, rank=2, own_rank=1, difference=0.0604, is_unphysical=True)
    row = replace(row_of(), finding=Finding(5, "polished", family=3, opinion=opinion))
    found = row_dict(row, columns(*RANKING))
    assert found["judge_enthalpy_ev_per_atom"] == -2.0
    assert found["probably_unphysical"] is True
    assert found["second_opinion"] == "disagrees by +60 meV/atom: probably an unphysical minimum"
    assert (found["judge_rank"], found["own_rank"], found["family"]) == (2, 1, 3)


@settings(max_examples=15)
@given(made_runs())
def test_tables_have_one_line_for_each_record_and_round_trip(run: MadeRun) -> None:
    with stored(run) as folder:
        content = read_run(folder)
    view = result_columns(content.tiers)
    rows = record_rows(content.told)
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder) / "a.csv", rows, view)
        with (Path(folder) / "a.csv").open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream))
    assert [int(line["record"]) for line in lines] == [item.number for item, _ in content.told]
    dicts = to_dicts(rows, view)
    frame = to_pandas(rows, view)
    assert len(frame) == len(lines) == len(dicts)
    for line, values, (item, _) in zip(lines, dicts, content.told, strict=True):
        for key, value in values.items():
            assert line[key] == ("" if value is None else str(value))
        for tier, enthalpy in item.enthalpies().items():
            unit = "arbitrary" if tier == "low" else "ev"
            assert values[f"{tier}_enthalpy_{unit}_per_atom"] == enthalpy
        assert (values["fail_reason"] == "") == (item.failure is None)


@settings(max_examples=15)
@given(made_runs())
def test_tables_for_people_leave_out_what_is_empty_and_nothing_else(run: MadeRun) -> None:
    with stored(run) as folder:
        rows = ranked_rows(read_run(folder).ranked())
    shown = texts(rows, columns(*SHORT_RANKING))
    assert len(shown.cells) == (len(rows) if shown.heads else 0)
    for place, head in enumerate(shown.heads):
        cells = [line[place] for line in shown.cells]
        assert any(cells), head
        if shown.is_number[place]:
            assert all(float(cell) == float(cell) for cell in cells if cell)
    if rows:
        assert {"rank", "formula", "space group", "atoms", "copies"} <= set(shown.heads)
        assert "p" not in shown.heads, "no final phase"
        ranks = [line[shown.heads.index("rank")] for line in shown.cells]
        assert ranks == [str(k) for k in range(1, len(rows) + 1)]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@sum", "\tx", "plain", "-1.5", "+3"])
def test_texts_that_a_spreadsheet_would_run_are_quoted(tmp_path: Path, text: str) -> None:
    row = Row.of_record(record(0, ("emt", relaxed(FCC, -1.0)), origin=Origin(text)))
    write_csv(tmp_path / "a.csv", [row], columns("origin"))
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        (line,) = csv.DictReader(stream)
    is_plain = text[0] not in "=+-@\t" or text in ("-1.5", "+3")
    assert line["origin"] == (text if is_plain else f"'{text}")


TYPES = {
    "NaCl": bulk("NaCl", "rocksalt", a=5.64), "CsCl": bulk("CsCl", "cesiumchloride", a=4.12),
    "CaF2": bulk("CaF2", "fluorite", a=5.46), "TiO2": GROUPS["P4_2/mnm"], "Cu": bulk("Cu"),
}  # fmt: skip


@pytest.mark.parametrize("formula", TYPES)
def test_structure_types_have_the_names_that_chemists_use(formula: str) -> None:
    row = row_of(Crystal.from_ase(TYPES[formula]))
    full, short = naming.structure_type(row), naming.short_structure_type(row)
    assert full is not None
    assert short is not None
    assert full.startswith(short)
    assert short.startswith(formula)
    far = replace(row, rank=naming.NAMED + 1)
    assert naming.structure_type(far) is None
    assert naming.structure_type(replace(row, crystal=None)) is None


def test_weights_are_those_of_the_final_phase_or_of_the_generator() -> None:
    origin = Origin("prototypes", detail={"weight": 0.25})
    row = Row.of_record(
        record(0, ("emt", relaxed(FCC, -1.0)), origin=origin), SearchUpdate(accepted=True)
    )
    assert naming.prior_weight(row) == 0.25
    assert naming.prior_weight(replace(row, finding=Finding(0, "polished", 1, weight=0.5))) == 0.5
    assert naming.prior_weight(row_of()) is None


def test_the_likelihood_of_a_learned_generator_has_a_column() -> None:
    origin = Origin("wyckoff-language", detail={"log_likelihood": -3.5})
    row = Row.of_record(
        record(0, ("emt", relaxed(FCC, -1.0)), origin=origin), SearchUpdate(accepted=True)
    )
    assert naming.log_likelihood(row) == -3.5
    assert naming.log_likelihood(row_of()) is None
    assert "log_likelihood" in [column.key for column in result_columns(["emt"])]
    assert to_dicts([row], columns(*RANKING))[0]["log_likelihood"] == -3.5
