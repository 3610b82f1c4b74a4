"""A tree-structured Parzen estimator (TPE) over layouts, cells and free coordinates.

After Bergstra et al. (NeurIPS 2011): points are drawn where the density of the good ones is high,
and of several draws the one with the highest ratio of the densities of good and bad points is
taken. The tree has two levels, layout and then the numbers that a layout has; those are treated
together rather than one by one, since the coordinates of a crystal only make sense together.
All candidates of a batch are compared at once, layout by layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.graph_search.optimisers import POPULATION
from nucleate.generate.graph_search.points import Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.generate.graph_search.points import PointSpace, Sample

GOOD_SHARE = 0.1
MOST_GOOD = 100
CANDIDATES = 24
FRESH_SHARE = 0.3
"""Share of proposals from the prior after the start: the prior's part of the good density."""

MOST_COMPARED = 200
"""Points of a layout that a density is made of, the latest ones."""

SHAPE_WIDTH, VOLUME_WIDTH, FREE_WIDTH = 0.06, 0.04, 0.06
NARROWEST = 0.3


class ParzenSearch:
    """Draws near the good points and away from the bad ones.

    Parameters
    ----------
    points : PointSpace
        Where to search.
    start : int
        Random points before the estimator begins.
    """

    def __init__(self, points: PointSpace, *, start: int = POPULATION) -> None:
        self._points = points
        self._start = start
        self._samples: list[Sample] = []
        self._energies: list[float] = []
        self._vectors: list[NDArray[np.float64]] = []
        self._of_layout: dict[tuple[int, str], list[int]] = {}

    def propose(self, count: int, *, rng: np.random.Generator) -> list[Proposal]:
        """Return proposals, at random at the start."""
        guided = int(np.sum(rng.random(count) >= FRESH_SHARE))
        if len(self._samples) < self._start:
            guided = 0
        proposals = [self._points.draw(rng=rng) for _ in range(count - guided)]
        return proposals + (self._guided(guided, rng) if guided else [])

    def learn(self, samples: Sequence[Sample | None]) -> None:
        """Add the valid ones to the history."""
        for sample in samples:
            if sample is not None:
                self._of_layout.setdefault(sample.key, []).append(len(self._samples))
                self._samples.append(sample)
                self._energies.append(sample.energy)
                self._vectors.append(sample.vector)

    def _guided(self, count: int, rng: np.random.Generator) -> list[Proposal]:
        energies = np.array(self._energies)
        n_good = int(np.clip(GOOD_SHARE * energies.size, 10, MOST_GOOD))
        ranked = np.argsort(energies, kind="stable")[:n_good]
        is_good = np.zeros(energies.size, bool)
        is_good[ranked] = True
        weight = 1.0 - 0.9 * np.arange(n_good) / n_good
        drawn = rng.choice(ranked, (count, CANDIDATES), p=weight / weight.sum())
        score = np.full(drawn.shape, -np.inf)
        vectors: dict[tuple[int, int], NDArray[np.float64]] = {}
        for key in sorted({self._samples[i].key for i in ranked}):
            rows = np.array(self._of_layout[key])
            slots = np.argwhere(np.isin(drawn, rows[is_good[rows]]))
            if len(slots):
                values, scores = self._candidates(key, drawn[tuple(slots.T)], is_good, rng)
                score[tuple(slots.T)] = scores
                vectors |= {(r, c): v for (r, c), v in zip(slots.tolist(), values, strict=True)}
        taken = np.argmax(score, axis=1)
        return [
            self._proposal(int(drawn[row, place]), vectors[row, int(place)])
            for row, place in enumerate(taken)
        ]

    def _candidates(
        self,
        key: tuple[int, str],
        centres: NDArray[np.int64],
        is_good: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a draw around each centre and its logarithm of good over bad."""
        from nucleate.generate.graph_search.parzen_density import log_density

        rows = np.array(self._of_layout[key])
        good = rows[is_good[rows]][-MOST_COMPARED:]
        bad = rows[~is_good[rows]][-MOST_COMPARED:]
        layout = self._samples[good[0]].layout
        size = layout.shape_size
        periodic = np.arange(self._vectors[good[0]].size) > size
        moving = np.concatenate(
            [np.ones(size + 1, bool), (np.arange(3) < layout.freedom[:, None]).ravel()]
        )
        width = np.where(periodic, FREE_WIDTH, SHAPE_WIDTH)
        width[size] = VOLUME_WIDTH
        width = width * max(NARROWEST, good.size ** (-1.0 / (4.0 + min(moving.sum(), 8))))
        centre = self._stack(centres, self._vectors[good[0]].size)
        values = centre + width * moving * rng.standard_normal(centre.shape)
        values[:, periodic] %= 1.0

        total_good = is_good.sum()
        share = np.log((good.size + 1.0) / (total_good + 1.0)) - np.log(
            (bad.size + 1.0) / (is_good.size - total_good + 1.0)
        )
        inverse = moving / width
        densities = [
            log_density(values, self._stack(members, centre.shape[1]), inverse, periodic)
            for members in (good, bad)
        ]
        return values, share + densities[0] - densities[1]

    def _stack(self, members: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        stack = np.empty((members.size, size))
        for row, member in enumerate(members):
            stack[row] = self._vectors[member]
        return stack

    def _proposal(self, centre: int, vector: NDArray[np.float64]) -> Proposal:
        layout = self._samples[centre].layout
        size = layout.shape_size
        return Proposal(
            layout,
            vector[:size],
            self._points.clipped_log_volume(float(vector[size])),
            vector[size + 1 :].reshape(-1, 3),
            spread=FREE_WIDTH / 2,
        )
