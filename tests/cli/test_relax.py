"""`nucleate relax`: energies and geometries of the structures in files."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read, write

from nucleate.run.store import Store

EMT_TIER = ("--tier", "ase=ase.calculators.emt:EMT", "--workers", 1)


def rattled(seed, symbol="Cu"):
    atoms = bulk(symbol, "fcc", 3.7, cubic=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


@pytest.fixture
def series(tmp_path):
    """Ten rattled crystals in one file."""
    write(tmp_path / "ten.extxyz", [rattled(seed) for seed in range(10)])
    return "ten.extxyz"


def test_single_points_are_those_of_the_calculator(nucleate, tmp_path):
    write(tmp_path / "a.cif", rattled(0))
    write(tmp_path / "POSCAR", rattled(1, "Au"), format="vasp")
    write(tmp_path / "c.extxyz", [rattled(2), rattled(3, "Ni")])
    result = nucleate("relax", "a.cif", "POSCAR", "c.extxyz", *EMT_TIER, "--single-point", "--json")
    assert result.status == 0
    rows = json.loads(result.out)
    assert [row["formula"] for row in rows] == ["Cu", "Au", "Cu", "Ni"]
    assert [row["n_atoms"] for row in rows] == [4, 4, 4, 4]
    for row, atoms in zip(
        rows, (read("a.cif"), read("POSCAR"), *read("c.extxyz", ":")), strict=True
    ):
        atoms.calc = EMT()
        assert row["energy_ev"] == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        assert row["energy_ev_per_atom"] == pytest.approx(row["energy_ev"] / 4)
        assert np.allclose(row["forces_ev_per_angstrom"], atoms.get_forces(), atol=1e-5)
        stress = atoms.get_stress(voigt=False) * 160.21766208
        assert np.allclose(row["stress_gpa"], stress, atol=1e-3)
        assert row["reason"] == "single point"
        assert row["steps"] == 0


def test_relaxation_converges_under_pressure_and_says_its_space_group(nucleate, tmp_path):
    write(tmp_path / "a.cif", rattled(0))
    result = nucleate("relax", "a.cif", *EMT_TIER, "--pressure", 5, "--fmax", 0.01, "--json")
    (row,) = json.loads(result.out)
    assert row["converged"]
    assert row["start_space_group_0p1_angstrom"] == "P1"
    assert row["space_group_0p01_angstrom"] == "Fm-3m"
    assert np.allclose(row["stress_gpa"], -5.0 * np.eye(3), atol=0.5)
    assert row["max_force_ev_per_angstrom"] <= 0.01
    assert row["enthalpy_ev_per_atom"] > row["energy_ev_per_atom"]


def test_a_pressure_below_zero_asks_for_allow_tension(nucleate, tmp_path):
    write(tmp_path / "a.cif", rattled(0))
    command = ("relax", "a.cif", *EMT_TIER, "--pressure", -5, "--json")
    result = nucleate(*command)
    assert result.status == 2
    assert "--allow-tension" in result.err
    assert nucleate(*command, "--allow-tension").status == 0


def test_a_broken_structure_leaves_the_others_alone(nucleate, tmp_path):
    good, nan, far = rattled(0), rattled(1), Atoms("Cu", cell=[30] * 3, pbc=True)
    nan.positions[0, 0] = np.nan
    flat = rattled(2)
    flat.cell[2] = flat.cell[0]
    unknown = bulk("Fe", "bcc", 2.8)
    write(tmp_path / "mix.extxyz", [good, nan, far, flat, unknown], format="extxyz")
    with (tmp_path / "mix.extxyz").open("a") as stream:
        stream.write("2\nno lattice\nCu 0 0 0\n")
    result = nucleate("relax", "mix.extxyz", *EMT_TIER, "--json")
    rows = json.loads(result.out)
    assert result.status == 0
    assert rows[0]["converged"]
    reasons = [row["reason"] for row in rows[1:]]
    assert reasons == ["invalid", "isolated-atom", "invalid", "calculator", "invalid"]
    assert all(row["message"] for row in rows[1:])
    assert "mix-3 failed (invalid)" in nucleate("relax", "mix.extxyz", *EMT_TIER).out


def test_proxy_energies_are_never_called_ev(nucleate, tmp_path):
    write(tmp_path / "a.cif", bulk("NaCl", "rocksalt", 5.5))
    result = nucleate("relax", "a.cif", "--tier", "spp", "--json")
    (row,) = json.loads(result.out)
    assert row["energy_arbitrary_per_atom"] == pytest.approx(row["energy_arbitrary"] / 2)
    assert not [key for key in row if "_ev" in key or "gpa" in key]
    assert "eV" not in nucleate("relax", "a.cif", "--tier", "spp").out


def test_where_all_failed_the_table_has_no_columns_of_energies(nucleate, tmp_path):
    write(tmp_path / "fe.cif", bulk("Fe", "bcc", 2.8))
    result = nucleate("relax", "fe.cif", *EMT_TIER)
    assert result.status == 1
    assert "fe failed (calculator)" in result.out
    assert result.out.split("\n")[0].split() == [
        "name", "formula", "atoms", "space", "group", "state",
    ]  # fmt: skip


def test_folder_holds_the_files_and_is_not_done_twice(nucleate, series, tmp_path):
    first = nucleate("relax", series, *EMT_TIER, "--out", "done")
    assert "10 of 10 structures have an energy, 10 are converged" in first.out
    with Store.read("done") as store:
        finished = store.n_records()
        started = list(store.events("start"))
    assert finished == 10
    again = nucleate("relax", series, *EMT_TIER, "--out", "done", "--json")
    with Store.read("done") as store:
        assert list(store.events("start")) == started
    rows = json.loads(again.out)
    frames = read("done/relaxed.extxyz", ":")
    table = list(csv.DictReader((tmp_path / "done/relaxed.csv").open()))
    for row, frame, line in zip(rows, frames, table, strict=True):
        assert frame.get_potential_energy() == pytest.approx(row["energy_ev"])
        assert float(line["energy_ev"]) == row["energy_ev"]
        assert frame.info["name"] == row["name"] == line["name"]
    assert "10 structures of files" in nucleate("status", "done").out
    assert nucleate("export", "done").status == 0
    changed = nucleate("relax", series, *EMT_TIER, "--fmax", 0.2, "--out", "done")
    assert changed.status == 2
    assert "tier.0.fmax_ev_per_ang" in changed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.cif",), "none.cif: cannot be read"),
        (("ten.pdf",), "the format cannot be determined"),
        (("ten.extxyz", "--tier", "magic"), "--tier = 'magic': kind = 'magic' is not known"),
        (("ten.extxyz", "--fmax", -1), "fmax_ev_per_ang = -1.0 must be greater than 0"),
        (("ten.extxyz", "--out", "a.extxyz"), "Give the name of a folder"),
        (("ten.extxyz", "--tier", "force-field=none.toml"), "none.toml"),
        (("junk.cif",), "junk.cif: "),
        (("ten.extxyz", "--tier", "spp", "--device", "cuda:0"), "the engine spp has no device"),
        (("ten.extxyz", "--device", "cudda", "--workers", 1), "'cudda': not a device"),
    ],
)
def test_bad_input(nucleate, series, tmp_path, words, message):
    (tmp_path / "junk.cif").write_text("nothing")
    result = nucleate("relax", *words)
    assert result.status == 2
    assert message in result.err


@pytest.mark.slow  # a quick one: tests/run/test_kills.py
def test_killed_series_goes_on(series, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\nfrom ase.calculators.emt import EMT\n"
        "class Slow(EMT):\n    def calculate(self, *args, **kwargs):\n"
        "        time.sleep(0.03)\n        super().calculate(*args, **kwargs)\n"
    )
    words = [sys.executable, "-m", "nucleate", "relax", series, "--out", "done", "--workers", "1"]
    words += ["--tier", "ase=slow:Slow", "--json"]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    kills, finished = 0, 0
    for _ in range(20):
        process = subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )
        while process.poll() is None and not _progressed(tmp_path / "done", finished):
            time.sleep(0.05)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        with Store.read(tmp_path / "done") as store:
            assert store.n_records() >= finished
            finished = store.n_records()
    rows = json.loads(process.stdout.read())
    assert kills >= 1
    assert len(rows) == 10
    assert all(row["converged"] for row in rows)


def _progressed(folder, finished):
    if not Store.exists(folder):
        return False
    with Store.read(folder) as store:
        return store.n_records() >= finished + 6
