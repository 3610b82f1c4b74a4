"""Ordered arrangements of species on mixed sites, in the cell and in supercells of it.

The supercells are the derivative superlattices of Hart and Forcade, Phys. Rev. B 77, 224115 (2008):
Hermite normal forms of each index, one of each class under the rotations of the parent. The
arrangements in each are enumerated up to the symmetry of parent and superlattice; those of the
highest symmetry come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.symmetry import symmetry_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

VACANT = 0
"""Atomic number of an empty site."""

MOST_ARRANGEMENTS = 3000
"""Arrangements looked at in a supercell; of more, a fixed random choice."""


@dataclass(frozen=True, slots=True, eq=False)
class MixedSites:
    """Sites that share species in given amounts.

    Attributes
    ----------
    sites : tuple of int
        Atoms of the parent.
    amounts : dict
        Amount of each atomic number for one parent cell; they add up to the number of sites.
        ``VACANT`` is an empty site. Amounts need not be whole.
    """

    sites: tuple[int, ...]
    amounts: Mapping[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Ordering:
    """An ordered arrangement.

    Attributes
    ----------
    crystal : Crystal
        The supercell.
    index : int
        Parent cells in it.
    images : int
        Number of equivalent arrangements in the supercell: 1 for the most symmetric.
    """

    crystal: Crystal
    index: int
    images: int


def orderings(
    parent: Crystal,
    groups: Sequence[MixedSites],
    *,
    max_atoms: int,
    most: int,
    least_index: int = 1,
    largest_index: int = 4,
) -> list[Ordering]:
    """Return distinct orderings, small supercells and high symmetry first.

    Parameters
    ----------
    parent
        Primitive cell; the elements on its mixed sites do not matter.
    groups
        The mixed sites, all others keep their element.
    max_atoms
        Maximum number of atoms in a supercell; empty sites do not count.
    most
        Number of orderings; all indices share it.
    least_index, largest_index
        Parent cells in a supercell. Only those in which every amount is whole are used.
    """
    found: list[Ordering] = []
    atoms = parent.n_atoms - sum(group.amounts.get(VACANT, 0.0) for group in groups)
    for index in range(least_index, largest_index + 1):
        if atoms * index > max_atoms + 1e-6 or len(found) >= most:
            break
        whole = _whole_amounts(groups, index)
        if whole is None:
            continue
        here = [
            (images, supercell, colours)
            for supercell in _superlattices(parent, groups, index)
            for images, colours in _arrangements(parent, groups, supercell, whole)
        ]
        here.sort(key=lambda arrangement: arrangement[0])
        found += [
            Ordering(_crystal(parent, supercell, colours), index, images)
            for images, supercell, colours in here[: most - len(found)]
        ]
    return found


def _whole_amounts(groups: Sequence[MixedSites], index: int) -> list[dict[int, int]] | None:
    whole = []
    for group in groups:
        amounts = {z: amount * index for z, amount in group.amounts.items()}
        if any(abs(amount - round(amount)) > 1e-6 for amount in amounts.values()):
            return None
        whole.append({z: round(amount) for z, amount in amounts.items() if round(amount)})
    return whole


@dataclass(frozen=True, slots=True, eq=False)
class _Supercell:
    matrix: NDArray[np.int64]  # rows: its vectors in units of the parent's
    shifts: NDArray[np.float64]  # parent cells in it, parent fractional coordinates
    permutations: NDArray[np.int64]  # of the sites, parent by parent; shape (order, sites)
    translations: NDArray[np.int64]  # those by a vector of the parent; shape (index - 1, sites)


def _superlattices(
    parent: Crystal, groups: Sequence[MixedSites], index: int
) -> Iterator[_Supercell]:
    neutral = parent.numbers.copy()
    for place, group in enumerate(groups):
        neutral[list(group.sites)] = 100 - place % 40  # any element that marks the group
    dataset = symmetry_dataset(parent.replace(numbers=neutral), 0.05)
    if dataset is None:
        rotations, moves = np.eye(3)[None], np.zeros((1, 3))
    else:
        rotations = np.array(dataset.operations.rotations, dtype=float).transpose(0, 2, 1)
        moves = np.array(dataset.operations.translations)
    turns = np.unique(np.rint(rotations), axis=0)
    taken = np.empty((0, 3, 3))  # inverses of the superlattices so far
    for matrix in _normal_forms(index):
        if _is_whole(np.einsum("tij,sjk->tsik", matrix @ turns, taken)).any():
            continue  # a rotation of the parent makes one of those before of it
        taken = np.concatenate([taken, np.linalg.inv(matrix)[None]])
        yield _supercell(parent, matrix, rotations, moves)


def _is_whole(matrices: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.abs(matrices - np.rint(matrices)).max(axis=(-2, -1)) < 1e-6


def _supercell(
    parent: Crystal,
    matrix: NDArray[np.int64],
    rotations: NDArray[np.float64],
    moves: NDArray[np.float64],
) -> _Supercell:
    inverse = np.linalg.inv(matrix)
    ranges = [np.arange(matrix[k, k]) for k in range(3)]
    shifts = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3).astype(float)
    sites = (parent.scaled[None] + shifts[:, None]).reshape(-1, 3)
    kept = _is_whole(matrix @ rotations @ inverse)
    images = sites @ rotations[kept] + moves[kept][:, None]
    images = images[:, None] + shifts[None, :, None]
    found = np.concatenate([_nearest(parent, matrix, turned, sites) for turned in images])
    found = np.unique(found, axis=0)
    bijective = np.all(np.sort(found, axis=1) == np.arange(len(sites)), axis=1)
    translations = _nearest(parent, matrix, sites + shifts[1:, None], sites)
    return _Supercell(matrix, shifts, found[bijective], translations)


def _nearest(
    parent: Crystal,
    matrix: NDArray[np.int64],
    images: NDArray[np.float64],
    sites: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return the site nearest to each image, modulo the supercell; shape (n, sites)."""
    inverse = np.linalg.inv(matrix)
    gap = (images @ inverse)[:, :, None] - sites @ inverse
    gap -= np.rint(gap)
    vectors = gap @ (matrix @ parent.cell)
    return np.einsum("pabj,pabj->pab", vectors, vectors).argmin(axis=2)


