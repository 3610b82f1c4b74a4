"""Small problems in any cell, and the plainest way to solve them."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from tests.strategies import cells, seeds

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.exact.grid import Grid, operations
from nucleate.exact.pair_models import PairModel
from nucleate.potentials.force_field import Buckingham, ForceField

OXIDE = ForceField(
    {"Sr": 2.0, "Ti": 4.0, "O": -2.0},
    {
        ("O", "Sr"): Buckingham(1952.39, 0.33685, 19.22, 1.2),
        ("O", "Ti"): Buckingham(4590.7279, 0.261, 0.0, 1.2),
        ("O", "O"): Buckingham(1388.77, 0.36262, 175.0, 1.2),
    },
    name="oxides",
)
METAL = PairModel.from_functions(
    {
        ("Au", "Cu"): lambda r: 4.0 * (2.2 / r) ** 12 - 4.6 * (2.2 / r) ** 6,
        ("Cu", "Cu"): lambda r: 4.0 * (2.1 / r) ** 12 - 4.0 * (2.1 / r) ** 6,
        ("Au", "Au"): lambda r: 4.0 * (2.4 / r) ** 12 - 4.0 * (2.4 / r) ** 6,
    },
    cutoff=7.0,
    name="metals",
)


def numbers_of(counts: dict[str, int]) -> list[int]:
    return [element(s).number for s, n in counts.items() for _ in range(n)]


def by_number(counts: dict[str, int]) -> dict[int, int]:
    return {element(s).number: n for s, n in counts.items()}


def distances(limit: float) -> np.ndarray:
    return np.full((120, 120), limit)


@st.composite
def small_grids(draw: st.DrawFn, *, most: int = 12) -> Grid:
    """Grids of few points in cells of every shape, each point with a few Å^3."""
    shapes = [s for s in product((1, 2, 3), repeat=3) if 4 <= np.prod(s) <= most]
    shape = draw(st.sampled_from(shapes))
    size = int(np.prod(shape))
    cell = draw(cells())
    cell = cell * (size * draw(st.floats(4.0, 12.0)) / abs(np.linalg.det(cell))) ** (1 / 3)
    assume(np.linalg.norm(cell, axis=1).max() < 40.0)
    return Grid(cell, shape)


def crystal_on(grid: Grid, numbers: list[int], points: list[int]) -> Crystal:
    return Crystal(np.array(numbers), grid.cell, grid.scaled(np.array(points)))


def shortest(crystal: Crystal) -> float:
    """The shortest distance by plain images, for cells that are not too skewed for 5 of them."""
    images = np.array(list(product(range(-5, 6), repeat=3)))
    gap = crystal.scaled[:, None, None] - crystal.scaled[None, :, None] + images
    length = np.linalg.norm(gap @ crystal.cell, axis=-1)
    return float(length[length > 1e-6].min(initial=np.inf)) if length.size else np.inf


def plain_orbits(number: int, shape: tuple[int, int, int]) -> set[frozenset[int]]:
    """Orbits point by point, in exact arithmetic."""
    from fractions import Fraction

    rotations, shifts = operations(number)
    orbits: set[frozenset[int]] = set()
    for point in product(*(range(n) for n in shape)):
        x = [Fraction(p, n) for p, n in zip(point, shape, strict=True)]
        orbit = set()
        for rotation, shift in zip(rotations.tolist(), shifts.tolist(), strict=True):
            image = [
                (sum(r * c for r, c in zip(row, x, strict=True)) + Fraction(t, 24)) % 1
                for row, t in zip(rotation, shift, strict=True)
            ]
            place = [value * n for value, n in zip(image, shape, strict=True)]
            assert all(value.denominator == 1 for value in place)
            a, b, c = (int(value) for value in place)
            orbit.add((a * shape[1] + b) * shape[2] + c)
        orbits.add(frozenset(orbit))
    return orbits


__all__ = ["METAL", "OXIDE", "seeds", "small_grids"]
