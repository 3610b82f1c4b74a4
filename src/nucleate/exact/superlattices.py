"""Superlattices of a parent lattice, one of each set that its symmetry makes equivalent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PARENTS = ("fcc", "bcc", "sc", "hcp")


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Places for atoms in a cell, in the role of a :class:`nucleate.exact.grid.Grid`.

    Attributes
    ----------
    cell : ndarray of float64, shape (3, 3)
        Rows are the lattice vectors in Å.
    fractions : ndarray of float64, shape (n_sites, 3)
        Fractional coordinates.
    """

    cell: NDArray[np.float64]
    fractions: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Number of sites."""
        return self.fractions.shape[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """As of a grid with all points along the first vector."""
        return self.size, 1, 1

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Lengths of the lattice vectors in Å."""
        return np.linalg.norm(self.cell, axis=1)

    @property
    def name(self) -> str:
        """Number of sites as text."""
        return f"{self.size} sites"

    def scaled(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the fractional coordinates of sites by index, shape (n, 3)."""
        return self.fractions[indices]


def parent_lattice(name: str, volume_per_site: float) -> Crystal:
    """Return the primitive cell of a parent lattice; its atoms are the sites, all of one kind.

    Parameters
    ----------
    name
        ``fcc``, ``bcc``, ``sc``, ``hcp``, or a structure file whose atoms are the sites.
    volume_per_site
        Å³; a file is scaled to it.

    Raises
    ------
    InputError
        If it is neither.
    """
    from pathlib import Path

    cells = {
        "fcc": (np.ones((3, 3)) - np.eye(3)) / 2.0,
        "bcc": np.ones((3, 3)) / 2.0 - np.eye(3),
        "sc": np.eye(3),
        "hcp": np.array([[1.0, 0, 0], [-0.5, 0.75**0.5, 0], [0, 0, (8.0 / 3.0) ** 0.5]]),
    }
    if name in cells:
        scaled = np.zeros((1, 3))
        if name == "hcp":
            scaled = np.array([[0.0, 0.0, 0.0], [1.0 / 3.0, 2.0 / 3.0, 0.5]])
        crystal = Crystal(np.ones(len(scaled), dtype=np.int64), cells[name], scaled)
    elif Path(name).is_file():
        from nucleate.crystal.files import read_crystals

        crystal = read_crystals(name)[0][1]
        crystal = crystal.replace(numbers=np.ones(crystal.n_atoms, dtype=np.int64))
    else:
        raise InputError(
            f"--lattice = {name!r} is neither one of {', '.join(PARENTS)} nor a file. Give a "
            "structure file whose atoms are the sites."
        )
    scale = (volume_per_site / crystal.volume_per_atom) ** (1.0 / 3.0)
    return crystal.replace(cell=crystal.cell * scale)


def parent_operations(parent: Crystal) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the operations of a parent in its own cell, for columns of fractions."""
    from moyopy import Cell, MoyoDataset

    cell = Cell(parent.cell.tolist(), parent.scaled.tolist(), parent.numbers.tolist())
    found = MoyoDataset(cell, symprec=1e-4).operations
    return (
        np.array(found.rotations, dtype=np.int64).reshape(-1, 3, 3),
        np.array(found.translations, dtype=np.float64).reshape(-1, 3),
    )


def hermite(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the Hermite normal form of the row lattice of a 3 x 3 matrix (lower triangular)."""
    rows = matrix.copy()
    for k in (2, 1, 0):
        while np.count_nonzero(rows[: k + 1, k]) > 1:
            busy = np.flatnonzero(rows[: k + 1, k])
            least = busy[np.argmin(np.abs(rows[busy, k]))]
            for i in busy:
                if i != least:
                    rows[i] -= (rows[i, k] // rows[least, k]) * rows[least]
        pivot = int(np.flatnonzero(rows[: k + 1, k])[0])
        rows[[pivot, k]] = rows[[k, pivot]]
        if rows[k, k] < 0:
            rows[k] = -rows[k]
    for k in (1, 0):
        for i in range(k + 1, 3):
            rows[i] -= (rows[i, k] // rows[k, k]) * rows[k]
    return rows


def superlattices(rotations: NDArray[np.int64], index: int) -> Iterator[NDArray[np.int64]]:
    """Yield the superlattices of an index, one of each class; rows are in the parent's vectors."""
    seen: set[bytes] = set()
    turns = np.unique(rotations, axis=0)
    for a in range(1, index + 1):
        if index % a:
            continue
        for b in range(1, index // a + 1):
            if (index // a) % b:
                continue
            c = index // a // b
            for x in range(a):
                for y in range(a):
                    for z in range(b):
                        form = np.array([[a, 0, 0], [x, b, 0], [y, z, c]], dtype=np.int64)
                        if form.tobytes() in seen:
                            continue
                        seen.update(hermite(form @ turn.T).tobytes() for turn in turns)
                        yield form


def supercell_sites(parent: Crystal, form: NDArray[np.int64]) -> tuple[Sites, NDArray[np.float64]]:
    """Return the sites of a supercell and their coordinates in the parent's cell."""
    a, b, c = (int(form[k, k]) for k in range(3))
    shifts = np.array([[i, j, k] for i in range(a) for j in range(b) for k in range(c)])
    places = (parent.scaled[None, :, :] + shifts[:, None, :]).reshape(-1, 3)
    fractions = places @ np.linalg.inv(form)
    return Sites(form @ parent.cell, fractions - np.floor(fractions + 1e-9)), places


def site_permutations(
    parent: Crystal,
    form: NDArray[np.int64],
    operations: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> NDArray[np.int64]:
    """Return how the parent's symmetry permutes the sites of a supercell, all different."""
    sites, places = supercell_sites(parent, form)
    inverse = np.linalg.inv(form)
    shifts = np.rint(places - np.tile(parent.scaled, (len(places) // parent.n_atoms, 1)))
    moves = np.unique(shifts, axis=0)
    rows = [np.arange(sites.size)]
    for rotation, translation in zip(*operations, strict=True):
        if not np.array_equal(hermite(form @ rotation.T), form):
            continue
        for move in moves:
            image = (places @ rotation.T + translation + move) @ inverse
            gap = image[:, None, :] - sites.fractions[None, :, :]
            gap -= np.rint(gap)
            rows.append(np.argmin(np.abs(gap).max(axis=2), axis=1))
    unique = np.unique(np.array(rows), axis=0)
    same = (unique == rows[0]).all(axis=1)
    return np.concatenate([rows[0][None, :], unique[~same]])