def _arrangements(
    parent: Crystal,
    groups: Sequence[MixedSites],
    supercell: _Supercell,
    whole: Sequence[Mapping[int, int]],
) -> list[tuple[int, NDArray[np.int64]]]:
    """Return the species of all sites for each distinct arrangement, and its number of images.

    One that a translation of the parent leaves as it is belongs to a smaller supercell and is left
    out. Arrangements are told apart by sums of random integers, one for each species on each site.
    """
    colours = _colourings(parent, groups, len(supercell.shifts), whole)
    n_sites = colours.shape[1]
    marks = np.random.default_rng(0).integers(1, 2**62, size=(n_sites, int(colours.max()) + 1))
    sites = np.arange(n_sites)
    seen: set[int] = set()
    found = []
    for row, code in zip(colours, marks[sites, colours].sum(axis=1).tolist(), strict=True):
        if code not in seen:
            images = set(marks[sites, row[supercell.permutations]].sum(axis=1).tolist())
            seen |= images
            seen.add(code)
            if not np.all(row[supercell.translations] == row, axis=1).any():
                found.append((len(images), row))
    return found


def _crystal(parent: Crystal, supercell: _Supercell, colours: NDArray[np.int64]) -> Crystal:
    sites = (parent.scaled[None] + supercell.shifts[:, None]).reshape(-1, 3)
    keep = colours != VACANT
    scaled = sites[keep] @ np.linalg.inv(supercell.matrix)
    return Crystal(colours[keep], supercell.matrix @ parent.cell, scaled - np.floor(scaled))


def _colourings(
    parent: Crystal,
    groups: Sequence[MixedSites],
    index: int,
    whole: Sequence[Mapping[int, int]],
) -> NDArray[np.int64]:
    """Return the species of all sites of a supercell in a bounded number of arrangements."""
    numbers = np.tile(parent.numbers, index)
    places = [
        np.array([site + parent.n_atoms * k for k in range(index) for site in group.sites])
        for group in groups
    ]
    total = 1
    for amounts in whole:
        left = sum(amounts.values())
        for count in amounts.values():
            total *= comb(left, count)
            left -= count
    if total > MOST_ARRANGEMENTS:
        rng = np.random.default_rng(0)
        rows = np.tile(numbers, (MOST_ARRANGEMENTS // 3, 1))
        for place, amounts in zip(places, whole, strict=True):
            species = np.tile(np.repeat(list(amounts), list(amounts.values())), (len(rows), 1))
            rows[:, place] = rng.permuted(species, axis=1)
        return rows
    rows = numbers[None]
    for place, amounts in zip(places, whole, strict=True):
        shared = _shared_out(len(place), list(amounts.items()))
        rows = np.repeat(rows, len(shared), axis=0)
        rows[:, place] = np.tile(shared, (len(rows) // len(shared), 1))
    return rows


def _shared_out(n_sites: int, amounts: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return all arrangements of species on sites, shape (n_arrangements, n_sites)."""
    (z, count), *rest = amounts
    if not rest:
        return np.full((1, n_sites), z, dtype=np.int64)
    others = _shared_out(n_sites - count, rest)
    chosen = np.zeros((comb(n_sites, count), n_sites), dtype=bool)
    taken = np.array(list(combinations(range(n_sites), count)), dtype=np.int64)
    chosen[np.arange(len(taken))[:, None], taken] = True
    if len(others) == 1:
        return np.where(chosen, z, rest[0][0])
    rows = np.full((len(chosen), len(others), n_sites), z, dtype=np.int64)
    for row, mask in zip(rows, chosen, strict=True):
        row[:, ~mask] = others
    return rows.reshape(-1, n_sites)


@cache
def _normal_forms(index: int) -> list[NDArray[np.int64]]:
    """Return the Hermite normal forms (lower triangular) of a determinant."""
    forms = []
    for a in range(1, index + 1):
        if index % a:
            continue
        for c in range(1, index // a + 1):
            if (index // a) % c:
                continue
            f = index // (a * c)
            forms += [
                np.array([[a, 0, 0], [b, c, 0], [d, e, f]])
                for b in range(a)
                for d in range(a)
                for e in range(c)
            ]
    return forms
