"""Every table is made from one row type and one table of columns."""

from __future__ import annotations

import csv
import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition as PymatgenComposition
from pymatgen.core import Element
from tests.report.conftest import LEVEL, PROXY, emt_outcome

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, MissingDependencyError
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.report import columns as column_table
from nucleate.report import views as table
from nucleate.report.columns import COLUMNS, columns
from nucleate.report.content import read_run
from nucleate.report.render import (
    html_table,
    json_dict,
    plain_table,
    row_dict,
    texts,
    to_dicts,
    to_pandas,
    write_csv,
)
from nucleate.report.rows import Row, file_rows, ranked_rows, record_rows
from nucleate.report.terminal import terminal_table
from nucleate.report.views import result_columns, tier_columns
from nucleate.run.listed_files import FileCrystal
from nucleate.search.record import Record, SearchUpdate, TierOutcome

VIEWS = [getattr(table, name) for name in dir(table)
         if name.isupper() and isinstance(getattr(table, name), tuple)]  # fmt: skip
COPPER = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
RELAXED = emt_outcome(COPPER)


def record(number: int, *outcomes: Relaxed | Failed, crystal: Crystal = COPPER) -> Record:
    steps = tuple(TierOutcome(f"t{place}", item) for place, item in enumerate(outcomes))
    return Record(number, Candidate(crystal, Origin("blocks", (3, 4))), steps, finished_s=2.5)


@pytest.fixture
def rows(run_folder: Path) -> list[Row]:
    return ranked_rows(read_run(run_folder).ranked())


