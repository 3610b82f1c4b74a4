"""Bravais lattices of block structures: their grids, angles and stackings of layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import cos, radians, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Angles = tuple[float, float, float]
Grid = tuple[int, int, int]

SMALLEST_VOLUME_FACTOR = 0.5
"""Cells flatter than this (volume over abc) are left out of the tables."""

SQUARE_SHIFTS: NDArray[np.float64] = np.array([[0.0, 0.0], [1 / 2, 1 / 2]])
HEXAGONAL_SHIFTS: NDArray[np.float64] = np.array([[0.0, 0.0], [1 / 3, 2 / 3], [2 / 3, 1 / 3]])


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


def volume_factor(angles: Angles) -> float:
    """Return the cell volume over the product of the edges; 0 where no such cell exists."""
    ca, cb, cg = (cos(radians(angle)) for angle in angles)
    return sqrt(max(0.0, 1 + 2 * ca * cb * cg - ca * ca - cb * cb - cg * cg))


def draw_stacking(n_layers: int, gamma: float, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the in-plane shift of each layer, as fractions of the edges of a sub-module.

    Square nets alternate (0, 0) and (1/2, 1/2). Hexagonal nets use (0, 0), (1/3, 2/3) and
    (2/3, 1/3); no two neighbouring layers are shifted alike, the first and the last included.

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
