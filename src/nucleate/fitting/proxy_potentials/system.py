"""The linear system that both derivations are scored with: rattled crystals and decoys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.fitting.proxy_potentials.decoys import random_decoy, swapped_decoy
from nucleate.fitting.proxy_potentials.features import apply_rows, apply_transposed, rows_of
from nucleate.potentials.basis import (
    N_CLASSES,
    N_CONTEXTS,
    Basis,
    context_of,
    pair_class,
    pair_index,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.proxy_potentials.structures import Sample


@dataclass(frozen=True, slots=True)
class Weights:
    """What the fit is asked for, in units where the spring of an atom is 1.

    Attributes
    ----------
    shear, bulk : float
        Stiffness per atom against strain: target virial = n (shear e + bulk tr(e)).
    virial, energy, decoy : float
        Weights of the rows, relative to one force row.
    swap_gap, random_gap : float
        Target energies per atom of decoys with exchanged elements and of random cells.
    volume_stiffness : float
        Strength of the one-body volume term.
    rest : float
        Displacement in Å that the rows of the crystal at rest count as.
    """

    shear: float = 1.0
    bulk: float = 1.0
    virial: float = 1.5
    energy: float = 1.0
    decoy: float = 1.0
    swap_gap: float = 0.12
    random_gap: float = 0.3
    volume_stiffness: float = 0.5
    rest: float = 0.015


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

    @property
    def n_unknowns(self) -> int:
        """Coefficients of all pairs in every context, then one constant for each element."""
        return N_CONTEXTS * (self.n_pairs * self.basis.size + len(self.elements))


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


def build_system(
    samples: Sequence[Sample],
    geometry: Geometry,
    weights: Weights,
    *,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> System:
    """Return the rows of every structure: forces and virial of rattled copies, energies."""
    return System.of(
        samples, lambda crystal: _block(crystal, geometry, weights, rng), progress=progress
    )


def class_columns(columns: NDArray[np.int64], geometry: Geometry) -> tuple[NDArray[np.int64], int]:
    """Map unknowns of pairs to unknowns of their class; constants keep their own."""
    size, n = geometry.basis.size, len(geometry.elements)
    rows = np.empty(geometry.n_pairs, dtype=np.int64)
    for i in range(n):
        for j in range(i, n):
            rows[pair_index(i, j, n)] = pair_class(geometry.elements[i], geometry.elements[j])
    pairs = N_CONTEXTS * geometry.n_pairs * size
    context, rest = np.divmod(np.minimum(columns, pairs - 1), geometry.n_pairs * size)
    mapped = (context * N_CLASSES + rows[rest // size]) * size + rest % size
    splines = N_CONTEXTS * N_CLASSES * size
    return np.where(columns < pairs, mapped, columns - pairs + splines), splines + N_CONTEXTS * n


def _block(
    crystal: Crystal, geometry: Geometry, weights: Weights, rng: np.random.Generator
) -> tuple[NDArray, NDArray, NDArray]:
    unique, kind = np.unique(crystal.numbers, return_inverse=True)
    where = [geometry.elements.index(int(z)) for z in unique]
    context = context_of(crystal.numbers)
    m, n, basis = len(unique), crystal.n_atoms, geometry.basis
    block = np.zeros((m, m), dtype=np.int64)
    columns = []
    for i in range(m):
        for j in range(i, m):
            block[i, j] = block[j, i] = len(columns)
            row = context * geometry.n_pairs + pair_index(
                where[i], where[j], len(geometry.elements)
            )
            columns.append(row * basis.size + np.arange(basis.size))
    rows = [[pair_index(a, b, len(geometry.elements)) for b in where] for a in where]
    contact = geometry.contact[context][np.array(rows)]
    constants = N_CONTEXTS * geometry.n_pairs * basis.size + context * len(geometry.elements)
    columns.append(constants + np.array(where))
    counts = np.bincount(kind, minlength=m) / n
    v0 = float(sum(geometry.volume[context, w] * c * n for w, c in zip(where, counts, strict=True)))

    def features(pos: NDArray, cell: NDArray, kinds: NDArray) -> tuple[NDArray, NDArray]:
        return rows_of(pos, cell, kinds, block, contact, basis.start, basis.spacing, basis.size,
                       basis.taper_start, basis.cutoff, basis.wall_height, basis.wall_steepness,
                       len(columns) - 1)  # fmt: skip

    parts, targets = [], []

    def add(
        rows: NDArray, known: NDArray, target: NDArray, weight: NDArray | float, ones=0.0
    ) -> None:
        extra = np.tile(counts * ones, (len(rows), 1))
        factor = np.broadcast_to(np.asarray(weight), target.shape)
        parts.append(np.hstack([rows, extra]) * factor[:, None])
        targets.append((target - known) * factor)

    for sigma in (0.0, rng.uniform(0.06, 0.25)):
        pos, cell, strain, shift = _rattled(crystal, sigma, rng)
        rows, known = features(pos, cell, kind)
        volume_part = 2 * weights.volume_stiffness * np.log(abs(np.linalg.det(cell)) / v0)
        virial = weights.shear * strain + weights.bulk * np.trace(strain) * np.eye(3)
        virial -= volume_part * np.eye(3)
        virial = n * virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        target = np.concatenate([-shift.ravel(), virial])
        spread = max(sigma, weights.rest)
        weight = np.concatenate(
            [np.full(3 * n, 1.0 / spread), np.full(6, 4 * weights.virial / (np.sqrt(n) * spread))]
        )
        add(rows[:-1], known[:-1], target, weight)
    cell = np.array(crystal.cell)
    rows, known = features(crystal.scaled @ cell, cell, kind)
    scale = np.sqrt(n) / weights.swap_gap
    add(rows[-1:] / n, known[-1:] / n, np.zeros(1), weights.energy * scale, 1.0)
    for decoy, gap in ((swapped_decoy(crystal, rng=rng), weights.swap_gap),
                       (random_decoy(crystal, rng=rng), weights.random_gap)):  # fmt: skip
        if decoy is not None:
            kinds = np.searchsorted(unique, decoy.numbers)
            rows, known = features(decoy.scaled @ decoy.cell, np.array(decoy.cell), kinds)
            known = np.minimum(known, 2.0 * gap * n)
            add(rows[-1:] / n, known[-1:] / n, np.array([gap]), weights.decoy * scale, 1.0)
    return np.concatenate(parts), np.concatenate(targets), np.concatenate(columns)


def _rattled(
    crystal: Crystal, sigma: float, rng: np.random.Generator
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    strain = 0.25 * sigma * rng.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)
    cell = crystal.cell @ (np.eye(3) + strain)
    shift = sigma * rng.normal(size=(crystal.n_atoms, 3))
    shift -= shift.mean(axis=0)
    return crystal.scaled @ cell + shift, cell, strain, shift
