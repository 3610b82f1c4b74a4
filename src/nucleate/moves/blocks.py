"""Moves 7, 8 and 10: sub-modules and layers change places, a sub-module is refilled."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from nucleate.blocks.blocks import Blocks, grid_for, slice_into_blocks
from nucleate.blocks.motifs import MOTIFS, SITES, motif_name
from nucleate.moves.move import TRIES, Child, Detail, MoveContext, first_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

AXIS_NAMES = "abc"

LAYER_TRIES = 60
"""Cuts that the exchange of layers tries before it pushes atoms apart: most go through atoms."""


def has_three_sub_modules(parent: Crystal, context: MoveContext) -> bool:
    """Return whether two sub-modules can be exchanged; with two it only shifts the origin."""
    return prod(grid_for(parent.lengths, context.module_size)) >= 3


def has_three_layers(parent: Crystal, context: MoveContext) -> bool:
    """Return whether two layers along some axis can be exchanged to any effect."""
    return max(grid_for(parent.lengths, context.module_size)) >= 3


def can_have_sparse_sub_module(parent: Crystal, context: MoveContext) -> bool:
    """Return whether a sub-module can hold one to four atoms, wherever the cell is cut.

    A single sub-module holds all atoms; a crystal of one atom only has its origin shifted.
    """
    n_modules = prod(grid_for(parent.lengths, context.module_size))
    return parent.n_atoms >= 2 and (n_modules >= 2 or parent.n_atoms <= len(SITES))


def sparse_sub_modules(blocks: Blocks) -> NDArray[np.int64]:
    """Return the sub-modules whose atoms fit on the sites of a motif: one to four atoms."""
    return np.flatnonzero((blocks.occupancy >= 1) & (blocks.occupancy <= len(SITES)))


def swap_two_sub_modules(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Exchange two sub-modules, not both empty (move 7).

    With ``context.align_anchors``, two filled sub-modules are shifted so that the atom nearest to
    the origin of each comes to the place of the other's.
    """
    if not has_three_sub_modules(parent, context):
        return None

    def change(blocks: Blocks) -> tuple[Blocks, Detail]:
        filled = np.flatnonzero(blocks.occupancy)
        first = int(filled[rng.integers(filled.size)])
        second = int((first + rng.integers(1, blocks.n_modules)) % blocks.n_modules)
        changed = exchange_sub_modules(blocks, first, second, align=context.align_anchors)
        return changed, {"grid": "x".join(map(str, blocks.grid))}

    return _changed_blocks(parent, context, change, rng)


def swap_two_layers(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Exchange two layers of sub-modules along an axis that has at least three (move 8).

    The paper stacks along c only; relaxed and reduced cells have no such preferred axis. Atoms are
    pushed apart only where no cut between the layers keeps the minimum distances.
    """
    if not has_three_layers(parent, context):
        return None

    def change(blocks: Blocks) -> tuple[Blocks, Detail]:
        axes = np.flatnonzero(np.array(blocks.grid) >= 3)
        axis = int(axes[rng.integers(axes.size)])
        first, second = rng.permutation(blocks.grid[axis])[:2]
        layers = np.arange(blocks.grid[axis])
        layers[[first, second]] = layers[[second, first]]
        indices = blocks.indices
        indices[:, axis] = layers[indices[:, axis]]
        return blocks.moved(indices @ blocks.strides), {"axis": AXIS_NAMES[axis]}

    return _changed_blocks(parent, context, change, rng, tries=LAYER_TRIES)


def refill_sub_module(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Put the atoms of a sub-module with fewer than five on the sites of a motif (move 10).

    The motif is one of the eight, at random among those with as many sites, and so is the order
    of the atoms on them.
    """
    if not can_have_sparse_sub_module(parent, context):
        return None

    def change(blocks: Blocks) -> tuple[Blocks, Detail] | None:
        sparse = sparse_sub_modules(blocks)
        if sparse.size == 0:
            return None
        inside = np.flatnonzero(blocks.owner == sparse[rng.integers(sparse.size)])
        local = blocks.local.copy()
        motifs = [motif for motif in MOTIFS if len(motif) == inside.size]
        motif = motifs[rng.integers(len(motifs))]
        local[inside] = SITES[rng.permutation(motif)]
        detail = {"atoms": int(inside.size), "motif": motif_name(motif)}
        return replace(blocks, local=local), detail

    return _changed_blocks(parent, context, change, rng)


def exchange_sub_modules(blocks: Blocks, first: int, second: int, *, align: bool) -> Blocks:
    """Return blocks with two sub-modules exchanged, their anchor atoms aligned if asked for.

    The anchor is the atom nearest to the origin of its sub-module; an empty sub-module has none,
    and then nothing is shifted.
    """
    in_first, in_second = blocks.owner == first, blocks.owner == second
    local = blocks.local.copy()
    if align and in_first.any() and in_second.any():
        difference = _anchor(blocks, in_second) - _anchor(blocks, in_first)
        local[in_first] += difference
        local[in_second] -= difference
    owner = blocks.owner.copy()
    owner[in_first], owner[in_second] = second, first
    return replace(blocks, local=local, owner=owner)


def _anchor(blocks: Blocks, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    local = blocks.local[inside]
    lengths = np.linalg.norm(local / blocks.grid @ blocks.cell, axis=1)
    return local[np.argmin(lengths)]


def _changed_blocks(
    parent: Crystal,
    context: MoveContext,
    change: Callable[[Blocks], tuple[Blocks, Detail] | None],
    rng: np.random.Generator,
    tries: int = TRIES,
) -> Child | None:
    """Return the first allowed child of a change to the parent's blocks.

    Where a cell has its origin is an accident, so each trial cuts at another: a random fraction
    of a sub-module from it.
    """

    def draw() -> Child | None:
        grid = grid_for(parent.lengths, context.module_size)
        origin = rng.random(3) / grid
        shifted = parent.replace(scaled=parent.scaled - origin)
        outcome = change(slice_into_blocks(shifted, context.module_size))
        if outcome is None:
            return None
        crystal = outcome[0].assemble()
        return Child(crystal.replace(scaled=crystal.scaled + origin).wrapped(), outcome[1])

    return first_allowed(draw, parent, context, tries=tries)
