"""Move 9: the same sub-modules in a cell of another shape."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.blocks.blocks import slice_into_blocks
from nucleate.blocks.lattices import draw_shape
from nucleate.moves.move import Child, MoveContext, first_allowed

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.crystal import Crystal


def always(parent: Crystal, context: MoveContext) -> bool:  # noqa: ARG001
    """Return True: there is no precondition."""
    return True


def reshape(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
    """Keep the sub-modules in their order and give the cell a new grid and angles (move 9).

    The lattice is drawn first, each of the six kinds with the same chance, then a grid of the
    same number of sub-modules and the angles. The cell keeps the parent's volume, and the
    sub-modules their edges as far as the new lattice allows.
    """
    blocks = slice_into_blocks(parent, context.module_size)
    sizes = range(blocks.n_modules, blocks.n_modules + 1)

    def draw() -> Child | None:
        shape = draw_shape(sizes, rng=rng)
        if shape is None:
            return None
        cell = shape.cell(parent.volume)
        grid = "x".join(map(str, shape.grid))
        crystal = replace(blocks, grid=shape.grid, cell=cell).assemble()
        return Child(crystal, {"lattice": shape.lattice, "grid": grid})

    return first_allowed(draw, parent, context)
