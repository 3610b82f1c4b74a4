"""The discrete problem: which orbit of grid points holds which element, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.exact.grid import Grid, Orbits, orbits_of
from nucleate.exact.normaliser import permutations
from nucleate.exact.tables import PairTables, constant_energy, pair_tables, shortest_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.exact.superlattices import Sites
    from nucleate.potentials.model import EnergyModel

_BYTES_PER_PRODUCT = 7000
"""Peak memory of the solver for each product of two variables, measured."""

_BYTES_PER_PAIR = 40
"""Peak memory of the matrices for each pair of an element and an orbit with another."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A quadratic problem in 0/1 variables, one for each element and orbit that may hold it.

    Attributes
    ----------
    grid, orbits : Grid or Sites, Orbits
        Points and their orbits.
    space_group : int
        Number of the space group.
    elements : tuple of int
        Atomic numbers.
    counts : ndarray of int64, shape (n_elements,)
        Atoms of each element in the cell.
    kind, orbit, size : ndarray of int64, shape (n_variables,)
        Element index, orbit and number of atoms of each variable.
    linear : ndarray of float64, shape (n_variables,)
        Energy of an orbit by itself in eV.
    quadratic : ndarray of float64, shape (n_variables, n_variables)
        Energy between two orbits in eV; symmetric, the diagonal is 0.
    conflict : ndarray of bool, shape (n_variables, n_variables)
        Pairs that cannot both be 1: the same orbit, or atoms too close.
    constant : float
        Energy in eV that every arrangement has.
    images : ndarray of int64, shape (n_symmetries, n_variables)
        Permutations of the variables that keep all of the above; the first is the identity.
    """

    grid: Grid | Sites
    orbits: Orbits
    space_group: int
    elements: tuple[int, ...]
    counts: NDArray[np.int64]
    kind: NDArray[np.int64]
    orbit: NDArray[np.int64]
    size: NDArray[np.int64]
    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]
    conflict: NDArray[np.bool_]
    constant: float
    images: NDArray[np.int64]

    @property
    def n_variables(self) -> int:
        """Number of 0/1 variables."""
        return int(self.kind.size)

    @property
    def n_products(self) -> int:
        """Pairs of variables that may both be 1: the variables that linearisation adds."""
        return int((~self.conflict).sum() - self.n_variables) // 2

    @property
    def memory_mb(self) -> float:
        """Estimate of the memory that the solver needs in MB."""
        return _BYTES_PER_PRODUCT * self.n_products / 1e6

    @property
    def is_empty(self) -> bool:
        """Whether an element finds no set of orbits with its number of atoms."""
        return _is_empty(self.kind, self.size, self.counts)

    def energy(self, chosen: NDArray[np.int64]) -> float:
        """Return the energy in eV per cell of an arrangement, given its variables that are 1."""
        inner = self.quadratic[np.ix_(chosen, chosen)].sum()
        return float(self.constant + self.linear[chosen].sum() + 0.5 * inner)

    def is_arrangement(self, chosen: NDArray[np.int64]) -> bool:
        """Return whether the variables that are 1 give every atom a place of its own."""
        atoms = np.bincount(self.kind[chosen], self.size[chosen], minlength=self.counts.size)
        clash = self.conflict[np.ix_(chosen, chosen)].sum() > 0
        return bool(np.array_equal(atoms.astype(np.int64), self.counts) and not clash)

    def occupation(self, chosen: NDArray[np.int64]) -> dict[int, list[int]]:
        """Return the points of the grid of each element of an arrangement."""
        members = self.orbits.members
        places: dict[int, list[int]] = {z: [] for z in self.elements}
        for u in chosen:
            places[self.elements[self.kind[u]]] += members[self.orbit[u]].tolist()
        return {z: sorted(points) for z, points in places.items()}

    def crystal(self, chosen: NDArray[np.int64]) -> Crystal:
        """Return the crystal of an arrangement."""
        places = self.occupation(chosen)
        numbers = np.repeat(list(places), [len(points) for points in places.values()])
        points = np.concatenate([np.array(p, dtype=np.int64) for p in places.values()])
        return Crystal(numbers.astype(np.int64), self.grid.cell, self.grid.scaled(points))


def build_problem(
    model: EnergyModel,
    grid: Grid,
    space_group: int,
    counts: dict[int, int],
    min_distances: NDArray[np.float64],
    *,
    tables: PairTables | None = None,
    symmetries: bool = True,
) -> Problem:
    """Return the problem of placing atoms on a grid under a space group.

    Parameters
    ----------
    model
        Energy model whose elements are those of ``counts``.
    grid
        Cell and points.
    space_group
        Number; the cell must be one of its standard setting.
    counts
        Atoms in the cell by atomic number.
    min_distances
        Å, indexed by two atomic numbers; arrangements with a shorter distance are excluded.
    tables
        Those of ``model`` on ``grid``, where they are already known.
    symmetries
        Whether to find the isometries, which take time and only tell images from each other.

    Raises
    ------
    InputError
        If group, cell and grid do not fit each other, or no arrangement is possible because the
        grid is too coarse for the contacts.
    """
    if sorted(counts) != list(model.elements):
        raise InputError(
            f"the model has the elements {list(model.elements)}, the cell {sorted(counts)}. Make "
            "the model of the elements of the cell."
        )
    orbits = orbits_of(space_group, grid)
    tables = pair_tables(model, grid) if tables is None else tables
    number = np.array([counts[z] for z in model.elements], dtype=np.int64)
    n_orbits, n = orbits.first.size, len(model.elements)
    between, clash = _orbit_sums(tables, grid, orbits, min_distances)
    kind, orbit = (array.ravel() for array in np.indices((n, n_orbits)))
    keep = (orbits.size[orbit] <= number[kind]) & ~clash[kind, kind, orbit, orbit]
    kind, orbit = kind[keep], orbit[keep]
    size = orbits.size[orbit]
    quadratic = between[kind[:, None], kind, orbit[:, None], orbit] * size[:, None]
    linear = size * tables.single[kind] + 0.5 * np.diag(quadratic)
    quadratic = 0.5 * (quadratic + quadratic.T)
    conflict = clash[kind[:, None], kind, orbit[:, None], orbit]
    conflict = conflict | conflict.T | (orbit[:, None] == orbit)
    np.fill_diagonal(conflict, False)
    quadratic[conflict] = 0.0
    np.fill_diagonal(quadratic, 0.0)
    plain = not symmetries or _is_empty(kind, size, number)
    moves = np.arange(n_orbits)[None, :] if plain else permutations(space_group, grid, orbits)
    images = _variable_images(moves, kind, orbit, n_orbits)
    return Problem(
        grid, orbits, space_group, model.elements, number, kind, orbit, size, linear, quadratic,
        conflict, constant_energy(model, grid, number), images,
    )  # fmt: skip


def check_size(grid: Grid, space_group: int, n_elements: int, memory_mb: float) -> None:
    """Raise an `InputError` if the matrices of a problem alone need more memory than allowed."""
    n = n_elements * int(orbits_of(space_group, grid).first.size)
    needed = _BYTES_PER_PAIR * n**2 / 1e6
    if needed > memory_mb:
        raise InputError(
            f"grid = {grid.name} in space group {space_group}: up to {n} variables need about "
            f"{needed:.0f} MB before the solver begins, but memory_mb = {memory_mb:.0f}. Use a "
            "coarser grid, a group of higher symmetry, or more memory."
        )


def has_room(
    grid: Grid, space_group: int, counts: dict[int, int], min_distances: NDArray[np.float64]
) -> bool:
    """Return whether each element by itself finds orbits with its number of atoms.

    Where it does not, there is no arrangement; this takes no energies and little time.
    """
    orbits = orbits_of(space_group, grid)
    limits = {z: float(min_distances[z, z]) for z in counts}
    nearest = shortest_images(grid, max(limits.values()))
    points = grid.points
    own = nearest[grid.index(points - points[orbits.first[orbits.label]])]
    closest = np.full(orbits.first.size, np.inf)
    np.minimum.at(closest, orbits.label, own)
    return all(
        subset_sums(orbits.size[closest >= limits[z] - 1e-9], count)[count]
        for z, count in counts.items()
    )


def _is_empty(kind: NDArray[np.int64], size: NDArray[np.int64], counts: NDArray[np.int64]) -> bool:
    return any(
        not subset_sums(size[kind == k], int(count))[count] for k, count in enumerate(counts)
    )


def _orbit_sums(
    tables: PairTables, grid: Grid, orbits: Orbits, min_distances: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return energy and clashes of the first point of an orbit with the whole of another.

    Both have the shape (n_elements, n_elements, n_orbits, n_orbits).
    """
    n, n_orbits = len(tables.elements), orbits.first.size
    order = np.argsort(orbits.label, kind="stable")
    start = np.concatenate([[0], np.cumsum(orbits.size)[:-1]])
    points = grid.points
    energy = np.zeros((n, n, n_orbits, n_orbits))
    closest = np.zeros((n_orbits, n_orbits))
    for o, head in enumerate(orbits.first):
        place = grid.index(points[order] - points[head])
        energy[:, :, o] = np.add.reduceat(tables.pair[:, :, place], start, axis=2)
        closest[o] = np.minimum.reduceat(tables.nearest[place], start)
    z = np.array(tables.elements)
    limits = min_distances[np.ix_(z, z)]
    return energy, closest[None, None] < limits[:, :, None, None] - 1e-9


def _variable_images(
    moves: NDArray[np.int64], kind: NDArray[np.int64], orbit: NDArray[np.int64], n_orbits: int
) -> NDArray[np.int64]:
    """Return permutations of orbits as permutations of variables."""
    lookup = np.full((kind.max(initial=0) + 1, n_orbits), -1, dtype=np.int64)
    lookup[kind, orbit] = np.arange(kind.size)
    images = lookup[kind[None, :], moves[:, orbit]]
    return images[(images >= 0).all(axis=1)]


def subset_sums(sizes: NDArray[np.int64], total: int) -> NDArray[np.bool_]:
    """Return which sums up to ``total`` some of the sizes have, shape (total + 1,)."""
    reachable = np.zeros(total + 1, dtype=bool)
    reachable[0] = True
    for size in sizes[sizes <= total]:
        reachable[size:] |= reachable[: total + 1 - size].copy()
    return reachable
