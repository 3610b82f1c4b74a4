"""Bravais lattices of block structures: their grids, angles and stackings of layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import cos, radians, sqrt
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import cell_from_parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

Angles = tuple[float, float, float]
Grid = tuple[int, int, int]

SMALLEST_VOLUME_FACTOR = 0.5
"""Cells flatter than this (volume over abc) are left out of the tables."""

SQUARE_SHIFTS: NDArray[np.float64] = np.array([[0.0, 0.0], [1 / 2, 1 / 2]])
HEXAGONAL_SHIFTS: NDArray[np.float64] = np.array([[0.0, 0.0], [1 / 3, 2 / 3], [2 / 3, 1 / 3]])


EDGES: NDArray[np.float64] = np.array([1.0, 1.0, 0.5])
"""Edges of a sub-module over its size."""

LONGEST_OVER_SHORTEST = 5.0
"""Largest ratio of the cell edges of a compact grid."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """One kind of grid on which layers of sub-modules are stacked.

    Attributes
    ----------
    name : str
        Crystal system.
    angles : tuple
        Choices of the cell angles alpha, beta, gamma in degrees.
    equal_edges : bool
        The first two axes hold the same number of sub-modules.
    cubic : bool
        The third axis holds twice as many, so that the cell is metrically cubic.
    """

    name: str
    angles: tuple[Angles, ...]
    equal_edges: bool = False
    cubic: bool = False

    def grids(self, n_modules: int) -> tuple[Grid, ...]:
        """Return the grids of ``n_modules`` sub-modules that this lattice can have."""
        return tuple(
            grid
            for grid in _factorisations(n_modules)
            if (not self.equal_edges or grid[0] == grid[1])
            and (not self.cubic or grid[2] == 2 * grid[0])
            and self.angles_of(grid)
        )

    def angles_of(self, grid: Grid) -> tuple[Angles, ...]:
        """Return the choices of angles whose stacking closes on this number of layers.

        A right angle gamma alternates two layer shifts and needs an even number of layers; 120°
        has three shifts and needs at least two layers, or the single layer of a skewed lattice.
        """
        layers = grid[2]
        smallest = 2 if self.equal_edges else 1
        return tuple(
            angles
            for angles in self.angles
            if (layers % 2 == 0 if angles[2] == 90 else layers >= smallest)
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """A lattice by name, its grid of sub-modules and its angles in degrees."""

    lattice: str
    grid: Grid
    angles: Angles

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the cell for sub-modules of size 1, shape (3,)."""
        return EDGES * self.grid

    def cell(self, volume: float, edges: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the cell of this shape with a given volume.

        Parameters
        ----------
        volume : float
            Å³.
        edges : ndarray of float, shape (3,), optional
            Relative lengths of the cell edges; by default those of ideal sub-modules.
        """
        lengths = self.edges if edges is None else edges
        scale = (volume / (lengths.prod() * volume_factor(self.angles))) ** (1 / 3)
        return cell_from_parameters(lengths * scale, self.angles)


def volume_factor(angles: Angles) -> float:
    """Return the cell volume over the product of the edges; 0 where no such cell exists."""
    ca, cb, cg = (cos(radians(angle)) for angle in angles)
    return sqrt(max(0.0, 1 + 2 * ca * cb * cg - ca * ca - cb * cb - cg * cg))


def draw_stacking(n_layers: int, gamma: float, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the in-plane shift of each layer, as fractions of the edges of a sub-module.

    Square nets alternate (0, 0) and (1/2, 1/2). Hexagonal nets use (0, 0), (1/3, 2/3) and
    (2/3, 1/3); no two neighbouring layers have the same shift, including the first and the last.

    Parameters
    ----------
    n_layers : int
        Layers along the third axis; a single one is not shifted.
    gamma : float
        Angle between the first two axes: 90 or 120 degrees.
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    ndarray of float64, shape (n_layers, 2)
    """
    if gamma == 90:
        return SQUARE_SHIFTS[np.arange(n_layers) % 2]
    kinds = [0]
    for layer in range(1, n_layers):
        taken = {kinds[-1], kinds[0]} if layer == n_layers - 1 else {kinds[-1]}
        free = [kind for kind in range(3) if kind not in taken]
        kinds.append(free[rng.integers(len(free))])
    return HEXAGONAL_SHIFTS[kinds]


@lru_cache(maxsize=4096)
def compact_grids(n_modules: int, lattice: Lattice) -> tuple[Grid, ...]:
    """Return the grids of a lattice whose cell is at most five times as long as it is short."""
    return tuple(
        grid
        for grid in lattice.grids(n_modules)
        if max(grid[0], grid[1], grid[2] / 2)
        <= LONGEST_OVER_SHORTEST * min(grid[0], grid[1], grid[2] / 2)
    )


def draw_shape(sizes: range, *, rng: np.random.Generator) -> Shape | None:
    """Draw a lattice, then a number of sub-modules, a compact grid and angles, each uniformly.

    Parameters
    ----------
    sizes : range
        Allowed numbers of sub-modules.
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    Shape or None
        None if no compact grid has this number of sub-modules.
    """
    by_lattice = _grids_by_lattice_and_size(sizes)
    if not by_lattice:
        return None
    lattice, by_size = by_lattice[rng.integers(len(by_lattice))]
    grids = by_size[rng.integers(len(by_size))]
    grid = grids[rng.integers(len(grids))]
    angles = lattice.angles_of(grid)
    return Shape(lattice.name, grid, angles[rng.integers(len(angles))])


@lru_cache(maxsize=512)
def _grids_by_lattice_and_size(
    sizes: range,
) -> tuple[tuple[Lattice, tuple[tuple[Grid, ...], ...]], ...]:
    table = []
    for lattice in LATTICES:
        by_size = (compact_grids(n_modules, lattice) for n_modules in sizes)
        grids = tuple(found for found in by_size if found)
        if grids:
            table.append((lattice, grids))
    return tuple(table)


@lru_cache(maxsize=4096)
def _factorisations(n: int) -> tuple[Grid, ...]:
    return tuple(
        (i, j, n // (i * j))
        for i in range(1, n + 1)
        if n % i == 0
        for j in range(1, n // i + 1)
        if n // i % j == 0
    )


def _triclinic_angles() -> tuple[Angles, ...]:
    oblique = (60.0, 75.0, 90.0, 105.0, 120.0)
    choices = product(oblique, oblique, (90.0, 120.0))
    return tuple(
        angles
        for angles in choices
        if angles[:2] != (90, 90) and volume_factor(angles) >= SMALLEST_VOLUME_FACTOR
    )


LATTICES: tuple[Lattice, ...] = (
    Lattice("cubic", ((90.0, 90.0, 90.0),), equal_edges=True, cubic=True),
    Lattice("tetragonal", ((90.0, 90.0, 90.0),), equal_edges=True),
    Lattice("hexagonal", ((90.0, 90.0, 120.0),), equal_edges=True),
    Lattice("orthorhombic", ((90.0, 90.0, 90.0),)),
    Lattice("monoclinic", ((90.0, 90.0, 120.0), (90.0, 105.0, 90.0), (90.0, 120.0, 90.0))),
    Lattice("triclinic", _triclinic_angles()),
)
"""The six kinds of the paper, in its order."""
