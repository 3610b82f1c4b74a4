"""Blocks of two structures on top of each other: Sr3Ti2O7 from two SrTiO3 and one SrO.

Each block is a primitive cell with two short lattice vectors in the common plane and any third
one. Blocks whose faces are of nearly the same shape are strained to a common face, at constant
volume, and stacked in any order; the lateral shifts are those of their third vectors. A perovskite
with a square face and rock salt with its square face of one formula unit give the
Ruddlesden-Popper phases.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations, product
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace

MOST_BLOCKS = 6
LARGEST_MISMATCH = 0.15
"""Difference of the logarithms of lengths, and of the cosines of the angles, of two faces."""

MISMATCH_SCALE = 0.05
_SHORTEST = 6
_CUTS = 3
_COEFFICIENTS = np.array(list(product((-1, 0, 1), repeat=3)))


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A primitive cell seen along one of its faces.

    Attributes
    ----------
    numbers : ndarray of int64, shape (n_atoms,)
    fractions : ndarray of float64, shape (n_atoms, 3)
        In units of the two vectors of the face and the third vector.
    shape : tuple of float
        Lengths of the two vectors of the face in Å, and the cosine between them.
    lateral : ndarray of float64, shape (2,)
        The third vector in the face, in units of the two vectors.
    volume : float
        Å³.
    """

    numbers: NDArray[np.int64]
    fractions: NDArray[np.float64]
    shape: tuple[float, float, float]
    lateral: NDArray[np.float64]
    volume: float


def sums_of(
    first: Counter[int], second: Counter[int], space: SearchSpace
) -> Iterator[tuple[int, int]]:
    """Yield how many cells of two crystals give the composition of a search together.

    Parameters
    ----------
    first, second
        Atoms of each element in the cells.
    space
        What is searched.
    """
    for p, q in product(range(1, MOST_BLOCKS), repeat=2):
        if p + q > MOST_BLOCKS:
            continue
        total = Counter({z: p * count for z, count in first.items()})
        total.update({z: q * count for z, count in second.items()})
        numbers = np.array(sorted(total.elements()))
        if numbers.size <= space.max_atoms and space.size_rejection(numbers) is None:
            yield p, q


def blocks_of(crystal: Crystal) -> list[Block]:
    """Return the ways to look at a crystal along a face of two short lattice vectors."""
    base = reduced_cell(crystal)
    vectors = [c for c in _COEFFICIENTS if tuple(c) > (0, 0, 0)]
    vectors.sort(key=lambda c: float(np.linalg.norm(c @ base.cell)))
    return [
        block
        for u, v in combinations(vectors[:_SHORTEST], 2)
        if (block := _block(base, u, v)) is not None
    ]


def pairs_of(first: Sequence[Block], second: Sequence[Block]) -> list[tuple[Block, Block, float]]:
    """Return the pairs of blocks whose faces match, with their mismatch, smallest first."""
    found = []
    for a in first:
        for b in second:
            for turned in (b, _turned(b), _mirrored(b), _turned(_mirrored(b))):
                lengths = np.abs(np.log(np.array(a.shape[:2]) / np.array(turned.shape[:2])))
                mismatch = max(float(lengths.max()), abs(a.shape[2] - turned.shape[2]))
                if mismatch <= LARGEST_MISMATCH:
                    found.append((a, turned, mismatch))
    return sorted(found, key=lambda item: item[2])


def intergrown(
    first: Crystal, second: Crystal, p: int, q: int, *, rng: np.random.Generator
) -> Crystal | None:
    """Return blocks of two crystals stacked in one cell, or None where no faces match.

    Parameters
    ----------
    first, second
        Any cells; their atoms are those of the blocks.
    p, q
        Number of blocks of each.
    rng
        Chooses faces, where the blocks are cut, and their order.
    """
    pairs = pairs_of(blocks_of(first), blocks_of(second))
    if not pairs:
        return None
    weights = np.array([exp(-mismatch / MISMATCH_SCALE) for _, _, mismatch in pairs])
    a, b, _ = pairs[int(rng.choice(len(pairs), p=weights / weights.sum()))]
    shape = np.average([a.shape, b.shape], axis=0, weights=[p * a.volume, q * b.volume])
    cut_a, cut_b = _cut(a, rng), _cut(b, rng)
    order = rng.permutation([0] * p + [1] * q).tolist()
    return _stacked([(cut_a, cut_b)[k] for k in order], shape)


def _stacked(blocks: Sequence[Block], shape: NDArray[np.float64]) -> Crystal:
    """Return blocks on top of each other on a common face (two lengths and a cosine)."""
    length, width, cosine = shape
    sine = np.sqrt(1.0 - cosine**2)
    face = np.array([[length, 0.0], [width * cosine, width * sine]])
    area = length * width * sine
    lateral, height = np.zeros(2), 0.0
    numbers, positions = [], []
    for block in blocks:
        rise = block.volume / area
        along = block.fractions[:, 2:]
        flat = (block.fractions[:, :2] + along * block.lateral + lateral) @ face
        positions.append(np.column_stack([flat, height + along * rise]))
        numbers.append(block.numbers)
        lateral, height = lateral + block.lateral, height + rise
    third = np.append((lateral - np.rint(lateral)) @ face, height)
    cell = np.vstack([np.column_stack([face, np.zeros(2)]), third])
    return Crystal.from_positions(
        np.concatenate(numbers), cell, np.concatenate(positions)
    ).wrapped()


def _block(base: Crystal, u: NDArray[np.int64], v: NDArray[np.int64]) -> Block | None:
    """Return the block with a face of two lattice vectors, or None if they span no face."""
    determinants = _COEFFICIENTS @ np.cross(u, v)
    thirds = _COEFFICIENTS[determinants == 1]
    if not len(thirds):
        return None
    third = thirds[np.argmin(np.linalg.norm(thirds @ base.cell, axis=1))]
    change = np.array([u, v, third])
    a, b, c = change @ base.cell
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    cosine = float(a @ b / (lengths[0] * lengths[1]))
    lateral = np.linalg.lstsq(np.array([a, b]).T, c, rcond=None)[0]
    fractions = base.scaled @ np.rint(np.linalg.inv(change))
    fractions -= np.floor(fractions)
    return Block(base.numbers, fractions, (*lengths, cosine), lateral, base.volume)


def _turned(block: Block) -> Block:
    """Return a block with the vectors of its face exchanged."""
    length, width, cosine = block.shape
    fractions = block.fractions[:, [1, 0, 2]]
    return Block(
        block.numbers, fractions, (width, length, cosine), block.lateral[::-1], block.volume
    )


def _mirrored(block: Block) -> Block:
    """Return a block with the second vector of its face reversed."""
    length, width, cosine = block.shape
    sign = np.array([1.0, -1.0, 1.0])
    fractions = block.fractions * sign
    return Block(
        block.numbers, fractions, (length, width, -cosine), block.lateral * sign[:2], block.volume
    )


def _cut(block: Block, rng: np.random.Generator) -> Block:
    """Return a block that begins in one of the largest gaps between its layers."""
    heights = np.sort(block.fractions[:, 2] - np.floor(block.fractions[:, 2]))
    gaps = np.diff(np.append(heights, heights[0] + 1.0))
    place = int(rng.choice(np.argsort(-gaps, kind="stable")[:_CUTS]))
    shift = heights[place] + gaps[place] / 2.0
    fractions = block.fractions.copy()
    fractions[:, 2] -= shift
    steps = np.floor(fractions[:, 2])
    fractions[:, 2] -= steps
    return Block(block.numbers, fractions, block.shape, block.lateral, block.volume)
