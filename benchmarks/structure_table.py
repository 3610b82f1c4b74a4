"""Read a table of known structures (parquet) for the fits of element data.

Columns: ``split`` (train, val, test), ``formula``, ``lattice`` (9 floats, rows a, b, c in Å),
``species`` (atomic numbers) and ``frac_coords`` (flattened).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import nearest_neighbour_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class StructureTable:
    """Structures with what decides whether they are used.

    Attributes
    ----------
    crystals, splits, formulas
        One entry a structure.
    volumes : ndarray
        Å³ per atom.
    usable : ndarray of bool
        No contact below 0.7 Å, no atom without a neighbour within 6 Å, at most 250 Å³ per atom.
    """

    crystals: list[Crystal]
    splits: NDArray[np.str_]
    formulas: NDArray[np.str_]
    volumes: NDArray[np.float64]
    usable: NDArray[np.bool_]


def read_structures(path: Path) -> StructureTable:
    """Read every structure of a parquet file (needs pyarrow)."""
    import pyarrow.parquet

    names = ["split", "formula", "lattice", "species", "frac_coords"]
    table = pyarrow.parquet.read_table(path, columns=names).to_pydict()
    crystals = [
        Crystal(np.array(z), np.array(cell).reshape(3, 3), np.array(points).reshape(-1, 3))
        for cell, z, points in zip(
            table["lattice"], table["species"], table["frac_coords"], strict=True
        )
    ]
    volumes = np.array([crystal.volume_per_atom for crystal in crystals])
    nearest = [nearest_neighbour_distances(crystal) for crystal in crystals]
    shortest = np.array([distances.min() for distances in nearest])
    loneliest = np.array([distances.max() for distances in nearest])
    return StructureTable(
        crystals=crystals,
        splits=np.array(table["split"]),
        formulas=np.array(table["formula"]),
        volumes=volumes,
        usable=(shortest >= 0.7) & (loneliest <= 6.0) & (volumes <= 250.0),
    )
