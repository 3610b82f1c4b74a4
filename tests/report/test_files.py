"""Files of structures are read back by other programs as what they were."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect
from ase.io import read
from hypothesis import HealthCheck, given, settings
from tests.report.conftest import PROXY, emt_outcome

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import read_crystals
from nucleate.relax.outcome import Relaxed
from nucleate.report.content import read_run
from nucleate.report.export import export_run
from nucleate.report.files import (
    row_name,
    write_database,
    write_res,
    write_rows_extxyz,
    write_structure,
)
from nucleate.report.rows import Row, ranked_rows
from nucleate.search.record import Record, TierOutcome
from nucleate.units import GPA_PER_EV_A3
from strategies import crystals

COPPER = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))


def row_of(outcome: Relaxed) -> Row:
    candidate = Candidate(outcome.crystal, Origin("blocks"))
    return Row.of_record(Record(4, candidate, (TierOutcome("emt", outcome),)))


@pytest.fixture
def rows(run_folder: Path) -> list[Row]:
    return ranked_rows(read_run(run_folder).ranked())


def test_database_has_energies_forces_and_keys(rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write_database(path, rows)
    write_database(path, rows)  # replaced, not added to
    database = connect(path)
    assert len(database) == len(rows)
    for row, item in zip(rows, database.select(), strict=True):
        relaxed = row.relaxed
        assert relaxed is not None
        assert item.key_value_pairs["rank"] == row.rank
        assert item.key_value_pairs["space_group_0p1_angstrom"] == row.symmetry[0].symbol
        atoms = item.toatoms()
        np.testing.assert_allclose(atoms.positions, relaxed.crystal.positions, atol=1e-12)
        if relaxed.level.unit == "eV":
            assert atoms.get_potential_energy() == relaxed.energy
            np.testing.assert_array_equal(atoms.get_forces(), relaxed.forces)
            stress = atoms.get_stress(voigt=False) * 160.21766208
            np.testing.assert_allclose(stress, relaxed.stress_gpa, atol=1e-9)
        else:
            assert "energy" not in item
            assert "enthalpy_arbitrary_per_atom" in item.key_value_pairs
    assert len(list(database.select("rank=1"))) == 1
    assert len(list(database.select("enthalpy_ev_per_atom<10"))) == 2


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(crystals())
def test_res_files_are_read_by_ase(tmp_path: Path, crystal: Crystal) -> None:
    enthalpy = -3.25 + 5.0 / GPA_PER_EV_A3 * crystal.volume
    outcome = Relaxed(
        crystal, -3.25, enthalpy, np.zeros_like(crystal.scaled), np.eye(3), 0.0, 1.0, True,
        1, 1, 0.1, emt_outcome(COPPER).level,
    )  # fmt: skip
    write_res(tmp_path / "a.res", row_of(outcome))
    again = read(tmp_path / "a.res")
    assert sorted(again.numbers) == sorted(crystal.numbers)
    assert again.get_volume() == pytest.approx(crystal.volume, rel=1e-6)
    np.testing.assert_allclose(again.cell.cellpar()[:3], crystal.lengths, rtol=1e-8)
    title = (tmp_path / "a.res").read_text().splitlines()[0].split()
    assert title[0] == "TITL"
    assert float(title[2]) == 5.0
    assert float(title[3]) == pytest.approx(crystal.volume)
    assert float(title[4]) == pytest.approx(enthalpy, abs=1e-7), "the enthalpy, as AIRSS has it"
    assert int(title[7]) == crystal.n_atoms


def test_files_of_a_structure(rows: list[Row], tmp_path: Path) -> None:
    for row in rows:
        write_structure(tmp_path, row)
    names = {row_name(row) for row in rows}
    assert all(re.fullmatch(r"\d{3}-Cu-[\w-]+-r\d+", name) for name in names)
    for row in rows:
        relaxed = row.relaxed
        assert relaxed is not None
        name = row_name(row)
        for suffix in ("-p1.cif", ".vasp"):
            ((_, crystal),) = read_crystals(tmp_path / f"{name}{suffix}")
            assert crystal.volume == pytest.approx(relaxed.crystal.volume)
        assert (tmp_path / f"{name}.res").exists() == (relaxed.level.unit == "eV")


def test_extxyz_by_tier(rows: list[Row], tmp_path: Path) -> None:
    write_rows_extxyz(tmp_path / "spp.extxyz", rows, tier="spp")
    write_rows_extxyz(tmp_path / "emt.extxyz", rows, tier="emt")
    proxy, real = read(tmp_path / "spp.extxyz", ":"), read(tmp_path / "emt.extxyz", ":")
    assert len(proxy) == len(rows)
    assert len(real) == 2
    for frame in proxy:
        assert frame.calc is None or "energy" not in frame.calc.results
        assert frame.info["model"] == PROXY.model
        assert isinstance(frame.info["energy_arbitrary"], float)
    for frame in real:
        row = next(item for item in rows if item.rank == frame.info["rank"])
        assert row.relaxed is not None
        assert frame.get_potential_energy() == pytest.approx(row.relaxed.energy)
        np.testing.assert_allclose(frame.get_forces(), row.relaxed.forces, atol=1e-8)
        assert frame.info["emt_energy_ev"] == pytest.approx(row.relaxed.energy)


def test_export_leaves_no_stale_res_file(run_folder: Path) -> None:
    export_run(run_folder, best=20)
    assert len(list((run_folder / "structures").glob("*.res"))) == 2
    export_run(run_folder, best=1)
    assert len(list((run_folder / "structures").glob("*.res"))) == 1
    assert len(connect(run_folder / "structures.db")) == 4
