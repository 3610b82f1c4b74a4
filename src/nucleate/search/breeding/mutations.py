"""Mutations: exchange of atoms, strain of the cell, displacement along estimated soft modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import is_solid_cell
from nucleate.moves.move import TRIES, Child, first_allowed
from nucleate.search.breeding.soft_modes import TRANSLATIONS, soft_modes

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import MoveContext

STRAIN = (0.05, 0.35)
"""Range of the standard deviation of the components of a strain."""

MODE_SCALE = 4.0
"""Rank of a soft mode over which its chance falls by e."""

DISPLACEMENT = (0.2, 0.7)
"""Range of the largest displacement along a mode, in cube roots of the volume per atom."""


def permutation(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
    """Return the parent with one or more pairs of unlike atoms exchanged; None for an element.

    The number of exchanges is geometric with the mean 2.
    """
    if not (parent.numbers != parent.numbers[0]).any():
        return None

    def draw() -> Child:
        scaled = parent.scaled.copy()
        exchanges = int(min(rng.geometric(0.5), parent.n_atoms // 2))
        for _ in range(exchanges):
            first = int(rng.integers(parent.n_atoms))
            unlike = np.flatnonzero(parent.numbers != parent.numbers[first])
            second = int(unlike[rng.integers(unlike.size)])
            scaled[[first, second]] = scaled[[second, first]]
        return Child(parent.replace(scaled=scaled), {"exchanges": exchanges})

    return first_allowed(draw, parent, context)


def strain(parent: Crystal, context: MoveContext, *, rng: np.random.Generator) -> Child | None:
    """Return the parent in a cell strained by a random symmetric matrix, at its volume.

    The standard deviation of the components is drawn from `STRAIN` (after C. W. Glass,
    A. R. Oganov and N. Hansen, Comput. Phys. Commun. 175, 713, 2006).
    """

    def draw() -> Child | None:
        size = float(rng.uniform(*STRAIN))
        upper = rng.normal(0.0, size, (3, 3))
        cell = parent.cell @ (np.eye(3) + 0.5 * (upper + upper.T))
        if not is_solid_cell(cell) or np.linalg.det(cell) * np.linalg.det(parent.cell) <= 0.0:
            return None
        child = parent.replace(cell=cell).with_volume(parent.volume)
        return Child(child, {"strain": round(size, 3)})

    return first_allowed(draw, parent, context)


def soft_mutation(
    parent: Crystal, context: MoveContext, *, rng: np.random.Generator
) -> Child | None:
    """Return the parent displaced along one of its softest estimated modes; None for one atom.

    The mode of rank r has the chance exp(-r / 4); its sign and its amplitude are drawn. Where the
    atoms would come too close, half the amplitude is tried, and so on.
    """
    if 3 * parent.n_atoms <= TRANSLATIONS:
        return None
    values, modes = soft_modes(parent)
    chances = np.exp(-np.arange(len(values)) / MODE_SCALE)
    chances /= chances.sum()

    def draw() -> Child:
        rank = int(rng.choice(len(values), p=chances))
        largest = float(rng.uniform(*DISPLACEMENT)) * parent.volume_per_atom ** (1.0 / 3.0)
        mode = modes[rank] / np.linalg.norm(modes[rank], axis=1).max()
        mode = mode if rng.random() < 0.5 else -mode
        for _ in range(4):
            moved = parent.scaled + largest * mode @ np.linalg.inv(parent.cell)
            child = parent.replace(scaled=moved).wrapped()
            if context.rejection(child) is None:
                break
            largest *= 0.5
        return Child(child, {"mode": rank, "displacement_ang": round(largest, 3)})

    return first_allowed(draw, parent, context, tries=TRIES)
