"""A molecule or polyhedron that a search keeps rigid."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.elements import element
from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.composition import Composition
    from nucleate.crystal.crystal import Crystal

MOST_ATOMS = 40
"""Of a motif."""

FORMATS = {".xyz": "extxyz", ".mol": "mol", ".sdf": "sdf", ".pdb": "proteindatabank"}
"""ASE's names of the formats by suffix."""

TOLERANCE_ANG = 0.3
"""Å; a distance within a motif may differ by this: relaxations of parents change it a little."""


@dataclass(frozen=True, slots=True, eq=False)
class Motif:
    """Atoms that keep their distances.

    Attributes
    ----------
    numbers : ndarray of int64, shape (n,)
        Atomic numbers, n at least 2.
    positions : ndarray of float64, shape (n, 3)
        Å, about the centre.
    copies : int
        In a formula unit.
    """

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    copies: int

    @classmethod
    def of_file(cls, path: str | Path, composition: Composition) -> Motif:
        """Read a molecule from an .xyz, .mol, .sdf or .pdb file.

        A formula unit has as many copies of it as its atoms suffice for.

        Raises
        ------
        InputError
            If the file cannot be read, holds fewer than 2 or more than 40 atoms, or the
            composition has not enough atoms for one.
        """
        import ase.io

        form = FORMATS.get(Path(path).suffix.lower())
        if form is None:
            raise InputError(
                f"problem.motif = {str(path)!r} is no {', '.join(FORMATS)} file. Give one of these."
            )
        try:
            atoms = ase.io.read(path, index=0, format=form)
        except Exception as error:
            raise InputError(
                f"problem.motif = {str(path)!r}: cannot be read "
                f"({str(error).splitlines()[0][:200] if str(error) else type(error).__name__}). "
                "Give an .xyz file of one molecule."
            ) from error
        numbers = np.array(atoms.numbers, dtype=np.int64)  # type: ignore[union-attr]
        positions = np.array(atoms.positions, dtype=np.float64)  # type: ignore[union-attr]
        if not 2 <= len(numbers) <= MOST_ATOMS or not np.isfinite(positions).all():
            raise InputError(
                f"problem.motif = {str(path)!r} has {len(numbers)} atoms. Give a molecule of 2 to "
                f"{MOST_ATOMS} atoms."
            )
        copies = _copies(numbers, composition)
        if copies == 0:
            raise InputError(
                f"problem.motif = {str(path)!r}: {composition.formula} has too few atoms for one. "
                "Give a molecule that a formula unit contains."
            )
        return cls(numbers, positions - positions.mean(axis=0), copies)

    @property
    def distances(self) -> NDArray[np.float64]:
        """Distances between the atoms in Å, shape (n, n)."""
        return np.linalg.norm(self.positions[:, None] - self.positions[None], axis=2)

    def check(self, limits: NDArray[np.float64]) -> None:
        """Check that it keeps the minimum distances; raises InputError naming a pair.

        ``limits`` is the table of a search space.
        """
        close = self.distances < limits[np.ix_(self.numbers, self.numbers)]
        close[np.diag_indices(len(self.numbers))] = False
        for i, j in np.argwhere(close):
            names = "-".join(element(int(self.numbers[k])).symbol for k in (i, j))
            raise InputError(
                f"problem.motif: its atoms {names} are {self.distances[i, j]:.2f} Å apart, less "
                "than the minimum distance. Give this pair a smaller one in problem.min_distances."
            )

    def held_by(self, crystal: Crystal, units: int) -> bool:
        """Return whether a crystal of some formula units contains all copies."""
        return len(self.found_in(crystal)) >= self.copies * units

    def found_in(self, crystal: Crystal) -> list[NDArray[np.int64]]:
        """Return the atoms of the copies in a crystal, in the order of the motif; none shared.

        An atom belongs to the first copy that it is found in. Mirror images count.
        """
        distances = self.distances
        centre = int(np.argmin(np.linalg.norm(self.positions, axis=1)))
        order = [centre, *(k for k in range(len(self.numbers)) if k != centre)]
        cutoff = float(distances[centre].max()) + TOLERANCE_ANG
        first, second, shifts, lengths = neighbour_pairs(crystal, cutoff)
        vectors = (crystal.scaled[second] + shifts - crystal.scaled[first]) @ crystal.cell
        used: set[int] = set()
        found = []
        for atom in np.flatnonzero(crystal.numbers == self.numbers[centre]).tolist():
            near = np.flatnonzero(first == atom)
            places = _match(
                distances[np.ix_(order, order)],
                self.numbers[order],
                (atom, second[near], vectors[near], lengths[near]),
                crystal.numbers,
                used,
            )
            if places is not None:
                used |= set(places)
                copy = np.empty(len(order), dtype=np.int64)
                copy[order] = places
                found.append(copy)
        return found


def _copies(numbers: NDArray[np.int64], composition: Composition) -> int:
    has = {element(symbol).number: count for symbol, count in composition.counts.items()}
    return min(has.get(int(z), 0) // n for z, n in Counter(numbers.tolist()).items())


def _match(
    distances: NDArray[np.float64],
    kinds: NDArray[np.int64],
    near: tuple[int, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    numbers: NDArray[np.int64],
    used: set[int],
) -> list[int] | None:
    """Return atoms with the distances of a motif whose first is given; None if there are none."""
    start, atoms, vectors, lengths = near
    if start in used:
        return None
    chosen, places = [start], [np.zeros(3)]

    def extend(depth: int) -> bool:
        if depth == len(kinds):
            return True
        gaps = np.abs(lengths - distances[0, depth])
        for k in np.flatnonzero(gaps < TOLERANCE_ANG).tolist():
            atom = int(atoms[k])
            if numbers[atom] != kinds[depth] or atom in used or atom in chosen:
                continue
            apart = np.linalg.norm(np.array(places) - vectors[k], axis=1)
            if np.abs(apart - distances[:depth, depth]).max() < TOLERANCE_ANG:
                chosen.append(atom)
                places.append(vectors[k])
                if extend(depth + 1):
                    return True
                chosen.pop()
                places.pop()
        return False

    return chosen if extend(1) else None
