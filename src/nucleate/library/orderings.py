"""Ordered arrangements of species on mixed sites, in the cell and in supercells of it.

The supercells are the derivative superlattices of Hart and Forcade, Phys. Rev. B 77, 224115 (2008):
Hermite normal forms of each index, one of each class under the rotations of the parent. The
arrangements in each are enumerated up to the symmetry of parent and superlattice; those of the
highest symmetry come first.
"""

from __future__ import annotations

from dataclasses import dataclass
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
        Maximum number of atoms in a supercell.
    most
        Number of orderings; all indices share it.
    least_index, largest_index
        Parent cells in a supercell. Only those in which every amount is whole are used.
    """
    found: list[Ordering] = []
    for index in range(least_index, largest_index + 1):
        if parent.n_atoms * index > max_atoms or len(found) >= most:
            break
        whole = _whole_amounts(groups, index)
        if whole is None:
            continue
        here = [
            ordering
            for supercell in _superlattices(parent, groups, index)
            for ordering in _arrangements(parent, groups, supercell, whole)
        ]
        here.sort(key=lambda ordering: ordering.images)
        found += here[: most - len(found)]
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
    turns = np.unique(np.rint(rotations).astype(np.int64), axis=0)
    seen: set[tuple[int, ...]] = set()
    for matrix in _normal_forms(index):
        if tuple(matrix.ravel().tolist()) in seen:
            continue
        images = {tuple(_normal_form(matrix @ turn).ravel().tolist()) for turn in turns}
        seen |= images
        yield _supercell(parent, matrix, rotations, moves)


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
    permutations: set[tuple[int, ...]] = set()
    for rotation, move in zip(rotations, moves, strict=True):
        turned = matrix @ rotation @ inverse
        if np.abs(turned - np.rint(turned)).max() > 1e-6:
            continue
        for shift in shifts:
            images = (sites @ rotation + move + shift) @ inverse
            gap = images[:, None] - (sites @ inverse)[None]
            gap -= np.rint(gap)
            near = (np.abs(gap @ matrix @ parent.cell) ** 2).sum(axis=2)
            permutation = near.argmin(axis=1)
            if len(set(permutation.tolist())) == len(sites):
                permutations.add(tuple(permutation.tolist()))
    return _Supercell(matrix, shifts, np.array(sorted(permutations), dtype=np.int64))


def _arrangements(
    parent: Crystal,
    groups: Sequence[MixedSites],
    supercell: _Supercell,
    whole: Sequence[Mapping[int, int]],
) -> Iterator[Ordering]:
    index = len(supercell.shifts)
    numbers = np.tile(parent.numbers, index)
    seen: set[bytes] = set()
    for colours in _colourings(parent.n_atoms, groups, index, whole, numbers):
        if colours.tobytes() in seen:
            continue
        images = {row.tobytes() for row in colours[supercell.permutations]}
        seen |= images
        seen.add(colours.tobytes())
        yield Ordering(_crystal(parent, supercell, colours), index, len(images))


def _crystal(parent: Crystal, supercell: _Supercell, colours: NDArray[np.int64]) -> Crystal:
    sites = (parent.scaled[None] + supercell.shifts[:, None]).reshape(-1, 3)
    keep = colours != VACANT
    scaled = sites[keep] @ np.linalg.inv(supercell.matrix)
    return Crystal(colours[keep], supercell.matrix @ parent.cell, scaled - np.floor(scaled))


def _colourings(
    n_atoms: int,
    groups: Sequence[MixedSites],
    index: int,
    whole: Sequence[Mapping[int, int]],
    numbers: NDArray[np.int64],
) -> Iterator[NDArray[np.int64]]:
    """Yield the species of all sites of the supercell, a bounded number of times."""
    places = [
        np.array([site + n_atoms * k for k in range(index) for site in group.sites])
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
        for _ in range(MOST_ARRANGEMENTS // 3):
            colours = numbers.copy()
            for place, amounts in zip(places, whole, strict=True):
                species = np.repeat(list(amounts), list(amounts.values()))
                colours[place] = rng.permutation(species)
            yield colours
        return
    yield from _all_colourings(numbers, list(zip(places, whole, strict=True)))


def _all_colourings(
    numbers: NDArray[np.int64], parts: list[tuple[NDArray[np.int64], Mapping[int, int]]]
) -> Iterator[NDArray[np.int64]]:
    if not parts:
        yield numbers
        return
    places, amounts = parts[0]
    (z, count), *rest = amounts.items()
    if not rest:
        colours = numbers.copy()
        colours[places] = z
        yield from _all_colourings(colours, parts[1:])
        return
    for chosen in combinations(range(len(places)), count):
        colours = numbers.copy()
        colours[places[list(chosen)]] = z
        others = np.delete(places, chosen)
        yield from _all_colourings(colours, [(others, dict(rest)), *parts[1:]])


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


def _normal_form(matrix: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the Hermite normal form of the lattice that integer rows span."""
    rows = np.array(matrix, dtype=np.int64)
    for column in (2, 1, 0):
        top = column + 1
        while True:
            part = np.abs(rows[:top, column])
            nonzero = np.flatnonzero(part)
            pivot = nonzero[np.argmin(part[nonzero])]
            rows[[pivot, column]] = rows[[column, pivot]]
            factors = rows[:column, column] // rows[column, column]
            rows[:column] -= factors[:, None] * rows[column]
            if not rows[:column, column].any():
                break
        if rows[column, column] < 0:
            rows[column] *= -1
    for row in (1, 2):
        for column in range(row - 1, -1, -1):
            rows[row] -= (rows[row, column] // rows[column, column]) * rows[column]
    return rows
