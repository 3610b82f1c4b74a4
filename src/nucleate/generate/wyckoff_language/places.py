"""Cells and free coordinates for Wyckoff assignments, many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.symmetric_cells import cell_of
from nucleate.generate.wyckoff_language.assignments import Manner
from nucleate.generate.wyckoff_language.draws import bins_of, chosen_columns, drawn_columns
from nucleate.generate.wyckoff_language.forward import mixture_log_density
from nucleate.generate.wyckoff_language.held import Held
from nucleate.generate.wyckoff_language.packing import Packing, Rows
from nucleate.generate.wyckoff_language.sentence import Sentence, expected_volume
from nucleate.generate.wyckoff_language.settings import COARSE, FINE
from nucleate.generate.wyckoff_language.tokens import (
    Batch,
    common_scalars,
    places,
    point_of,
    unscaled_cell,
    write_cell,
    write_elements,
    write_group,
    write_next,
    write_orbit,
    write_place,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.generate.wyckoff_language.assignments import Assignment
    from nucleate.generate.wyckoff_language.forward import Cache, Floats, ForwardNetwork

TRIES = 6
"""Free coordinates drawn for an orbit; the first without a short contact is taken."""

CELLS = 3
"""Cells drawn for a sentence; the first is taken whose volume is possible and that is not flat."""

AT_ONCE = 512
"""Sentences that are completed at the same time, a matter of memory."""

LARGEST_STRETCH = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A finished sentence.

    Attributes
    ----------
    sentence : Sentence
    log_assignment : float
        Log-likelihood of space group and positions.
    log_density : float
        Log-density of cell and free coordinates.
    image : int
        Which description of a kept part it holds.
    """

    sentence: Sentence
    log_assignment: float
    log_density: float
    image: int = 0


