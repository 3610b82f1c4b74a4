"""Time the crystal checks: ``crystal.py``. CPU seconds of one process, after compilation."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs, shortest_distance
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distances
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import standardised
from nucleate.crystal.voids import vacant_sites


def milliseconds(call: Callable[[], object], repeats: int = 100) -> float:
    """Return the median CPU time of a call in milliseconds, over five runs."""
    call()
    runs = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(repeats):
            call()
        runs.append((time.process_time() - start) / repeats * 1e3)
    return float(np.median(runs))


def main() -> None:
    """Print a line for each operation, at 50 atoms and 12 Å³ per atom."""
    from ase.neighborlist import neighbor_list

    rng = np.random.default_rng(0)
    composition = Composition.from_formula("SrTiO3")
    crystal = Crystal(composition.numbers(10), np.eye(3) * 600.0 ** (1 / 3), rng.random((50, 3)))
    loose = SearchSpace.create(composition, contact_scale=0.01)
    own = fingerprint(crystal)
    stack = np.repeat(own[None, :], 1000, axis=0)
    atoms = crystal.to_ase()
    operations: dict[str, Callable[[], object]] = {
        "rejection, every pair looked at": lambda: loose.rejection(crystal),
        "contact_rejection, raw arrays": lambda: loose.contact_rejection(
            crystal.numbers, crystal.cell, crystal.scaled
        ),
        "shortest_distance": lambda: shortest_distance(crystal),
        "neighbour_pairs, 6 Å": lambda: neighbour_pairs(crystal, 6.0),
        "ASE neighbor_list, 6 Å (peer)": lambda: neighbor_list("ijSd", atoms, 6.0),
        "vacant_sites": lambda: vacant_sites(crystal),
        "reduced_cell": lambda: reduced_cell(crystal),
        "standardised, 0.1 Å": lambda: standardised(crystal, 0.1),
        "fingerprint": lambda: fingerprint(crystal),
        "fingerprint_distances to 1000": lambda: fingerprint_distances(own, stack),
    }
    for name, call in operations.items():
        print(f"{name:34s} {milliseconds(call, 20 if 'ASE' in name else 100):8.3f} ms")


if __name__ == "__main__":
    main()
