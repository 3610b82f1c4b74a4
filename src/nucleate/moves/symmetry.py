"""The symmetry of a parent as operations on its atoms, for moves that keep a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.symmetry import standardised, symmetry_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

SYMPREC = 0.05
"""Å; within this tolerance a relaxed parent is symmetrised."""

EXACT = 1e-3
"""Å; tolerance for a symmetrised crystal."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Operations of a crystal in its own cell, lattice translations left out.

    Attributes
    ----------
    rotations : ndarray of float64, shape (order, 3, 3)
        Point x (a row of fractional coordinates) goes to ``x @ rotations[k] + translations[k]``.
    translations : ndarray of float64, shape (order, 3)
    images : ndarray of int64, shape (order, n_atoms)
        Atom i goes to the place of atom ``images[k, i]``.
    """

    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    images: NDArray[np.int64]

    @property
    def order(self) -> int:
        """Number of operations."""
        return len(self.rotations)

    def of(self, places: NDArray[np.int64]) -> Group:
        """Return the group of some of the operations."""
        return Group(self.rotations[places], self.translations[places], self.images[places])

    def orbits(self) -> list[NDArray[np.int64]]:
        """Return the atoms of each orbit."""
        first = self.images.min(axis=0)
        return [np.flatnonzero(first == atom) for atom in np.unique(first)]

    def spread(self, atom: int, step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the symmetric displacement of all atoms that displaces one atom.

        Parameters
        ----------
        atom
            Any atom.
        step
            Its displacement in fractional coordinates, shape (3,); the part that its site symmetry
            forbids is left out.

        Returns
        -------
        ndarray of float64, shape (n_atoms, 3)
            0 for the atoms of other orbits.
        """
        moved = np.zeros((self.images.shape[1], 3))
        counts = np.zeros(len(moved))
        targets = self.images[:, atom]
        np.add.at(moved, targets, step @ self.rotations)
        np.add.at(counts, targets, 1.0)
        return moved / np.maximum(counts, 1.0)[:, None]

    def symmetric(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the part of displacements (fractional, shape (n_atoms, 3)) that is symmetric."""
        total = np.zeros_like(steps)
        for rotation, image in zip(self.rotations, self.images, strict=True):
            total[image] += steps @ rotation
        return total / self.order


def symmetric_parent(parent: Crystal, symprec: float = SYMPREC) -> Crystal | None:
    """Return a parent, symmetrised, in its primitive cell; None where it has no symmetry."""
    crystal = standardised(parent, symprec)
    if crystal is None:
        return None
    dataset = symmetry_dataset(crystal, EXACT)
    return crystal if dataset is not None and dataset.number > 1 else None


def group_of(crystal: Crystal) -> Group | None:
    """Return the operations of a symmetrised crystal; None where there is no more than one."""
    dataset = symmetry_dataset(crystal, EXACT)
    if dataset is None:
        return None
    rotations = np.array(dataset.operations.rotations, dtype=np.float64).transpose(0, 2, 1)
    translations = np.array(dataset.operations.translations, dtype=np.float64)
    kept, images = [], []
    for place, (rotation, translation) in enumerate(zip(rotations, translations, strict=True)):
        image = _images(crystal, crystal.scaled @ rotation + translation)
        if image is not None:
            kept.append(place)
            images.append(image)
    if len(kept) < 2:
        return None
    return Group(rotations[kept], translations[kept], np.array(images))


def _images(crystal: Crystal, moved: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return the atom whose place each moved atom takes; None where one takes none."""
    gaps = moved[:, None, :] - crystal.scaled[None, :, :]
    gaps -= np.rint(gaps)
    squares = ((gaps @ crystal.cell) ** 2).sum(axis=2)
    squares[crystal.numbers[:, None] != crystal.numbers[None, :]] = np.inf
    image = squares.argmin(axis=1)
    is_whole = len(np.unique(image)) == len(image)
    return image if is_whole and squares.min(axis=1).max() < (20 * EXACT) ** 2 else None


def random_subgroup(group: Group, *, rng: np.random.Generator) -> Group:
    """Return the subgroup that one or two random operations generate; never the trivial one."""
    products = _products(group)
    identity = int(np.flatnonzero((products == np.arange(group.order)).all(axis=1))[0])
    others = np.delete(np.arange(group.order), identity)
    count = min(int(rng.integers(1, 3)), len(others))
    members = {identity, *rng.choice(others, size=count, replace=False).tolist()}
    while True:
        places = np.array(sorted(members))
        grown = members | set(products[np.ix_(places, places)].ravel().tolist())
        if grown == members:
            return group.of(places)
        members = grown


def _products(group: Group) -> NDArray[np.int64]:
    """Return which operation "k, then l" is, shape (order, order)."""

    def keys(rotations: NDArray[np.float64], translations: NDArray[np.float64]) -> list[bytes]:
        shifts = np.rint(24.0 * translations) % 24.0
        rows = np.concatenate([np.rint(rotations).reshape(-1, 9), shifts], axis=1)
        return [row.tobytes() for row in rows.astype(np.int64)]

    origin = group.translations
    places = {key: k for k, key in enumerate(keys(group.rotations, origin))}
    table = np.empty((group.order, group.order), dtype=np.int64)
    for k in range(group.order):
        rotations = group.rotations[k] @ group.rotations
        translations = origin[k] @ group.rotations + origin
        table[k] = [places.get(key, k) for key in keys(rotations, translations)]
    return table


def random_step(
    crystal: Crystal, least: float, largest: float, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a random displacement in fractional coordinates, shape (3,).

    Its length in Å is between ``least`` and ``largest``.
    """
    direction = rng.normal(size=3)
    length = rng.uniform(least, largest)
    return (length / np.linalg.norm(direction) * direction) @ np.linalg.inv(crystal.cell)
