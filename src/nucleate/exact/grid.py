"""Grids of points in a cell, and their orbits under a space group."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_SPACE_GROUPS = 230
_METRIC_TOLERANCE = 1e-6
_DENOMINATOR = 24  # every translation of a standard setting is a multiple of 1/24


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Equidistant points of a cell.

    Attributes
    ----------
    cell : ndarray of float64, shape (3, 3)
        Rows are the lattice vectors in Å.
    shape : tuple of int
        Points along each lattice vector; point ``p`` is at ``p / shape`` in fractions.
    """

    cell: NDArray[np.float64]
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise InputError(f"grid = {self.shape}: give one point or more along each vector.")

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape))

    @property
    def points(self) -> NDArray[np.int64]:
        """Every point as three whole numbers, shape (size, 3), in the order of their index."""
        return np.stack(np.unravel_index(np.arange(self.size), self.shape), axis=1).astype(np.int64)

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Distance of neighbouring points along each vector in Å."""
        return np.linalg.norm(self.cell, axis=1) / np.array(self.shape)

    @property
    def name(self) -> str:
        """Shape as text, for example ``4x4x6``."""
        return "x".join(str(count) for count in self.shape)

    def index(self, points: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of points of any periodic image, shape (..., 3)."""
        wrapped = np.mod(points, self.shape)
        return (wrapped[..., 0] * self.shape[1] + wrapped[..., 1]) * self.shape[2] + wrapped[..., 2]

    def scaled(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the fractional coordinates of points by index, shape (n, 3)."""
        return self.points[indices] / np.array(self.shape, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Orbits:
    """Points of a grid that a space group makes equivalent.

    Attributes
    ----------
    label : ndarray of int64, shape (n_points,)
        Orbit of each point.
    first : ndarray of int64, shape (n_orbits,)
        Point of lowest index of each orbit.
    size : ndarray of int64, shape (n_orbits,)
        Number of points of each orbit.
    """

    label: NDArray[np.int64]
    first: NDArray[np.int64]
    size: NDArray[np.int64]

    @property
    def members(self) -> list[NDArray[np.int64]]:
        """Sorted points of each orbit."""
        order = np.argsort(self.label, kind="stable")
        return np.split(order, np.cumsum(self.size)[:-1])


@cache
def operations(number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the operations of a space group in its standard conventional cell.

    Returns
    -------
    rotations : ndarray of int64, shape (order, 3, 3)
    translations : ndarray of int64, shape (order, 3)
        In units of 1/24: a column ``x`` of fractions goes to ``rotation @ x + translation / 24``.
        Centring translations are included.

    Raises
    ------
    InputError
        If there is no such group.
    """
    from moyopy import Setting, operations_from_number

    if not 1 <= number <= N_SPACE_GROUPS:
        raise InputError(f"space group = {number}: use a number from 1 to {N_SPACE_GROUPS}.")
    found = operations_from_number(number, setting=Setting.standard())
    rotations = np.array(found.rotations, dtype=np.int64).reshape(-1, 3, 3)
    shifts = np.array(found.translations, dtype=np.float64).reshape(-1, 3) * _DENOMINATOR
    whole = np.rint(shifts)
    if np.abs(whole - shifts).max(initial=0.0) > 1e-6:
        raise ValueError(f"space group {number}: translations are no multiples of 1/24")
    return rotations, np.mod(whole.astype(np.int64), _DENOMINATOR)


@cache
def generators(number: int) -> tuple[int, ...]:
    """Return the places of a few operations of which products make all others."""
    rotations, shifts = operations(number)
    place = {_key(r, t): k for k, (r, t) in enumerate(zip(rotations, shifts, strict=True))}
    reached = {place[_key(np.eye(3, dtype=np.int64), np.zeros(3, dtype=np.int64))]}
    chosen: list[int] = []
    for k in range(len(rotations)):
        if k in reached:
            continue
        chosen.append(k)
        waiting = list(reached)
        while waiting:
            m = waiting.pop()
            for g in chosen:
                shift = np.mod(rotations[g] @ shifts[m] + shifts[g], _DENOMINATOR)
                product = place[_key(rotations[g] @ rotations[m], shift)]
                if product not in reached:
                    reached.add(product)
                    waiting.append(product)
    return tuple(chosen)


def _key(rotation: NDArray[np.int64], shift: NDArray[np.int64]) -> bytes:
    return rotation.tobytes() + shift.tobytes()


@cache
def divisors(number: int) -> tuple[int, int, int]:
    """Return the number that the points along each vector must be a multiple of."""
    _, shifts = operations(number)
    axes = [
        lcm(*(Fraction(int(value), _DENOMINATOR).denominator for value in column))
        for column in shifts.T
    ]
    rotations = np.any(operations(number)[0] != 0, axis=0)
    for _ in range(3):  # vectors that the group mixes or exchanges have the same points
        axes = [lcm(*(axes[j] for j in range(3) if i == j or rotations[i, j])) for i in range(3)]
    return axes[0], axes[1], axes[2]


def fitting_shape(number: int, counts: NDArray[np.float64] | tuple[float, ...]) -> tuple[int, ...]:
    """Return the shape next to ``counts`` that a space group maps onto itself."""
    multiples = divisors(number)
    mixed = np.any(operations(number)[0] != 0, axis=0)
    wanted = [
        float(np.mean([counts[j] for j in range(3) if i == j or mixed[i, j]])) for i in (0, 1, 2)
    ]
    return tuple(
        max(1, round(count / multiple)) * multiple
        for count, multiple in zip(wanted, multiples, strict=True)
    )


def check_cell(number: int, cell: NDArray[np.float64]) -> None:
    """Raise an `InputError` unless the cell has the metric that a space group demands.

    Raises
    ------
    InputError
        If an operation of the group changes lengths or angles in this cell.
    """
    metric = cell @ cell.T
    rotations, _ = operations(number)
    turned = np.einsum("kji,jl,klm->kim", rotations, metric, rotations)
    if np.abs(turned - metric).max() > _METRIC_TOLERANCE * np.abs(metric).max():
        lengths = np.round(np.sqrt(np.diag(metric)), 4).tolist()
        raise InputError(
            f"cell = {lengths} Å does not fit space group {number}: operations change lengths or "
            "angles. Give a cell of its crystal system in the standard setting, or another "
            "group."
        )


def grid_operations(number: int, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the operations as maps of whole numbers, ``p @ matrix.T + shift``.

    Raises
    ------
    InputError
        If an operation takes points of the grid to places between them.
    """
    rotations, shifts = operations(number)
    shape = np.array(grid.shape, dtype=np.int64)
    matrices, rest = np.divmod(rotations * shape[:, None], shape[None, :])
    moved, left = np.divmod(shifts * shape, _DENOMINATOR)
    if rest.any() or left.any():
        better = "x".join(str(count) for count in fitting_shape(number, grid.shape))
        raise InputError(
            f"grid = {grid.name}: space group {number} takes its points to places between them. "
            f"Use {better}, or another group."
        )
    return matrices, moved


def orbits_of(number: int, grid: Grid) -> Orbits:
    """Return the orbits of a grid under a space group.

    Raises
    ------
    InputError
        If the group does not fit the cell or the grid.
    """
    check_cell(number, grid.cell)
    matrices, shifts = grid_operations(number, grid)
    points = grid.points
    lowest = np.arange(grid.size)
    for matrix, shift in zip(matrices, shifts, strict=True):
        np.minimum(lowest, grid.index(points @ matrix.T + shift), out=lowest)
    first, label, size = np.unique(lowest, return_inverse=True, return_counts=True)
    return Orbits(label.reshape(-1).astype(np.int64), first, size)