class Cells(HTMLParser):
    """Texts of the cells of a page by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines: list[list[str]] = []
        self.is_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.lines.append([])
        if tag in ("td", "th"):
            self.is_cell = True
            self.lines[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.is_cell:
            self.lines[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.is_cell = self.is_cell and tag not in ("td", "th")


def test_views_name_columns_that_exist_and_no_key_twice() -> None:
    assert len(VIEWS) >= 6
    for view in VIEWS:
        if isinstance(view[0], str):
            keys = [column.key_in("ev") for column in columns(*view)]
            assert len(set(keys)) == len(keys)
    keys = [column.key_in("ev") for column in result_columns(["a", "b"])]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", COLUMNS)
def test_keys_of_physical_quantities_carry_their_unit(name: str) -> None:
    key = COLUMNS[name].key_in("ev")
    units = ("ev", "gpa", "angstrom", "ang3", "cm3", "_s", "per_atom")
    quantities = (
        "energy",
        "enthalpy",
        "above_best",
        "force",
        "stress",
        "volume",
        "density",
        "wall",
    )
    if any(word in key for word in quantities):
        assert any(unit in key for unit in units), key


def test_every_renderer_gives_the_same_values(rows: list[Row], tmp_path: Path) -> None:
    view = columns(*table.RANKING)
    dicts = to_dicts(rows, view)
    write_csv(tmp_path / "a.csv", rows, view)
    with (tmp_path / "a.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    frame = to_pandas(rows, view)
    for place, (found, line) in enumerate(zip(dicts, lines, strict=True)):
        assert list(found) == list(line) == list(frame.columns)
        for key, value in found.items():
            assert line[key] == ("" if value is None else str(value))
            if value is not None:
                assert frame[key][place] == value
        small = row_dict(rows[place], view)
        assert small == {key: value for key, value in found.items() if value is not None}
        assert json.loads(json.dumps(small)) == small


def test_people_see_the_same_cells_on_page_terminal_and_as_text(rows: list[Row]) -> None:
    view = columns(*table.SHORT_RANKING)
    expected = texts(rows, view)
    assert Cells(html_table(rows, view)).lines == [expected.heads, *expected.cells]
    rich = terminal_table(rows, view, 1000)
    assert [str(column.header) for column in rich.columns] == expected.heads
    assert [
        [str(cell) for cell in cells]
        for cells in zip(*(c.cells for c in rich.columns), strict=True)
    ] == (expected.cells)
    lines = plain_table(rows, view).splitlines()
    assert len(lines) == len(rows) + 1
    for line, cells in zip(lines[1:], expected.cells, strict=True):
        assert line.split() == " ".join(cells).split()


def test_electronvolts_and_arbitrary_units_are_never_in_one_column(rows: list[Row]) -> None:
    found = to_dicts(rows, columns(*table.RANKING))
    units = [row.relaxed.level.unit for row in rows if row.relaxed is not None]
    assert set(units) == {"eV", "arbitrary"}
    for line, unit in zip(found, units, strict=True):
        filled = [key for key, value in line.items() if value is not None]
        other = "arbitrary" if unit == "eV" else "ev"
        assert not [key for key in filled if f"_{other}" in key]
        assert ("max_stress_gpa" in filled) == (unit == "eV")
    heads = texts(rows, columns("enthalpy", "max_stress")).heads
    assert heads == ["eV/atom", "arb. unit/atom", "stress GPa", "stress arb. unit/Å³"]
    alone = texts(
        [row for row in rows if column_table.unit_of(row.relaxed) == "ev"], columns("enthalpy")
    )
    assert alone.heads == ["eV/atom"]


def test_numbers_are_those_of_the_outcome() -> None:
    row = Row.of_record(record(7, RELAXED))
    found = row_dict(row, columns(*table.RANKING, "energy_cell", "evaluations", "parents"))
    assert found["record"] == 7
    assert found["energy_ev"] == RELAXED.energy
    assert found["energy_ev_per_atom"] == RELAXED.energy / COPPER.n_atoms
    assert found["max_force_ev_per_angstrom"] == RELAXED.max_force
    assert found["max_stress_gpa"] == RELAXED.max_stress_gpa
    assert found["parents"] == "3 4"
    assert found["origin"] == "blocks"
    assert found["model"] == LEVEL.model
    assert found["space_group_0p1_angstrom"] == "Fm-3m"
    assert found["space_group_number_0p1_angstrom"] == 225
    assert found["volume_ang3_per_atom"] == pytest.approx(3.6**3 / 4)
    assert found["finished_s"] == 2.5
    proxy = row_dict(Row.of_record(record(0, emt_outcome(COPPER, PROXY))), columns("max_stress"))
    per_ang3 = RELAXED.max_stress_gpa / 160.21766208
    assert proxy["max_stress_arbitrary_per_ang3"] == pytest.approx(per_ang3, rel=1e-6)


def test_a_failure_says_where_and_why() -> None:
    failed = Failed(FailReason.EXPLODED, "volume 5 times the start", COPPER, 1.5)
    only = Row.of_record(record(1, failed))
    found = row_dict(only, columns("status", "enthalpy", "fail_reason", "fail_message", "wall_s"))
    assert found == {
        "status": "failed: exploded",
        "fail_reason": "exploded",
        "fail_message": "volume 5 times the start",
        "wall_s": 1.5,
    }
    above = Row.of_record(record(2, RELAXED, failed))
    found = row_dict(above, columns("tier", "enthalpy", "tier_above", "failed_tier", "state"))
    assert found["tier"] == "t0"
    assert found["failed_tier"] == "t1"
    assert found["tier_above"] == "t1 failed: exploded"
    assert found["status"] == "failed"


def test_files_that_are_broken_failed_or_not_done() -> None:
    items = [
        FileCrystal("a.cif", "a", COPPER),
        FileCrystal("b.cif", "b", InputError("b.cif: nothing in it.")),
        FileCrystal("c.cif", "c", COPPER),
        FileCrystal("d.cif", "d", COPPER),
    ]
    failed = Failed(FailReason.CALCULATOR, "no")
    rows = list(file_rows(items, {0: record(0, RELAXED), 2: record(2, failed)}))
    found = [row_dict(row, columns(*table.FILES)) for row in rows]
    assert [line["status"] for line in found] == ["converged", "failed", "failed", "not done"]
    assert [line.get("reason") for line in found] == ["", "invalid", "calculator", None]
    assert [line.get("converged") for line in found] == [True, False, False, None]
    assert found[1]["message"] == "b.cif: nothing in it."
    assert "formula" not in found[1]
    assert found[0]["start_space_group_0p1_angstrom"] == "Fm-3m"
    assert "space_group_0p1_angstrom" not in found[3]
    numbers = json_dict(rows[0], columns(*table.FILES))
    assert np.array_equal(numbers["forces_ev_per_angstrom"], RELAXED.forces)
    assert np.array_equal(numbers["stress_gpa"], RELAXED.stress_gpa)
    assert np.array_equal(numbers["cell_angstrom"], COPPER.cell)
    assert "forces_ev_per_angstrom" not in json_dict(rows[1], columns(*table.FILES))
    json.dumps(numbers)


def test_tiers_stand_side_by_side() -> None:
    rows = record_rows(
        [(record(0, emt_outcome(COPPER, PROXY), RELAXED), SearchUpdate(accepted=True))]
    )
    found = row_dict(rows[0], result_columns(["t0", "t1"]))
    assert found["t0_energy_arbitrary_per_atom"] == RELAXED.energy_per_atom
    assert found["t1_energy_ev_per_atom"] == RELAXED.energy_per_atom
    assert found["t1_status"] == "converged"
    assert found["accepted"] is True
    heads = texts(rows, tier_columns(["t0", "t1"])).heads
    assert heads == ["record", "t0 arb. unit/atom", "t0 state", "t1 eV/atom", "t1 state"]


def test_text_of_users_is_text_on_the_page() -> None:
    origin = Origin('<script>alert("x")</script>')
    row = Row.of_record(Record(0, Candidate(COPPER, origin), (TierOutcome("t<0>", RELAXED),)))
    page = html_table([row], columns("origin", "tier"))
    assert "<script" not in page
    assert Cells(page).lines[1] == [origin.source, "t<0>"]


def test_tables_without_rows() -> None:
    view = columns(*table.RANKING)
    assert to_dicts([], view) == []
    assert texts([], view).heads == []
    assert list(to_pandas([], view).columns)[:2] == ["rank", "record"]
    assert plain_table([], view) == ""


def test_without_pandas_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match="pip install pandas"):
        to_pandas([], columns("rank"))


ELEMENTS = st.sampled_from([1, 3, 6, 7, 8, 11, 12, 14, 15, 16, 17, 20, 22, 26, 38, 56])


@given(st.dictionaries(ELEMENTS, st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 4))
def test_formulas_are_reduced_and_in_chemical_order(counts: dict[int, int], units: int) -> None:
    oracle = PymatgenComposition({Element.from_Z(z): n for z, n in counts.items()})
    numbers = [number.Z for number, count in oracle.items() for _ in range(int(count) * units)]
    crystal = Crystal(np.array(numbers), np.eye(3) * 9.0, np.zeros((len(numbers), 3)))
    again = PymatgenComposition(crystal.reduced_formula)
    assert again.fractional_composition.almost_equals(oracle.fractional_composition)
    assert np.gcd.reduce([int(count) for count in again.values()]) == 1
    assert [item.symbol for item in again] == [
        item.symbol for item in sorted(again, key=lambda item: item.iupac_ordering)
    ]
    assert PymatgenComposition(crystal.formula) == oracle * units


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("SrTiO3", [8, 38, 8, 22, 8]),
        ("NH3", [1, 7, 1, 1]),
        ("Ca3Ti2O7", [8] * 7 + [22] * 2 + [20] * 3),
        ("AuTe2", [52, 79, 52]),
    ],
)
def test_formulas_as_chemists_write_them(text: str, numbers: list[int]) -> None:
    crystal = Crystal(np.array(numbers), np.eye(3) * 9.0, np.zeros((len(numbers), 3)))
    assert crystal.formula == crystal.reduced_formula == text
