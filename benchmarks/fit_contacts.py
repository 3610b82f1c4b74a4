"""Find the shortest contacts of each element pair: ``fit_contacts.py STRUCTURES [OUT]``.

For each pair of elements the shortest distance between them is taken from every structure that has
both; the table holds a low quantile of those. Reports how many held-out structures the search
space lets through at several contact scales.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from structure_table import StructureTable, read_structures

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.elements import MAX_NUMBER, element
from nucleate.crystal.space import SearchSpace

QUANTILE = 0.005
FARTHEST_ANG = 8.0
FEWEST_STRUCTURES = 20  # that a pair needs for a distance of its own


def shortest_by_pair(crystal: Crystal) -> np.ndarray:
    """Return the shortest distances in Å by two atomic numbers; inf beyond 8 Å."""
    shortest = np.full((MAX_NUMBER + 1, MAX_NUMBER + 1), np.inf)
    i, j, _, distances = neighbour_pairs(crystal, FARTHEST_ANG)
    pairs = np.sort(crystal.numbers[np.stack([i, j])], axis=0)
    np.minimum.at(shortest, tuple(pairs), distances)
    return shortest


def contacts_of(table: StructureTable, chosen: np.ndarray) -> dict[tuple[int, int], list[float]]:
    """Return for each pair of elements the shortest contact of every structure with both."""
    contacts: dict[tuple[int, int], list[float]] = {}
    for index in np.flatnonzero(chosen):
        crystal = table.crystals[index]
        shortest = shortest_by_pair(crystal)
        for first, second in np.argwhere(np.isfinite(shortest)):
            contacts.setdefault((int(first), int(second)), []).append(shortest[first, second])
    return contacts


def report_acceptance(table: StructureTable, chosen: np.ndarray) -> None:
    """Print which part of the structures the search space lets through."""
    for scale in (0.75, 0.9, 1.0, 1.1, 1.25):
        reasons: dict[str, int] = {}
        for index in np.flatnonzero(chosen):
            crystal = table.crystals[index]
            composition = Composition.from_numbers(crystal.numbers)
            space = SearchSpace.create(composition, max_atoms=crystal.n_atoms, contact_scale=scale)
            reason = space.rejection(crystal)
            if reason is not None:
                reasons[reason] = reasons.get(reason, 0) + 1
        passed = 1.0 - sum(reasons.values()) / chosen.sum()
        print(f"contact_scale {scale}: {100 * passed:.2f} % pass; rejected {reasons}")


def main() -> None:
    """Write the table, or report acceptance with the table in use."""
    table = read_structures(Path(sys.argv[1]))
    held_out = table.usable & (table.splits == "val")
    if len(sys.argv) < 3:
        report_acceptance(table, held_out)
        return
    contacts = contacts_of(table, table.usable & (table.splits == "train"))
    header = [
        "Shortest contacts in Å of element pairs: 0.5 % quantile, over structures that have both",
        "elements, of the shortest distance between them. Found by benchmarks/fit_contacts.py on",
        "structures of the Materials Project (CC-BY 4.0; Jain et al., APL Mater. 1, 011002, 2013)",
        f"without contacts below 0.7 Å; pairs with fewer than {FEWEST_STRUCTURES} are left out.",
    ]
    lines = [*(f"# {line}" for line in header), "first,second,structures,distance_A"]
    ratios = []
    for (first, second), distances in sorted(contacts.items()):
        if len(distances) < FEWEST_STRUCTURES:
            continue
        one, two = element(first), element(second)
        distance = float(np.quantile(distances, QUANTILE))
        lines.append(f"{one.symbol},{two.symbol},{len(distances)},{distance:.2f}")
        if len(distances) >= 200:
            ratios.append(distance / (one.covalent_radius + two.covalent_radius))
    print("distance / sum of covalent radii, quantiles 5, 25, 50 %:", end=" ")
    print(np.quantile(ratios, [0.05, 0.25, 0.5]).round(3))
    Path(sys.argv[2]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
