"""Collect Wyckoff orbits, cell shapes and contacts of known structures for the symmetric prior.

    python scripts/symmetric_prior/collect.py STRUCTURES.parquet observations.jsonl

The parquet file has the columns ``split`` (train, val or test, by formula), ``formula``,
``lattice`` (9 numbers), ``species`` (atomic numbers), ``frac_coords`` and the formation energies
``e_form_mp2018`` and ``e_form_mp2021`` (eV/atom or null). One line of JSON a distinct structure.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from moyopy import Cell, MoyoDataset, Setting

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs
from nucleate.generate.wyckoff import sites

SYMPREC = 0.05  # Å
MAX_ATOMS = 52
MAX_VOLUME_PER_ATOM = 100.0  # Å³
CONTACT_CUTOFF = 4.5  # Å
SETTLED_EV_PER_ATOM = 0.05
DROPPED_EV_PER_ATOM = 0.10


def main(source: Path, target: Path) -> None:
    """Write the observations of the train and val splits."""
    logging.getLogger("moyo").setLevel(logging.ERROR)
    table = pd.read_parquet(source)
    energy = table.e_form_mp2018.fillna(table.e_form_mp2021)
    above = energy - energy.groupby(table.formula).transform("min")
    seen: set[str] = set()
    with target.open("w") as stream:
        for row, excess in zip(table.itertuples(), above, strict=True):
            if row.split == "test" or excess > DROPPED_EV_PER_ATOM:
                continue
            found = observe(row)
            if found is None:
                continue
            key = f"{row.formula} {found['group']} {found['assignments'][0]}"
            if key not in seen:
                seen.add(key)
                found |= {"split": row.split, "settled": bool(excess <= SETTLED_EV_PER_ATOM)}
                stream.write(json.dumps(found) + "\n")


def observe(row: Any) -> dict[str, Any] | None:
    """Return what the prior learns from one structure; None if it is not usable."""
    crystal = Crystal(
        np.array(row.species, dtype=np.int64),
        np.array(row.lattice, dtype=np.float64).reshape(3, 3),
        np.array(row.frac_coords, dtype=np.float64).reshape(-1, 3),
    )
    if crystal.volume_per_atom > MAX_VOLUME_PER_ATOM:
        return None
    cell = Cell(crystal.cell.tolist(), crystal.scaled.tolist(), crystal.numbers.tolist())
    try:
        data = MoyoDataset(cell, symprec=SYMPREC, setting=Setting.standard())
    except ValueError:
        return None
    primitive = np.array(data.prim_std_cell.numbers)
    if data.number == 1 or primitive.size != crystal.n_atoms or primitive.size > MAX_ATOMS:
        return None
    numbers, counts = np.unique(primitive, return_counts=True)
    standard = Crystal(
        np.array(data.std_cell.numbers),
        np.array(data.std_cell.basis),
        np.array(data.std_cell.positions),
    )
    contacts = shortest_contacts(crystal)
    return {
        "formula": row.formula,
        "group": data.number,
        "numbers": numbers.tolist(),
        "counts": counts.tolist(),
        "assignments": equivalent_assignments(data, crystal),
        "cell": [*standard.lengths.tolist(), *standard.angles.tolist()],
        "volume_per_atom": crystal.volume_per_atom,
        "contacts": contacts,
    }


def equivalent_assignments(data: MoyoDataset, crystal: Crystal) -> list[list[tuple[int, int]]]:
    """Return (atomic number, index of the position) of every orbit, for every choice of origin.

    Assignments that differ by an element of the Euclidean normalizer describe the same structure.
    """
    index = {site.letter: k for k, site in enumerate(sites(data.number))}
    first = np.unique(data.orbits)
    orbits = [(int(crystal.numbers[k]), data.wyckoffs[k]) for k in first]
    try:
        normalizer = data.normalizer_wyckoff_positions()
    except ValueError:  # the tolerance is too loose for it
        return [sorted((number, index[letter]) for number, letter in orbits)]
    letters = [position.letter for position in normalizer.wyckoffs]
    found = set()
    for _, sequence in normalizer.coset_representatives:
        change = {old: new.letter for old, new in zip(letters, sequence, strict=True)}
        found.add(tuple(sorted((number, index[change[letter]]) for number, letter in orbits)))
    return [list(assignment) for assignment in sorted(found)]


def shortest_contacts(crystal: Crystal) -> list[tuple[int, int, float]]:
    """Return the shortest distance (Å) of each pair of elements that meets within the cutoff."""
    i, j, _, distances = neighbour_pairs(crystal, CONTACT_CUTOFF)
    best: dict[tuple[int, int], float] = {}
    for k in np.argsort(-distances):
        first, second = sorted((int(crystal.numbers[i[k]]), int(crystal.numbers[j[k]])))
        best[first, second] = float(distances[k])
    return [(first, second, round(value, 3)) for (first, second), value in best.items()]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