class PlaceWriter:
    """Draws cells and free coordinates.

    Parameters
    ----------
    network : ForwardNetwork
        Ready to predict.
    numbers, counts : ndarray of int64, shape (n_elements,)
        Atomic numbers in the order of the sentences, and atoms in the primitive cell.
    limits : ndarray of float64, shape (n_elements, n_elements)
        Minimum distances in Å.
    held : Held or None
        What is given of every sentence.

    Attributes
    ----------
    limits : ndarray of float64, shape (n_elements, n_elements)
    """

    def __init__(
        self,
        network: ForwardNetwork,
        numbers: NDArray[np.int64],
        counts: NDArray[np.int64],
        limits: NDArray[np.float64],
        *,
        held: Held | None = None,
    ) -> None:
        self._held = held or Held()
        self._network, self._numbers, self._counts = network, numbers, counts
        self.limits = np.ascontiguousarray(limits, np.float64)
        self._volume = expected_volume(numbers, counts)
        self._log_volume = float(np.log(self._volume / counts.sum()))

    def written(
        self,
        assignments: Sequence[Assignment],
        repeats: Sequence[int],
        *,
        manner: Manner,
        rng: np.random.Generator,
    ) -> list[Written]:
        """Return sentences without short contacts; those that keep none are left out.

        Parameters
        ----------
        assignments
            What is to be completed.
        repeats
            How many sentences of each.
        manner
            How words are drawn.
        rng
            The only source of randomness.
        """
        return [
            Written(
                self._sentence(rows, n, cell[n]),
                assignments[place].log_likelihood,
                float(rows.density[n]),
                int(rows.image[n]),
            )
            for places_, rows, cell in self._batches(assignments, repeats, manner, rng, None)
            for n, place in enumerate(places_.tolist())
            if rows.alive[n]
        ]

    def log_given(self, assignments: Sequence[Assignment]) -> NDArray[np.float64]:
        """Return how likely the given cell and coordinates are beside each assignment.

        They are log-densities; -inf where atoms would be too close.
        """
        found = np.full(len(assignments), -np.inf)
        part = self._held.part
        if part is None:
            return np.zeros(len(assignments))
        steps = int(np.sum(places().freedom[places().start[part.group] + part.positions] > 0))
        once, rng = [1] * len(assignments), np.random.default_rng(0)
        for places_, rows, _ in self._batches(assignments, once, Manner(), rng, steps):
            found[places_] = np.where(rows.alive, rows.given, -np.inf)
        return found

    def _batches(
        self,
        assignments: Sequence[Assignment],
        repeats: Sequence[int],
        manner: Manner,
        rng: np.random.Generator,
        steps: int | None,
    ) -> Iterator[tuple[NDArray[np.int64], Rows, NDArray[np.float32]]]:
        """Complete assignments, many at a time; yield their places, the rows and the cells."""
        flat = np.repeat(np.arange(len(assignments)), np.asarray(repeats, dtype=np.int64))
        flat = flat[np.argsort([-_n_movable(assignments[int(k)]) for k in flat], kind="stable")]
        for first in range(0, flat.size, AT_ONCE):
            own, copies = np.unique(flat[first : first + AT_ONCE], return_inverse=True)
            order = np.argsort([-_n_movable(assignments[int(k)]) for k in own], kind="stable")
            rank = np.argsort(order, kind="stable")
            own, copies = own[order], np.sort(rank[copies])
            known, past, last = self._read([assignments[int(k)] for k in own])
            past = [(key[copies], value[copies]) for key, value in past]
            rows = known.repeated(copies)
            cell = self._cells(rows, last[copies], manner, rng)
            packing = Packing(self.limits, self._volume, int(self._counts.sum()), rows, cell)
            self._places(rows, cell, past, packing, manner, rng, steps)
            yield own[copies], rows, cell

    def _read(self, chosen: list[Assignment]) -> tuple[Rows, Cache, Floats]:
        """Read all up to the last orbit; return what is known, the past, and the last tokens."""
        table = places()
        n, size = len(chosen), self._numbers.size
        most = max(len(item.kinds) for item in chosen)
        batch = Batch.empty(n, size + 2 + most)
        group = np.array([item.group for item in chosen])
        every = np.arange(n)
        write_elements(batch, slice(None), self._numbers, self._counts, self._log_volume)
        write_group(batch, every, size + 1, group, self._numbers, self._counts)
        kinds = [np.array(item.kinds) for item in chosen]
        rows = [table.start[item.group] + np.array(item.positions) for item in chosen]
        placed = np.concatenate([[0], np.cumsum(self._counts)])
        for r in range(n):
            held = np.exp(table.features[rows[r], 16]).round().astype(np.int64)
            following = np.append(kinds[r][1:], -1)
            rest = np.where(following >= 0, placed[following + 1] - np.cumsum(held), 0)
            write_orbit(
                batch,
                r,
                size + 2 + np.arange(kinds[r].size),
                np.arange(1, kinds[r].size + 1),
                rows[r],
                self._numbers[kinds[r]],
                kinds[r] + 1,
                np.append(self._numbers[kinds[r]][1:], 0),
                rest,
                self._counts[following],
            )
        x, past = self._network(batch)
        length = np.array([size + 2 + k.size for k in kinds])
        movable = [np.flatnonzero(table.freedom[row] > 0) for row in rows]
        image = np.array([item.image for item in chosen])
        known = Rows(
            group, kinds, rows, movable, table.start[group], length,
            np.zeros((n, most, 3)), np.zeros(n), np.zeros(n), image, np.ones(n, np.bool_),
        )  # fmt: skip
        return known, past, x[every, length - 1]

    def _cells(
        self, rows: Rows, last: Floats, manner: Manner, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return a cell for each row, shape (n, 6); rows without one are no longer alive."""
        n = rows.group.size
        drawn = np.zeros((n * CELLS, 6), np.float32)
        x, group = np.repeat(last, CELLS, axis=0), np.repeat(rows.group, CELLS)
        size = np.repeat(places().shape_size[rows.group], CELLS) + 1
        given = self._held.cells(self._numbers, self._counts)[np.repeat(rows.image, CELLS)]
        density = np.zeros(n * CELLS)
        for number in range(int(size.max())):
            has = np.flatnonzero(size > number)
            mixture = self._network.cell_mixture(x[has], group[has], drawn[has], number)
            share, mean, width = mixture.swapaxes(0, 1)
            pick = drawn_columns(manner.log_shares(share.astype(np.float64)), rng)
            at = np.arange(pick.size)
            noise = rng.standard_normal(pick.size) * np.sqrt(manner.temperature)
            value = mean[at, pick] + np.exp(width[at, pick]) * noise
            own = given[has, number]
            drawn[has, number] = np.where(np.isnan(own), value, own)
            density[has] += mixture_log_density(mixture, drawn[has, number])
        cells, density = drawn.reshape(n, CELLS, 6), density.reshape(n, CELLS)
        is_given = bool(self._held.images)
        result = np.zeros((n, 6), np.float32)
        for r in range(n):
            for k in range(CELLS):
                if is_given or self._fits(rows, r, cells[r, k]):
                    result[r], rows.density[r] = cells[r, k], density[r, k]
                    break
            else:
                rows.alive[r] = False
        if is_given:
            rows.given[:] = rows.density
        return result

    def _fits(self, rows: Rows, r: int, cell: NDArray[np.float32]) -> bool:
        """Return whether there is such a cell, of a volume that can be, not too flat."""
        stretch, shape = unscaled_cell(int(rows.group[r]), cell)
        if abs(stretch) > LARGEST_STRETCH or np.any(np.abs(shape[:2]) > 3.0):
            return False
        try:
            conventional = cell_of(int(rows.group[r]), shape)
        except ValueError:
            return False
        edges = np.linalg.norm(conventional, axis=1)
        return bool(abs(np.linalg.det(conventional)) > 0.2 * np.prod(edges))

    def _places(
        self,
        rows: Rows,
        cell: NDArray[np.float32],
        past: Cache,
        packing: Packing,
        manner: Manner,
        rng: np.random.Generator,
        steps: int | None = None,
    ) -> None:
        """Draw free coordinates orbit by orbit; rows come with the most movable orbits first.

        No more than ``steps`` orbits of each are placed; None places all of them.
        """
        n_movable = np.array([m.size for m in rows.movable])
        packing.place_fixed(rows)
        width = past[0][0].shape[2]
        seen = np.arange(width) < rows.length[:, None]
        given = [
            self._held.coordinates(self._numbers, kinds, int(image))
            for kinds, image in zip(rows.kinds, rows.image, strict=True)
        ]
        for step in range(int(n_movable.max(initial=0)) if steps is None else steps):
            active = int(np.sum(n_movable > step))
            past = [(key[:active], value[:active]) for key, value in past]
            orbit = np.array([rows.movable[r][step] for r in range(active)])
            batch = self._token(rows, cell, step, active, orbit)
            mask = np.concatenate([seen[:active], np.ones((active, step + 1), np.bool_)], axis=1)
            x, past = self._network(batch, past, mask[:, None, None, :])
            known = np.array([given[r][orbit[r]] for r in range(active)])
            tries, logs = self._free(x[:, 0], rows, orbit, known, manner, rng)
            taken = packing.place(rows, orbit, tries, active)
            rows.alive[:active] &= taken >= 0
            every = np.arange(active)
            rows.free[every, orbit] = tries[every, np.maximum(taken, 0)]
            added = logs[every, np.maximum(taken, 0)]
            rows.density[:active] += added
            rows.given[:active] += np.where(np.isnan(known[:, 0]), 0.0, added)

    def _token(
        self,
        rows: Rows,
        cell: NDArray[np.float32],
        step: int,
        active: int,
        orbit: NDArray[np.int64],
    ) -> Batch:
        """Return CELL, or PLACE of the orbit before, for each row."""
        batch = Batch.empty(active, 1)
        every = np.arange(active)
        batch.group[:] = rows.group[:active]
        batch.scalars[:, 0] = common_scalars(self._counts, self._log_volume)
        following = np.array([rows.rows[r][orbit[r]] for r in range(active)])
        kind = np.array([rows.kinds[r][orbit[r]] for r in range(active)])
        if step == 0:
            write_cell(batch, every, 0, cell[:active])
        else:
            before = np.array([rows.movable[r][step - 1] for r in range(active)])
            row = np.array([rows.rows[r][before[r]] for r in range(active)])
            was = np.array([rows.kinds[r][before[r]] for r in range(active)])
            points = point_of(row, rows.free[every, before])
            write_place(batch, every, 0, row, self._numbers[was], was + 1, points)
        write_next(batch, every, 0, orbit + 1, following, self._numbers[kind])
        return batch

    def _free(
        self,
        x: Floats,
        rows: Rows,
        orbit: NDArray[np.int64],
        known: NDArray[np.float64],
        manner: Manner,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return free coordinates (n, tries, 3) and their log-densities (n, tries).

        Those that are ``known``, shape (n, 3), are taken as they are; the others are NaN.
        """
        n = len(x)
        freedom = np.repeat(places().freedom[[rows.rows[r][orbit[r]] for r in range(n)]], TRIES)
        x, known = np.repeat(x, TRIES, axis=0), np.repeat(known, TRIES, axis=0)
        free = np.zeros((n * TRIES, 3))
        logs = np.zeros(n * TRIES)
        for number in range(int(freedom.max(initial=0))):
            has = np.flatnonzero(freedom > number)
            hidden = self._network.free_hidden(x[has], free[has].astype(np.float32), number)
            own = known[has, number]
            bins = bins_of(np.nan_to_num(own))
            is_given = ~np.isnan(own)
            coarse, first = chosen_columns(
                self._network.coarse_logits(hidden), manner, rng, np.where(is_given, bins[0], -1)
            )
            parts = self._network.fine_logits(hidden, coarse)
            fine, second = chosen_columns(parts, manner, rng, np.where(is_given, bins[1], -1))
            drawn = (coarse + (fine + 0.5) / FINE - 0.5) / COARSE % 1.0
            drawn = drawn.astype(np.float32)
            free[has, number] = np.where(is_given, own, drawn)
            logs[has] += first + second + np.log(COARSE * FINE)
        return free.reshape(n, TRIES, 3), logs.reshape(n, TRIES)

    def _sentence(self, rows: Rows, n: int, cell: NDArray[np.float32]) -> Sentence:
        group = int(rows.group[n])
        stretch, shape = unscaled_cell(group, cell)
        size = rows.kinds[n].size
        return Sentence(
            group,
            self._numbers,
            self._counts,
            rows.kinds[n],
            rows.rows[n] - rows.start[n],
            rows.free[n, :size],
            shape,
            stretch,
        )


def _n_movable(assignment: Assignment) -> int:
    rows = places().start[assignment.group] + np.array(assignment.positions)
    return int(np.sum(places().freedom[rows] > 0))
