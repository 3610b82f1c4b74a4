"""Move 9: the same sub-modules in a cell of another shape."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from nucleate.blocks.blocks import grid_for, slice_into_blocks
from nucleate.blocks.lattices import EDGES, LATTICES, Shape, draw_shape
from nucleate.moves.move import Child, MoveContext, first_allowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal


def always(parent: Crystal, context: MoveContext) -> bool:  # noqa: ARG001
    """Return True: there is no precondition."""
    return True


def reshape(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
    """Keep the sub-modules in their order and give the cell a new grid and angles (move 9).

    The lattice is drawn first, each of the six kinds with the same chance, then a grid of the
    same number of sub-modules and the angles. Where no compact grid has this number, the grid
    stays and the angles change. The cell keeps the parent's volume, and the sub-modules the
    ratios of their edges as far as the new lattice allows.
    """
    old_grid = grid_for(parent.lengths, context.module_size)
    n_modules = prod(old_grid)

    def draw() -> Child:
        shape = draw_shape(range(n_modules, n_modules + 1), rng=rng)
        if shape is None:
            angles = LATTICES[-1].angles_of(old_grid)
            shape = Shape(LATTICES[-1].name, old_grid, angles[rng.integers(len(angles))])
        shifted = parent.replace(scaled=parent.scaled - rng.random(3) / old_grid)
        blocks = slice_into_blocks(shifted, context.module_size)
        cell = shape.cell(parent.volume, _edges(blocks.edges, shape) * shape.grid)
        grid = "x".join(map(str, shape.grid))
        child = replace(blocks, grid=shape.grid, cell=cell).assemble()
        return Child(child, {"lattice": shape.lattice, "grid": grid})

    return first_allowed(draw, parent, context)


def _edges(edges: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    """Return the edges of a sub-module, made equal where the lattice asks for it."""
    lattice = next(lattice for lattice in LATTICES if lattice.name == shape.lattice)
    if lattice.cubic:
        return EDGES
    if lattice.equal_edges:
        mean = np.sqrt(edges[0] * edges[1])
        return np.array([mean, mean, edges[2]])
    return edges
