"""Executables that stand in for real programs: one that computes, one that replays."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

A0 = 4.2
"""Å, lattice constant that the fake VASP relaxes to."""

FAKE_VASP = r"""
import os, sys, time
A0 = {a0}

def numbers(line):
    return [float(word) for word in line.split()[:3]]

poscar = open("POSCAR").read().splitlines()
species, counts = poscar[5].split(), [int(word) for word in poscar[6].split()]
names = [s for s, n in zip(species, counts) for _ in range(n)]
scaled = [numbers(line) for line in poscar[8:8 + len(names)]]
a = numbers(poscar[2])[0]
incar = dict((part.strip() for part in line.split("=")) for line in open("INCAR"))
mode = os.environ.get("FAKE_MODE", "ok")
if mode == "by-lattice":
    mode = ["hang", "abort", "garbage"][k] if (k := round((a - 4.0) * 1000) % 10) < 3 else "ok"
log = os.environ.get("FAKE_LOG")
if log:
    with open(log, "a") as file:
        file.write(f"{{a}} {{incar['NSW']}} {{incar['KSPACING']}} {{os.getcwd()}}\n")
mark = os.environ.get("FAKE_MARK")
if mark and mode == "slow-once" and os.path.exists(mark):
    mode = "ok"
if mode == "silent":
    sys.exit(0)
if mode == "abort":
    print("VERY BAD NEWS! internal error in subroutine IBZKPT", flush=True)
    os.abort()
if mode == "garbage":
    open("vasprun.xml", "wb").write(os.urandom(3000))
    open("OUTCAR", "wb").write(os.urandom(3000))
    sys.exit(0)

def hang():
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    time.sleep(600)

if mode == "hang":
    print("entering main loop", flush=True)
    hang()

def cell_of(a):
    if mode == "given":
        return [numbers(line) for line in poscar[2:5]]
    return [[a, 0, 0], [0, a, 0], [0, 0, a]]

def energy(a):
    if mode == "given":
        return -3.0 * len(names) - 0.1 * (len(set(names)) > 1)
    return 2.0 * (a - A0) ** 2 - 3.0 * len(names)

def kbar(a):
    return 0.0 if mode == "given" else -4.0 * (a - A0) / (3.0 * a * a) * 1602.1766208

def rows(values):
    return "".join("<v> %.8f %.8f %.8f </v>" % tuple(row) for row in values)

def step(a):
    value = "nan" if mode == "nan" else "%.8f" % energy(a)
    energies = "".join('<i name="%s">%s</i>' % (n, value)
                       for n in ("e_fr_energy", "e_wo_entrp", "e_0_energy"))
    cell, p = cell_of(a), kbar(a)
    return ('<calculation><scstep><energy>%s</energy></scstep><structure><crystal>'
            '<varray name="basis">%s</varray></crystal><varray name="positions">%s</varray>'
            '</structure><varray name="forces">%s</varray><varray name="stress">%s</varray>'
            '<energy>%s</energy></calculation>') % (
        energies, rows(cell), rows(scaled), rows([[0.01, 0, 0]] * len(names)),
        rows([[p, 0, 0], [0, p, 0], [0, 0, p]]), energies)

head = ('<?xml version="1.0"?><modeling><kpoints><varray name="kpointlist"></varray>'
        '<varray name="weights"></varray></kpoints><atominfo><array name="atoms"><set>%s</set>'
        '</array></atominfo><structure name="initialpos"><crystal><varray name="basis">%s</varray>'
        '</crystal><varray name="positions">%s</varray></structure>') % (
    "".join("<rc><c>%s</c><c>1</c></rc>" % name for name in names),
    rows(cell_of(a)), rows(scaled))
with open("vasprun.xml", "w") as xml, open("OUTCAR", "w") as outcar:
    xml.write(head)
    for k in range(max(1, int(incar["NSW"]))):
        xml.write(step(a))
        what = "because EDIFF is reached"
        if mode == "scf":
            what = "EDIFF was not reached (unconverged)"
        outcar.write("------ aborting loop %s -----\n" % what)
        if mode in ("slow", "slow-once"):
            xml.flush(), outcar.flush()
            if mark:
                open(mark, "w").close()
            hang()
        if incar["ISIF"] != "3" or abs(kbar(a)) < 1.0:
            break
        a = (a + A0) / 2.0
    xml.write("</modeling>")
    outcar.write(" General timing and accounting informations for this job:\n")
"""

REPLAY = r"""
import os, shutil, sys, time
mode = os.environ.get("FAKE_MODE", "ok")
if mode == "hang":
    time.sleep(600)
if mode == "abort":
    print("internal error", flush=True)
    os.abort()
if mode == "garbage":
    print("@@@ segmentation? 17.3 NaN **** energy energy")
    sys.exit(0)
source = os.environ["FAKE_FILES"]
for name in os.listdir(source):
    if name not in ("output", "input"):
        shutil.copy(os.path.join(source, name), name)
sys.stdout.write(open(os.path.join(source, "output")).read())
sys.exit(int(os.environ.get("FAKE_STATUS", "0")))
"""


def executable(path: Path, body: str) -> Path:
    """Write a Python program that starts fast."""
    path.write_text(f"#!{sys.executable} -IS\n" + textwrap.dedent(body))
    path.chmod(0o755)
    return path


def fake_vasp(folder: Path) -> Path:
    """Write the fake VASP: a cubic crystal whose energy is harmonic in the lattice constant.

    With the mode ``given`` every crystal is at rest: -3 eV per atom, and 0.1 eV less per cell where
    it has several elements.
    """
    return executable(folder / "vasp_std", FAKE_VASP.format(a0=A0))


def potentials(folder: Path, enmax: dict[str, float]) -> Path:
    """Write potentials that have the header of a real one and nothing else."""
    for name, value in enmax.items():
        place = folder / name
        place.mkdir(parents=True)
        (place / "POTCAR").write_text(
            f"  PAW_PBE {name} 01Jan2000\n   TITEL  = PAW_PBE {name} 01Jan2000\n"
            f"   ENMAX  = {value:8.3f}; ENMIN  =  100.000 eV\n End of Dataset\n"
        )
    return folder


def living_with(word: str) -> list[int]:
    """Return the processes that have a word in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if _state(pid) not in ("Z", "X", "")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""
