"""Moves 11 and 12: the cell is doubled or tripled, with or without a change in the new part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.moves.move import Child, MoveContext, first_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

AXIS_NAMES = "abc"


def can_double(parent: Crystal, context: MoveContext) -> bool:
    """Return whether a cell of twice the atoms is in the search space."""
    return context.fits(2, parent)


def can_triple(parent: Crystal, context: MoveContext) -> bool:
    """Return whether a cell of three times the atoms is in the search space."""
    return context.fits(3, parent)


def double(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
    """Double the cell along a random axis (move 11).

    The second half repeats the first, or is shifted by half of the other two axes, inverted
    through the centre of the face between them, or mirrored in that face.
    """
    if not can_double(parent, context):
        return None
    limits = np.diagonal(context.space.min_distances)[parent.numbers]
    variants: dict[str, Callable[[int], Crystal]] = {
        "repeat": lambda axis: stacked(parent, axis, 2),
        "shift": lambda axis: stacked(parent, axis, 2, shifted=True),
        "invert": lambda axis: doubled_by_inversion(parent, axis, limits),
        "mirror": lambda axis: doubled_by_mirror(parent, axis, limits),
    }
    return _larger(parent, context, variants, rng)


def triple(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
    """Triple the cell along a random axis (move 12).

    The other thirds repeat the first or are shifted by 1/3 and 2/3 of the other two axes.
    """
    if not can_triple(parent, context):
        return None
    variants: dict[str, Callable[[int], Crystal]] = {
        "repeat": lambda axis: stacked(parent, axis, 3),
        "shift": lambda axis: stacked(parent, axis, 3, shifted=True),
    }
    return _larger(parent, context, variants, rng)


def _larger(
    parent: Crystal,
    context: MoveContext,
    variants: Mapping[str, Callable[[int], Crystal]],
    rng: np.random.Generator,
) -> Child | None:
    """Return a larger cell by one of the variants, all with the same chance.

    The axes are tried in random order, then the atoms are pushed apart, and another variant
    follows only where this one is not possible at all.
    """
    names = list(variants)
    for place in rng.permutation(len(names)).tolist():
        variant = names[place]
        axes = iter(rng.permutation(3).tolist())

        def draw(variant: str = variant, axes: Iterator[int] = axes) -> Child:
            axis = next(axes)
            detail = {"axis": AXIS_NAMES[axis], "variant": variant}
            return Child(variants[variant](axis), detail)

        child = first_allowed(draw, parent, context, tries=3)
        if child is not None:
            return child
    return None


def stacked(parent: Crystal, axis: int, copies: int, *, shifted: bool = False) -> Crystal:
    """Return ``copies`` of the cell on top of each other along an axis, all atoms of one first.

    Parameters
    ----------
    parent : Crystal
        Any cell.
    axis : int
        0, 1 or 2.
    copies : int
        At least 1.
    shifted : bool
        Copy k is shifted by the fraction k / copies of each of the other two axes.
    """
    step = np.full(3, 1 / copies if shifted else 0.0)
    step[axis] = 1.0
    cell = parent.cell.copy()
    cell[axis] *= copies
    return _joined(parent, cell, axis, [parent.scaled + k * step for k in range(copies)])


def doubled_by_inversion(parent: Crystal, axis: int, limits: NDArray[np.float64]) -> Crystal:
    """Return the doubled cell whose second half is the first, inverted in their common face.

    The centre of inversion is that of the face. An atom whose image would come closer to itself
    than its limit (one on a centre, say) is repeated instead.

    Parameters
    ----------
    parent : Crystal
        Any cell.
    axis : int
        0, 1 or 2.
    limits : ndarray of float, shape (n_atoms,)
        Minimum distance in Å of each atom from another of its element.
    """
    cell = parent.cell.copy()
    cell[axis] *= 2
    first = parent.wrapped().scaled
    centre = np.full(3, 0.5)
    centre[axis] = 1.0
    second = 2 * centre - first
    gap = second - first
    gap[:, axis] /= 2
    distance = np.linalg.norm((gap - np.rint(gap)) @ cell, axis=1)
    on_centre = distance < limits
    second[on_centre] = first[on_centre] + np.eye(3)[axis]
    return _joined(parent, cell, axis, [first, second])


def doubled_by_mirror(parent: Crystal, axis: int, limits: NDArray[np.float64]) -> Crystal:
    """Return the doubled cell whose second half mirrors the first in their common face.

    In an oblique cell the image of the lattice vector leans the other way, so the new vector is
    twice the height of the cell and the volume exactly twice that of the parent. An atom that
    would come closer to its image than its limit lies on a mirror: it is repeated instead, which
    leaves one copy on each of the two mirrors of the new cell.

    Parameters
    ----------
    parent, axis, limits
        As for :func:`doubled_by_inversion`.
    """
    others = np.delete(np.arange(3), axis)
    face = parent.cell[others]
    lean = np.linalg.solve(face @ face.T, face @ parent.cell[axis])
    height = parent.cell[axis] - lean @ face
    cell = parent.cell.copy()
    cell[axis] = 2 * height
    level = parent.wrapped().scaled[:, axis]
    from_mirror = np.minimum(level, 1 - level) * np.linalg.norm(height)
    on_mirror = 2 * from_mirror < limits
    level = np.where(on_mirror & (level > 0.5), level - 1, level)
    first = parent.scaled.copy()
    first[:, others] += level[:, None] * lean
    first[:, axis] = level
    second = first.copy()
    second[:, axis] = np.where(on_mirror, level + 1, 2 - level)
    second[np.ix_(on_mirror, others)] += lean
    return _joined(parent, cell, axis, [first, second])


def _joined(
    parent: Crystal, cell: NDArray[np.float64], axis: int, parts: list[NDArray[np.float64]]
) -> Crystal:
    """Return the parts, given in fractions of the parent's axis, in one longer cell."""
    scaled = np.concatenate(parts)
    scaled[:, axis] /= len(parts)
    return Crystal(np.tile(parent.numbers, len(parts)), cell, scaled).wrapped()
