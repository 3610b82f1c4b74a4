"""Samples of the language of Wyckoff positions: exactness, contacts, repeats and time.

    python benchmarks/wyckoff_language.py samples mp_structures.parquet [--checkpoint FILE]
    python benchmarks/wyckoff_language.py speed [--checkpoint FILE]

``samples``: 40 compositions of the ``val`` split, 25 crystals of each, at the reference's size,
with the settings of the generator and assignments drawn by chance. ``speed``: 1,000 crystals of 20
atoms of four compositions. Match rates: ``nucleate benchmark csp --generate-only --same-size``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from nucleate.benchmark.csp import read_entries
from nucleate.crystal.composition import Composition
from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.space import SearchSpace
from nucleate.generate.context import GeneratorContext
from nucleate.generate.distinct import distinct
from nucleate.generate.symmetric_prior import load_prior
from nucleate.generate.wyckoff_language.assignments import AssignmentSearch, Manner
from nucleate.generate.wyckoff_language.checkpoint import load_language
from nucleate.generate.wyckoff_language.generator import STRICTNESS
from nucleate.generate.wyckoff_language.places import PlaceWriter
from nucleate.generate.wyckoff_language.sentence import crystal_of, expected_volume, usual_order
from nucleate.plugins import find

OF_TWENTY_ATOMS = (("CaTiO3", 4), ("NaNO3", 4), ("GaFeO3", 4), ("KClO3", 4))
OF_EACH = 25


def samples(table: Path, checkpoint: str) -> None:
    """Print how many samples are exact, keep their distances and are distinct."""
    network = load_language(checkpoint).network()
    rng = np.random.default_rng(0)
    drawn = placed = exact = valid = unique = 0
    for entry in read_entries(table, number=40, seed=7):
        numbers, counts = np.unique(entry.crystal.numbers, return_counts=True)
        order = usual_order(numbers)
        numbers, counts = numbers[order], counts[order]
        volume = float(np.log(expected_volume(numbers, counts) / counts.sum()))
        search = AssignmentSearch(network, numbers, counts, volume)
        found = search.likely(OF_EACH, rng=rng)
        limits = STRICTNESS * load_prior().usual_contacts[np.ix_(numbers, numbers)]
        writer = PlaceWriter(network, numbers, counts, limits)
        written = writer.written(found, [1] * len(found), manner=Manner(0.7, 0.95), rng=rng)
        crystals = [c for c in (crystal_of(item.sentence, limits) for item in written) if c]
        drawn, placed = drawn + len(found), placed + len(crystals)
        wanted = np.sort(np.repeat(numbers, counts))
        exact += sum(np.array_equal(np.sort(c.numbers), wanted) for c in crystals)
        valid += sum(_keeps_distances(c) for c in crystals)
        unique += len(distinct(crystals))
    print(f"assignments drawn {drawn}, with cell and places {placed}")
    print(f"exact {exact}, contacts kept {valid}, distinct {unique}, of {placed}")


def _keeps_distances(crystal) -> bool:
    i, j, _, distances = neighbour_pairs(crystal, 4.0)
    usual = load_prior().usual_contacts[crystal.numbers[i], crystal.numbers[j]]
    return bool((distances >= STRICTNESS * usual * (1.0 - 1e-6)).all())


def speed(checkpoint: str) -> None:
    """Print seconds for 1,000 crystals of 20 atoms on one core, after a warm-up."""
    for number in (20, 1000):
        for formula, units in OF_TWENTY_ATOMS:
            composition = Composition.from_formula(formula)
            atoms = units * composition.n_atoms
            space = SearchSpace.create(composition, max_atoms=atoms, formula_units=(units,))
            settings = find("wyckoff-language", "generators").model_validate(
                {"kind": "wyckoff-language", "checkpoint": checkpoint, "number": number}
            )
            generator = settings.build(GeneratorContext(space))
            wall, cpu = time.perf_counter(), time.process_time()
            made = len(generator.members)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number == 1000:
                print(
                    f"{formula} {atoms} atoms: {made} crystals, {wall:.1f} s, {cpu:.1f} s of a core"
                )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("samples", "speed"))
    parser.add_argument("table", nargs="?", type=Path)
    parser.add_argument("--checkpoint", default="mp")
    given = parser.parse_args()
    if given.what == "samples":
        samples(given.table, given.checkpoint)
    else:
        speed(given.checkpoint)


if __name__ == "__main__":
    main()
