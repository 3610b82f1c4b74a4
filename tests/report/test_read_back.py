"""Exported files as gemmi, pymatgen and ASE read them."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest
from ase.calculators.calculator import PropertyNotImplementedError
from ase.db import connect
from ase.io import read
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.io.vasp import Poscar
from tests.report.runs import EV, PROXY, record, relaxed
from tests.strategies import spread_crystals

from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Failed, FailReason, Outcome
from nucleate.report.export import LARGE, RANKED, Exported
from nucleate.report.files import (
    frame_of,
    row_name,
    write_database,
    write_rows_extxyz,
    write_structure,
)
from nucleate.report.rows import Row
from nucleate.units import GPA_PER_EV_A3

MATCHER = StructureMatcher(ltol=0.01, stol=0.02, angle_tol=0.5, primitive_cell=True)
NAMES = ["emt", "vasp PBE/500 eV", 'a "quoted" tier', "a=b", "ß-tier", "energy", "forces", "x'y"]


def row_of(crystal: Crystal, *, tier: str = "emt", energy: float = -1.25, level=EV) -> Row:
    """Return the row of a structure with random forces and stress under 5 GPa."""
    rng = np.random.default_rng(crystal.n_atoms)
    outcome = relaxed(crystal, energy, level=level)
    outcome = replace(
        outcome,
        enthalpy=outcome.energy + 5.0 / GPA_PER_EV_A3 * crystal.volume,
        forces=rng.normal(size=(crystal.n_atoms, 3)),
        stress_gpa=np.diag(rng.normal(size=3)),
    )
    row = Row.of_record(record(7, (tier, outcome), crystal=crystal))
    return replace(row, rank=1, copies=2, above_best=0.0)


@settings(max_examples=12)
@given(spread_crystals(min_atoms=2, max_atoms=6), st.sampled_from(["given", "primitive"]))
def test_every_file_of_a_structure_holds_the_structure(crystal: Crystal, cell: str) -> None:
    row = row_of(crystal)
    expected = crystal.to_pymatgen()
    with tempfile.TemporaryDirectory() as folder:
        write_structure(Path(folder), row, cell=cell)
        name = row_name(row)
        title = Poscar.from_file(Path(folder) / f"{name}.vasp", check_for_potcar=False).comment
        block = gemmi.cif.read(str(Path(folder) / f"{name}-p1.cif")).sole_block()
        small = gemmi.make_small_structure_from_block(block)
        poscar = Structure.from_file(Path(folder) / f"{name}.vasp")
        res = read(Path(folder) / f"{name}.res")
    assert title.startswith(f"{name} ")
    assert "5 GPa EMT" in title
    assert small.cell.volume == pytest.approx(crystal.volume, rel=1e-6)
    sites = [(site.element.atomic_number, *site.fract.tolist()) for site in small.sites]
    assert sorted(number for number, *_ in sites) == sorted(crystal.numbers.tolist())
    hand = np.sign(np.linalg.det(crystal.cell))  # lengths and angles have no hand
    for number, *place in sites:
        gaps = hand * crystal.scaled[crystal.numbers == number] - place
        assert np.abs(gaps - np.rint(gaps)).max(axis=1).min() < 1e-5
    assert MATCHER.fit(poscar, expected)
    assert sorted(res.numbers) == sorted(crystal.numbers)
    np.testing.assert_allclose(res.get_volume(), crystal.volume, rtol=1e-6)


@settings(max_examples=10)
@given(spread_crystals(min_atoms=1, max_atoms=5), st.sampled_from(NAMES))
def test_frames_have_energies_forces_and_stress_whatever_a_tier_is_called(
    crystal: Crystal, tier: str
) -> None:
    row = row_of(crystal, tier=tier)
    assert row.relaxed is not None
    proxy = ("spp", relaxed(crystal, 3.0, level=PROXY))
    both = record(7, proxy, (tier, row.relaxed), crystal=crystal)
    row = replace(row, record=both)
    with tempfile.TemporaryDirectory() as folder:
        write_rows_extxyz(Path(folder) / "a.extxyz", [row, row])
        frames = read(Path(folder) / "a.extxyz", ":")
    for frame in frames:
        assert frame.numbers.tolist() == crystal.numbers.tolist()
        np.testing.assert_allclose(frame.positions, crystal.positions, atol=1e-8)
        np.testing.assert_allclose(frame.cell, crystal.cell, atol=1e-10)
        assert frame.pbc.all()
        assert frame.get_potential_energy() == pytest.approx(row.relaxed.energy)
        np.testing.assert_allclose(frame.get_forces(), row.relaxed.forces, atol=1e-8)
        stress = frame.get_stress(voigt=False) * GPA_PER_EV_A3
        np.testing.assert_allclose(stress, row.relaxed.stress_gpa, atol=1e-6)
        assert frame.info["pressure_gpa"] == pytest.approx(5.0)
        assert frame.info["name"] == row_name(row)
        assert frame.info["tier"] == tier.replace('"', "'"), "extxyz has no sign for a quote"
        assert frame.info["spp_energy_arbitrary"] == pytest.approx(3.0 * crystal.n_atoms)


def test_frames_of_a_proxy_potential_have_no_energy_in_electronvolts(tmp_path: Path) -> None:
    row = row_of(Crystal([29], np.eye(3) * 3, [[0, 0, 0]]), level=PROXY)
    write_rows_extxyz(tmp_path / "a.extxyz", [row])
    write_structure(tmp_path, row)
    (frame,) = read(tmp_path / "a.extxyz", ":")
    with pytest.raises((RuntimeError, PropertyNotImplementedError)):
        frame.get_potential_energy()
    assert frame.info["energy_arbitrary"] == -1.25
    assert not [key for key in frame.info if "_ev" in key or "gpa" in key]
    assert frame.info["pressure_arbitrary_per_ang3"] == pytest.approx(5.0 / GPA_PER_EV_A3)
    title = next(tmp_path.glob("*.vasp")).read_text(encoding="utf-8").splitlines()[0]
    assert "arbitrary units/atom" in title
    assert "GPa" not in title
    assert "eV" not in title
    assert not list(tmp_path.glob("*.res"))


@settings(max_examples=5)
@given(st.lists(spread_crystals(min_atoms=1, max_atoms=4), min_size=1, max_size=3))
def test_a_database_is_searched_by_the_columns_of_the_tables(crystals: list[Crystal]) -> None:
    rows = [
        replace(row_of(crystal, energy=-1.0 - k), rank=k + 1) for k, crystal in enumerate(crystals)
    ]
    with tempfile.TemporaryDirectory() as folder:
        write_database(Path(folder) / "a.db", rows)
        with connect(Path(folder) / "a.db") as database:
            for row in rows:
                assert row.crystal is not None
                assert row.relaxed is not None
                item = database.get(f"rank={row.rank}")
                assert item.numbers.tolist() == row.crystal.numbers.tolist()
                assert item.volume == pytest.approx(row.crystal.volume)
                assert item.energy == row.relaxed.energy
                np.testing.assert_array_equal(item.forces, row.relaxed.forces)
                values = item.key_value_pairs | item.data
                enthalpy = row.relaxed.enthalpy_per_atom
                assert values["enthalpy_ev_per_atom"] == pytest.approx(enthalpy)
                assert values["formula"] == row.crystal.reduced_formula
                assert values["copies"] == 2
            assert database.count("energy<0") == database.count("copies=2") == len(rows)


def names_of(outcome: Outcome, symbol: str) -> str:
    crystal = Crystal([29], np.eye(3) * 3, [[0, 0, 0]])
    row = Row.of_record(record(12, ("emt", outcome), crystal=crystal))
    rungs = tuple(replace(rung, symbol=symbol) for rung in row.symmetry)
    return row_name(replace(row, rank=3, symmetry=rungs))


@pytest.mark.parametrize(
    "symbol", ["Fm-3m", "P6_3/mmc", "P4_2/nmc", "I4_1/amd", "P-1", "P2_1/c", "R-3c", "Cmce"]
)
def test_names_of_files_suit_every_file_system(symbol: str) -> None:
    crystal = Crystal([29], np.eye(3) * 3, [[0, 0, 0]])
    name = names_of(relaxed(crystal, -1.0), symbol)
    assert re.fullmatch(r"003-Cu-[A-Za-z0-9_-]+-r12", name)
    assert symbol.replace("/", "_") in name


def test_a_row_without_a_rank_is_called_as_its_file_or_record() -> None:
    crystal = Crystal([29], np.eye(3) * 3, [[0, 0, 0]])
    found = Failed(FailReason.TIMEOUT, "late")
    row = Row.of_record(record(12, ("emt", found), crystal=crystal))
    assert row_name(row) == "r12"
    assert row_name(replace(row, name="salt")) == "salt"
    assert row_name(replace(row, record=None)) == ""


def test_held_coordinates_are_in_the_frame() -> None:
    crystal = Crystal([29, 29], np.eye(3) * 4, [[0, 0, 0], [0.5, 0.5, 0.5]])
    row = row_of(crystal)
    assert row.relaxed is not None
    assert "move_mask" not in frame_of(row, row.relaxed)[2]
    held = np.array([[True, True, True], [False, False, False]])
    _, _, info = frame_of(replace(row, fixed=held), row.relaxed)
    mask = np.asarray(info["move_mask"])
    assert not np.broadcast_to(mask.reshape(2, -1), (2, mask.size // 2))[0].any()
    assert mask.reshape(2, -1)[1].all()


@pytest.mark.parametrize(("shown", "n_distinct"), [(3, 3), (2, 5)])
def test_an_export_says_whether_it_is_all(shown: int, n_distinct: int) -> None:
    text = Exported([None] * shown, n_distinct).text  # type: ignore[list-item]
    assert text.startswith(f"the best {shown} of {n_distinct}") == (shown < n_distinct)
    assert (f"{n_distinct} distinct structures" in text) == (0 < RANKED < LARGE)
