"""Samples of the flow: exactness, contacts, repeats and time, whole and in symmetry.

    python benchmarks/flow.py samples mp_structures.parquet [--checkpoint FILE] [--symmetric 1]
    python benchmarks/flow.py speed [--checkpoint FILE]

``samples``: 40 compositions of the ``val`` split, 25 starts of each, at the size of the
reference; nothing is replaced. ``--steps 0`` gives the starts themselves.
``speed``: crystals of 12 atoms. Match rates: ``nucleate benchmark csp --generate-only
--same-size``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from nucleate.benchmark.csp import read_entries
from nucleate.crystal.composition import Composition
from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.space import SearchSpace
from nucleate.generate.distinct import distinct
from nucleate.generate.flow.checkpoint import FLOW
from nucleate.generate.flow.generator import STRICTNESS, Starts
from nucleate.generate.flow.sampling import Manner, flowed, random_start
from nucleate.generate.symmetric_prior import load_prior

OF_EACH = 25


def samples(table: Path, checkpoint: str, manner: Manner, symmetric: float) -> None:
    """Print how many samples are exact, keep their distances and are distinct."""
    network = FLOW.load(checkpoint).network()
    drawn = made = exact = valid = unique = 0
    for entry in read_entries(table, number=40, seed=7, atoms=(2, 12)):
        composition = Composition.from_numbers(entry.crystal.numbers)
        units = composition.formula_units_of(entry.crystal.numbers) or 1
        numbers = np.sort(entry.crystal.numbers)
        space = SearchSpace.create(
            composition, formula_units=(units,), max_atoms=entry.crystal.n_atoms
        )
        source = Starts(space, network, numbers, units, symmetric)
        begin = [source.draw(np.random.default_rng([k, 1])) for k in range(OF_EACH)]
        starts = [item[0] for item in begin if item is not None]
        crystals = [c for c in flowed(network, numbers, starts, manner) if c is not None]
        drawn, made = drawn + OF_EACH, made + len(crystals)
        exact += sum(np.array_equal(c.numbers, numbers) for c in crystals)
        kept = [c for c in crystals if _keeps_distances(c)]
        valid, unique = valid + len(kept), unique + len(distinct(kept))
    print(f"starts {drawn}, crystals {made}, exact {exact}, contacts kept {valid}")
    print(f"distinct {unique} of those that keep their contacts")


def _keeps_distances(crystal) -> bool:
    i, j, _, distances = neighbour_pairs(crystal, 4.0)
    usual = load_prior().usual_contacts[crystal.numbers[i], crystal.numbers[j]]
    return bool((distances >= STRICTNESS * usual).all())


def speed(checkpoint: str, manner: Manner) -> None:
    """Print seconds for 1,000 crystals of 12 atoms on one core, measured on 256."""
    network = FLOW.load(checkpoint).network()
    numbers = np.repeat([8, 22], [8, 4])
    starts = [random_start(network, 12, rng=np.random.default_rng(k)) for k in range(256)]
    flowed(network, numbers, starts[:16], manner)
    wall, cpu = time.perf_counter(), time.process_time()
    made = len(flowed(network, numbers, starts, manner))
    wall, cpu = (time.perf_counter() - wall), (time.process_time() - cpu)
    print(f"TiO2, 12 atoms: {1000 * cpu / made:.1f} s of a core, {1000 * wall / made:.1f} s")


def main() -> None:
    """Read the arguments and measure."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("samples", "speed"))
    parser.add_argument("table", nargs="?", type=Path)
    parser.add_argument("--checkpoint", default="mp12")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--haste", type=float, default=3.0)
    parser.add_argument("--symmetric", type=float, default=0.0)
    given = parser.parse_args()
    manner = Manner(steps=given.steps, haste_atoms=given.haste)
    if given.what == "samples":
        samples(given.table, given.checkpoint, manner, given.symmetric)
    else:
        speed(given.checkpoint, manner)


if __name__ == "__main__":
    main()
