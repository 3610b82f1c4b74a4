"""The linear system that both derivations are scored with: rattled crystals and decoys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.fitting.proxy_potentials.features import apply_rows, apply_transposed
from nucleate.potentials.basis import (
    Basis,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.proxy_potentials.structures import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """What is the same for every structure: elements, d0, volumes and the basis."""

    elements: tuple[int, ...]
    contact: NDArray[np.float64]
    volume: NDArray[np.float64]
    basis: Basis

    @property
    def n_pairs(self) -> int:
        """Number of unordered pairs of elements."""
        return len(self.elements) * (len(self.elements) + 1) // 2


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """Weighted dense blocks, one for each structure.

    Attributes
    ----------
    values : ndarray of float32
        Blocks, row by row.
    target : ndarray of float32
        Weighted right-hand side.
    row_start, width, column_start : ndarray of int64
        First row of each block (and the end), its columns, and where ``columns`` begin.
    columns : ndarray of int64
        Unknown of each column of a block.
    """

    values: NDArray[np.float32]
    target: NDArray[np.float32]
    row_start: NDArray[np.int64]
    width: NDArray[np.int64]
    column_start: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        samples: Sequence[Sample],
        rows_of_one: Callable[[Crystal], tuple[NDArray, NDArray, NDArray]],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> System:
        """Return the system of some structures.

        Parameters
        ----------
        samples
            The structures.
        rows_of_one
            From a crystal to its block (rows, columns), targets (rows,) and unknowns (columns,).
        progress
            Called with (done, total).
        """
        values, targets, heights, widths, columns = [], [], [], [], []
        for done, sample in enumerate(samples):
            block, target, where = rows_of_one(sample.crystal)
            values.append(block.astype(np.float32).ravel())
            targets.append(target.astype(np.float32))
            heights.append(block.shape[0])
            widths.append(block.shape[1])
            columns.append(where)
            if progress and done % 500 == 0:
                progress(done, len(samples))
        return cls(
            np.concatenate(values), np.concatenate(targets), np.cumsum([0, *heights]),
            np.array(widths), np.cumsum([0, *widths])[:-1], np.concatenate(columns),
        )  # fmt: skip

    def joined(self, other: System) -> System:
        """Return the rows of both."""
        return System(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.target, other.target]),
            np.concatenate([self.row_start, self.row_start[-1] + other.row_start[1:]]),
            np.concatenate([self.width, other.width]),
            np.concatenate([self.column_start, self.columns.size + other.column_start]),
            np.concatenate([self.columns, other.columns]),
        )

    def times(self, x: NDArray[np.float64], columns: NDArray[np.int64] | None = None) -> NDArray:
        """Return A x."""
        columns = self.columns if columns is None else columns
        out = np.zeros(self.target.size)
        apply_rows(self.values, self.row_start, self.width, self.column_start, columns, x, out)
        return out

    def transposed(
        self, y: NDArray[np.float64], size: int, columns: NDArray[np.int64] | None = None
    ) -> NDArray:
        """Return A^T y."""
        columns = self.columns if columns is None else columns
        out = np.zeros(size)
        apply_transposed(
            self.values, self.row_start, self.width, self.column_start, columns, y, out
        )
        return out

    def squared_columns(self, size: int, columns: NDArray[np.int64] | None = None) -> NDArray:
        """Return the squared norm of each of ``size`` columns."""
        columns = self.columns if columns is None else columns
        out = np.zeros(size)
        place = 0
        for s, width in enumerate(self.width):
            height = int(self.row_start[s + 1] - self.row_start[s])
            block = self.values[place : place + height * width].reshape(height, width)
            place += height * int(width)
            begin = self.column_start[s]
            where = columns[begin : begin + width]
            np.add.at(out, where, np.einsum("ij,ij->j", block, block))
        return out
