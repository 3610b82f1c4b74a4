"""What to try next, given the energies found so far: at random, by a swarm, by Parzen windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.generate.graph_search.points import Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.generate.graph_search.points import PointSpace, Sample
    from nucleate.generate.layouts import Layout

POPULATION = 200
"""Random points before an optimiser begins, and particles of the swarm (GN-OA's number)."""

INERTIA, OWN_PULL, COMMON_PULL = 0.8, 0.5, 0.5
"""Of the swarm, as in GN-OA."""

MENU_FACTOR = 2
_SHAPE_SPREAD = 0.08


class Optimiser(Protocol):
    """Proposes points in batches and learns from the energies of those that were valid."""

    def propose(self, count: int, *, rng: np.random.Generator) -> list[Proposal]:
        """Return what to try next."""
        ...

    def learn(self, samples: Sequence[Sample | None]) -> None:
        """Take note of what became of the last proposals, in their order; None is invalid."""
        ...


class RandomSearch:
    """Draws from the prior, whatever came before (RAS)."""

    def __init__(self, points: PointSpace) -> None:
        self._points = points

    def propose(self, count: int, *, rng: np.random.Generator) -> list[Proposal]:
        """Return random proposals."""
        return [self._points.draw(rng=rng) for _ in range(count)]

    def learn(self, samples: Sequence[Sample | None]) -> None:
        """Ignore what came of them."""


class ParticleSwarm:
    """Particle swarm optimisation (PSO) in a flat vector of numbers.

    A particle's numbers choose a layout from a menu drawn from the prior and sorted by space
    group, change the cell that goes with it, and set the volume and the free coordinates, whose
    meaning depends on the layout. Coordinates are periodic.

    Parameters
    ----------
    points : PointSpace
        Where to search.
    rng : numpy.random.Generator
        Draws the menu and the first positions.
    """

    def __init__(self, points: PointSpace, *, rng: np.random.Generator) -> None:
        self._points = points
        drawn = [points.draw_layout(rng=rng) for _ in range(MENU_FACTOR * POPULATION)]
        self._menu: list[Layout] = sorted(drawn, key=lambda item: (item.group, item.words))
        self._shapes = [points.draw_shape(layout, rng=rng) for layout in self._menu]
        orbits = max(len(layout.parts) for layout in self._menu)
        size = 7 + 3 * orbits
        self._place = rng.random((POPULATION, size))
        self._place[:, 1] = [points.draw_log_volume(rng=rng) for _ in range(POPULATION)]
        self._place[:, 2:7] = rng.normal(0.0, _SHAPE_SPREAD, (POPULATION, 5))
        self._speed = np.zeros((POPULATION, size))
        self._own = self._place.copy()
        self._own_energy = np.full(POPULATION, np.inf)
        self._turn = 0
        self._moved: NDArray[np.int64] = np.arange(0)

    def propose(self, count: int, *, rng: np.random.Generator) -> list[Proposal]:
        """Move as many particles as requested, taking turns, and return where they are."""
        self._moved = (self._turn + np.arange(count)) % POPULATION
        first = self._turn < POPULATION
        self._turn += count
        if not first:
            self._fly(self._moved, rng)
        return [self._proposal(self._place[row]) for row in self._moved]

    def learn(self, samples: Sequence[Sample | None]) -> None:
        """Remember the best place of each particle."""
        for row, sample in zip(self._moved, samples, strict=True):
            if sample is not None and sample.energy < self._own_energy[row]:
                self._own_energy[row] = sample.energy
                self._own[row] = self._place[row]
                free = sample.free.ravel()
                self._own[row, 7 : 7 + free.size] = free

    def _fly(self, rows: NDArray[np.int64], rng: np.random.Generator) -> None:
        best = self._own[np.argmin(self._own_energy)]
        place = self._place[rows]
        pulls = []
        for goal, strength in ((self._own[rows], OWN_PULL), (best, COMMON_PULL)):
            gap = goal - place
            gap[:, 7:] -= np.rint(gap[:, 7:])
            pulls.append(strength * rng.random(place.shape) * gap)
        self._speed[rows] = INERTIA * self._speed[rows] + pulls[0] + pulls[1]
        place = place + self._speed[rows]
        place[:, 0] = np.clip(place[:, 0], 0.0, 1.0 - 1e-9)
        place[:, 7:] %= 1.0
        self._place[rows] = place

    def _proposal(self, row: NDArray[np.float64]) -> Proposal:
        choice = int(row[0] * len(self._menu))
        layout = self._menu[choice]
        shape = self._shapes[choice] + row[2 : 2 + layout.shape_size]
        free = row[7 : 7 + 3 * len(layout.parts)].reshape(-1, 3)
        return Proposal(layout, shape, self._points.clipped_log_volume(row[1]), free)
