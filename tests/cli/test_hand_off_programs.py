"""Recorded outputs of other programs, imported as a tier of the run they were exported from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tests.programs.fakes import REPLAY, executable
from tests.programs.recorded import (
    BOHR,
    BUCKINGHAM,
    DATA,
    HARTREE,
    RYDBERG,
    li2o,
    licl,
    mgo,
    mgo_pair,
)

from nucleate.report.content import read_run

from .hand_off import folders, make_run, submit


@dataclass
class Case:
    """What is handed off to a program, and what its recorded outputs say.

    ``energies`` has the recordings with the energies in eV that are written in them; ``end`` is
    the line that only a finished output has.
    """

    formula: str
    crystal: object
    tier: str
    energies: dict
    end: str
    cell: dict = field(default_factory=dict)


def printed(kind, recording, pattern, unit):
    text = (DATA / kind / recording / "output").read_text()
    return unit * float(re.findall(pattern, text, re.M)[-1])


CASES = {
    "espresso": Case(
        "Li2O",
        li2o,
        'pseudopotentials = "upf"\ninput = { ecutwfc = 40.0 }\n',
        {
            name: printed("espresso", name, r"^!\s+total energy\s+=\s+(\S+) Ry", RYDBERG)
            for name in ("cell", "none")
        },
        "JOB DONE",
    ),
    "cp2k": Case(
        "LiCl",
        licl,
        "",
        {
            name: printed("cp2k", name, r"energy \[a\.u\.\]:\s+(\S+)", HARTREE)
            for name in ("cell", "final")
        },
        "PROGRAM ENDED AT",
    ),
    "lammps": Case(
        "MgO",
        mgo,
        f'elements = ["Mg", "O"]\ncharges = {{ Mg = 2, O = -2 }}\npotential = {list(BUCKINGHAM)}\n',
        {"none": printed("lammps", "none", r"^\s+0\s+(-\d+\.\d+)\s", 1.0)},
        "Total wall time",
    ),
    "gulp": Case(
        "MgO",
        mgo_pair,
        'library = "ions.lib"\n',
        {
            name: printed("gulp", name, r"Total lattice energy\s+=\s+(\S+) eV", 1.0)
            for name in ("cell", "none")
        },
        "Job Finished at",
    ),
}


@pytest.fixture(params=CASES)
def handed_off(request, nucleate, tmp_path):
    """Export the crystal three times over; return the kind, its case, the run and the folders."""
    kind, case = request.param, CASES[request.param]
    program = executable(tmp_path / "program", REPLAY)
    (tmp_path / "upf").mkdir()
    for symbol in ("Li", "O"):
        (tmp_path / "upf" / f"{symbol}.pbe.UPF").write_text("<UPF></UPF>")
    (tmp_path / "ions.lib").write_text("species\nMg core 2.0\nO core -2.0\n")
    (tmp_path / "tier.toml").write_text(
        f'[[tier]]\nname = "{kind}"\n[tier.engine]\nkind = "{kind}"\ncommand = "{program}"\n'
        + case.tier
    )
    # cells that differ, so that the structures are distinct; outputs bring their own
    found = [(case.crystal(), -3.0)]
    found += [(found[0][0].replace(cell=scale * found[0][0].cell), -2.0) for scale in (1.1, 1.2)]
    run = make_run(tmp_path / "run", formula=case.formula, found=found)
    result = nucleate(
        "export", run, "--cell", "given", "--input", "tier.toml", "--best", 3, "--out", "out"
    )
    assert result.status == 0, result.err
    return kind, case, run, folders(Path("out"))


def test_outputs_come_back_with_their_energies(handed_off, nucleate):
    kind, case, run, out = handed_off
    for number, name in enumerate(case.energies):
        submit(out[number], FAKE_FILES=str(DATA / kind / name))
    result = nucleate("import", run, "out", "--tier", "by-hand")
    assert result.status == 0, result.out
    assert f"{len(case.energies)} imported as by-hand, 0 known already" in result.out
    content = read_run(run)
    assert content.ladder == ("chgnet", "by-hand")
    ranked = [item.relaxed.energy_per_atom for item in content.ranked() if item.tier == "by-hand"]
    assert ranked == sorted(ranked)
    assert ranked
    for number, energy in enumerate(case.energies.values()):
        outcome = content.told[number][0].relaxed_by("by-hand")
        assert outcome.energy == pytest.approx(energy, abs=1e-4)
        assert outcome.level.code == kind
    again = nucleate("import", run, "out", "--tier", "by-hand")
    assert f"0 imported as by-hand, {len(case.energies)} known already" in again.out


def numbers(text, pattern):
    """Return the groups of all matches as rows of numbers."""
    return np.array(re.findall(pattern, text, re.M), dtype=float)


def written_by_espresso():
    text = (DATA / "espresso" / "none" / "output").read_text()
    forces = numbers(text, r"atom\s+\d+ type\s+\d+\s+force =\s+(\S+)\s+(\S+)\s+(\S+)")[:3]
    kbar = numbers(text[text.index("(kbar)") :], r"^(?:\s+-?\d\.\d{8}){3}" + 3 * r"\s+(\S+)" + "$")
    return forces * RYDBERG / BOHR, -0.1 * kbar


def written_by_cp2k():
    text = (DATA / "cp2k" / "final" / "output").read_text()
    forces = numbers(text, r"^\s+\d\s+\d\s+\w+" + 3 * r"\s+(\S+)" + "$")
    stress = numbers(text, r"STRESS\|\s+[xyz]" + 3 * r"\s+(\S+E[+-]\d+)" + "$")
    return forces * HARTREE / BOHR, -stress


def written_by_lammps():
    """LAMMPS turns the cell: its x is along a, its y in the plane of a and b."""
    a, b, _ = mgo().cell
    z = np.cross(a, b)
    axes = np.array([vector / np.linalg.norm(vector) for vector in (a, np.cross(z, a), z)])
    rows = (DATA / "lammps" / "none" / "final.dump").read_text().splitlines()[9:]
    forces = np.array([row.split()[4:7] for row in rows], dtype=float) @ axes
    text = (DATA / "lammps" / "none" / "output").read_text()
    xx, yy, zz, yz, xz, xy = numbers(text, r"^\s+0\s+\S+\s+\S+" + 6 * r"\s+(\S+)")[0]
    bar = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return forces, -axes.T @ bar @ axes / 1e4


def written_by_gulp():
    text = (DATA / "gulp" / "none" / "output").read_text()
    table = text[text.index("Final internal derivatives") :]
    by_fraction = numbers(table, r"^\s+\d (?:Mg|O)\s+c" + 3 * r"\s+(\S+)" + r"\s+\S+$")
    forces = -by_fraction @ np.linalg.inv(mgo_pair().cell).T
    values = dict(re.findall(r"\b([xyz]{2})\s+(-?\d+\.\d+)", table))
    order = (("xx", "xy", "xz"), ("xy", "yy", "yz"), ("xz", "yz", "zz"))
    return forces, np.array([[values[name] for name in row] for row in order], dtype=float)


WRITTEN = {
    "espresso": written_by_espresso,
    "cp2k": written_by_cp2k,
    "lammps": written_by_lammps,
    "gulp": written_by_gulp,
}
"""Forces in eV/Å and stresses in GPa of the last recording of each program."""


def test_forces_and_stress_are_ev_per_angstrom_and_gpa(handed_off, nucleate):
    kind, case, run, out = handed_off
    name = list(case.energies)[-1]
    submit(out[0], FAKE_FILES=str(DATA / kind / name))
    assert nucleate("import", run, "out").status == 0
    outcome = read_run(run).told[0][0].relaxed_by(kind)
    forces, stress = WRITTEN[kind]()
    np.testing.assert_allclose(outcome.forces, forces, atol=2e-5)
    np.testing.assert_allclose(outcome.stress_gpa, stress, atol=2e-3)
    assert outcome.max_force == pytest.approx(np.linalg.norm(forces, axis=1).max(), abs=2e-5)
    np.testing.assert_allclose(outcome.crystal.cell, case.crystal().cell, atol=1e-6)


def test_folders_that_are_not_finished_say_so(handed_off, nucleate):
    kind, case, run, out = handed_off
    name = next(iter(case.energies))
    submit(out[0], FAKE_FILES=str(DATA / kind / name))
    output = out[0] / "output"
    text = output.read_text()
    output.write_text(text[: text.index(case.end)])
    submit(out[1], FAKE_FILES=str(DATA / kind / name), FAKE_MODE="garbage")
    result = nucleate("import", run, "out")
    assert result.status == 1
    assert f"{out[0].name}: is not finished" in result.out
    assert re.search(rf"{out[1].name}: (has no result|its output cannot be read)", result.out)
    assert f"{out[2].name}: has no result" in result.out
    assert f"0 imported as {kind}, 0 known already, 3 without a result" in result.out
    assert read_run(run).ladder == ("chgnet",)
    output.write_text(text)
    result = nucleate("import", run, "out")
    assert f"1 imported as {kind}, 0 known already, 2 without a result" in result.out
