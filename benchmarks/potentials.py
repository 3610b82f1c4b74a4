"""Speed of the classical energies, and of ranking thousands of crystals.

    python benchmarks/potentials.py FIELD.toml --ranked 5000

Process CPU time of one thread; the ranking is also timed by the clock, on two threads. Relaxations
side by side with LAMMPS are in ``lammps_speed.py``.
"""

from __future__ import annotations

import argparse
import time
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

RANKED = (("Ca3Ti2O7", 2), ("Li2SiO3", 4), ("NaCl", 12), ("CoAs2", 8))


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


def rank_many(count: int, threads: int) -> None:
    """Print what it takes to relax and rank crystals of 24 atoms of four compositions."""
    sets = [generated(formula, units, count // 4, seed=1) for formula, units in RANKED]
    rank_crystals(sets[0][:2], threads=1)
    wall = used = 0.0
    ranked = converged = 0
    for crystals in sets:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        found = rank_crystals(crystals, threads=threads)
        wall += time.perf_counter() - begin
        used += time.process_time() - begin_cpu
        ranked += len(found)
        converged += sum(item.converged for item in found)
    print(
        f"ranking {4 * (count // 4)} crystals of 24 atoms on {threads} threads: {wall:.1f} s by "
        f"the clock, {used:.1f} s CPU; {ranked} ranked, {converged} of them converged"
    )


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("field")
    parser.add_argument("--ranked", type=int, default=5000, help="crystals to rank; 0: none")
    parser.add_argument("--threads", type=int, default=2)
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
    if arguments.ranked:
        rank_many(arguments.ranked, arguments.threads)


if __name__ == "__main__":
    main()
