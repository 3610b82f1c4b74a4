"""Atoms that a file fixes stay where they are when its structures are relaxed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.calculators.emt import EMT

import nucleate as nc
from nucleate.api import relax_files
from nucleate.crystal.files import read_crystals
from nucleate.run.campaign import Campaign
from nucleate.run.listed_files import read_files

EMT_NAME = "ase.calculators.emt:EMT"
EMT_TIER = ("--tier", "ase=ase.calculators.emt:EMT", "--workers", 1)
POSCAR = """fixed
1.0
4 0 0
0 4 0
0 0 4
Cu Au
1 1
Selective dynamics
Direct
0.1 0.03 0.0 {} F F
0.5 0.5 0.5 T T T
"""
EXTXYZ = """2
Lattice="{}" Properties=species:S:1:pos:R:3:move_mask:L:3
Cu 0.4 0.1 0 F T T
Au 2 2 2 T T T
"""
CUBIC, SHEARED = "4 0 0 0 4 0 0 0 4", "4 0 0 1 4 0 0 0 4"


@pytest.mark.parametrize("first", ["F", "T"])
def test_fixed_coordinates_and_the_cell_stay(tmp_path, first):
    path = tmp_path / "POSCAR"
    path.write_text(POSCAR.format(first))
    [(_, start)] = read_crystals(path)
    [relaxed] = nc.relax(path, model=EMT())
    shift = relaxed.crystal.scaled - start.scaled
    shift -= np.round(shift)
    assert np.allclose(relaxed.crystal.cell, start.cell, atol=1e-12)
    assert np.allclose(shift[0, 1:], 0.0, atol=1e-12)
    assert (abs(shift[0, 0]) < 1e-12) == (first == "F")
    assert abs(shift[1]).max() > 1e-3


def test_workers_hold_them_as_well(nucleate, tmp_path):
    (tmp_path / "POSCAR").write_text(POSCAR.format("F"))
    result = nucleate("relax", "POSCAR", *EMT_TIER, "--out", "done", "--json")
    assert result.status == 0
    assert len(json.loads(result.out)) == 1
    [(_, start)] = read_crystals(tmp_path / "POSCAR")
    [(_, end)] = read_crystals(tmp_path / "done" / "relaxed.extxyz")
    shift = end.scaled - start.scaled
    shift -= np.round(shift)
    assert np.allclose(end.cell, start.cell)
    assert np.allclose(shift[0], 0.0, atol=1e-10)
    assert abs(shift[1]).max() > 1e-3


@pytest.mark.parametrize(("cell", "expected"), [(CUBIC, [1, 0, 0]), (SHEARED, [1, 1, 1])])
def test_cartesian_masks(tmp_path, caplog, cell, expected):
    path = tmp_path / "a.xyz"
    path.write_text(EXTXYZ.format(cell))
    [item] = read_files([path])
    assert item.fixed.tolist() == [[bool(x) for x in expected], [False] * 3]
    assert caplog.text.count("atoms are fixed;") == 1
    assert ("held along all three" in caplog.text) == (cell == SHEARED)


def test_export_of_relaxed_files_writes_what_relax_wrote(nucleate, tmp_path):
    (tmp_path / "POSCAR").write_text(POSCAR.format("F"))
    (tmp_path / "two.extxyz").write_text(EXTXYZ.format(CUBIC) + EXTXYZ.format(CUBIC))
    words = ("POSCAR", "two.extxyz", *EMT_TIER, "--out", "done")
    assert nucleate("relax", *words).status == 0
    assert nucleate("export", "done", "--out", "again").status == 0
    for name in ("relaxed.csv", "relaxed.extxyz"):
        assert (tmp_path / "again" / name).read_text() == (tmp_path / "done" / name).read_text()
    assert "move_mask" in (tmp_path / "again" / "relaxed.extxyz").read_text()
    result = nucleate("export", "done", "--cell", "primitive")
    assert result.status == 2
    assert "are for a search" in result.err


def test_a_long_series_that_is_stopped_writes_no_files(tmp_path, monkeypatch):
    path = tmp_path / "two.extxyz"
    path.write_text(EXTXYZ.format(CUBIC) + EXTXYZ.format(CUBIC))
    words = {"model": EMT_NAME, "workers": 1, "folder": tmp_path / "done"}
    monkeypatch.setattr("nucleate.report.series.SOON", 1)
    before = Campaign.turn

    def stopped(self):
        before(self)
        self.request_stop("interrupted")

    with monkeypatch.context() as stopping:
        stopping.setattr(Campaign, "turn", stopped)
        series = relax_files([path], **words)
    assert series.reason == "interrupted"
    assert not series.has_files
    assert series.tally.number == 2
    assert not (tmp_path / "done" / "relaxed.csv").exists()
    series = relax_files([path], **words)
    assert series.has_files
    assert series.tally.good == 2
