"""A particle: where it is, how fast, and the best that it has seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import is_solid_cell
from nucleate.search.swarming.alignment import aligned, upright

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Place = tuple[int, float, int]
    """Tier, counted downwards from 0, enthalpy in eV/atom, number."""

MOST_STEP = 0.2
"""Largest change of a fractional coordinate, and of an edge of the cell relative to its length."""

FIRST_STEP = 0.1
"""Largest component of the first velocity, in the same units."""

VOLUME_RANGE = (0.7, 1.4)
"""Volume of a start relative to that of the particle's best."""


@dataclass(slots=True)
class Particle:
    """A crystal that moves through the space of cells and positions.

    Attributes
    ----------
    position : Crystal
        Its last start, upright.
    best : Crystal
        The lowest structure that its starts relaxed to, upright, with the atoms in the same order.
    place : tuple
        Tier, enthalpy and record of that.
    generation : int
        Steps so far.
    fruitless : int
        Steps since the last one that was lower.
    scaled_velocity, cell_velocity : ndarray of float64, shapes (n_atoms, 3) and (3, 3)
        Last change of the fractional coordinates, and of the cell in Å.
    """

    position: Crystal
    best: Crystal
    place: Place
    generation: int = 0
    fruitless: int = 0
    scaled_velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    cell_velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 3)))

    @classmethod
    def founded(
        cls, start: Crystal, relaxed: Crystal, place: Place, *, rng: np.random.Generator
    ) -> Particle:
        """Return a particle at a start that relaxed to its best, with a random velocity."""
        begin = upright(start)
        velocity = rng.uniform(-FIRST_STEP, FIRST_STEP, begin.scaled.shape)
        stretch = np.tril(rng.uniform(-FIRST_STEP, FIRST_STEP, (3, 3)))
        stretch *= begin.lengths[:, None]
        founded = cls(begin, begin, place, scaled_velocity=velocity, cell_velocity=stretch)
        founded.best = founded._in_order(relaxed)
        return founded

    def move(self, start: Crystal) -> None:
        """Stand at another start, of the same atoms in the same order."""
        new = upright(start)
        gap = new.scaled - self.position.scaled
        self.scaled_velocity = gap - np.rint(gap)
        self.cell_velocity = new.cell - self.position.cell
        self.position = new
        self.generation += 1

    def improve(self, relaxed: Crystal, place: Place) -> bool:
        """Take note of what a start relaxed to; return whether it is the particle's best."""
        if place[:2] < self.place[:2]:
            self.best, self.place, self.fruitless = self._in_order(relaxed), place, 0
            return True
        self.fruitless += 1
        return False

    def _in_order(self, relaxed: Crystal) -> Crystal:
        """Return a structure upright, with its atoms in the order of the particle's."""
        best = upright(relaxed)
        if np.array_equal(best.numbers, self.position.numbers):
            return best
        return aligned(best, self.position)


def stepped(
    particle: Particle,
    attractor: Crystal,
    *,
    inertia: float,
    own: float,
    shared: float,
    rng: np.random.Generator,
) -> Crystal | None:
    """Return the next start of a particle; None if its cell would be flat.

    v' = w v + c₁ r₁ (p - x) + c₂ r₂ (g - x) and x' = x + v', for the fractional coordinates with
    random numbers for every atom, and for the cell with two of its own.

    Parameters
    ----------
    particle
        Not changed.
    attractor
        The structure g, of the same composition and size.
    inertia, own, shared
        w, c₁ and c₂.
    rng
        The only source of randomness.
    """
    x, p = particle.position, particle.best
    g = aligned(upright(attractor), x)
    drawn = rng.random((2, x.n_atoms, 1))
    to_own, to_shared = _nearest(p.scaled - x.scaled), _nearest(g.scaled - x.scaled)
    change = inertia * particle.scaled_velocity
    change = change + own * drawn[0] * to_own + shared * drawn[1] * to_shared
    change = np.clip(change, -MOST_STEP, MOST_STEP)
    first, second = rng.random(2)
    cell = inertia * particle.cell_velocity
    cell = cell + own * first * (p.cell - x.cell) + shared * second * (g.cell - x.cell)
    limit = MOST_STEP * x.lengths[:, None]
    cell = x.cell + np.clip(cell, -limit, limit)
    if not is_solid_cell(cell) or np.diagonal(cell).min() <= 0.0:
        return None
    crystal = Crystal(x.numbers, cell, x.scaled + change)
    low, high = VOLUME_RANGE
    return crystal.with_volume(float(np.clip(crystal.volume, low * p.volume, high * p.volume)))


def _nearest(gap: NDArray[np.float64]) -> NDArray[np.float64]:
    return gap - np.rint(gap)
