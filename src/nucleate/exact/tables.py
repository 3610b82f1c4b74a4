"""Pair energies over the difference vectors of a grid, from any classical model of nucleate.

The energy of atoms on the points of a grid is a constant, plus a term for each atom, plus a term
for each pair that depends on both elements and on the difference vector alone, all periodic images
and the whole Ewald sum included. The terms agree with :meth:`EnergyModel.evaluate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.exact.grid import Grid
    from nucleate.potentials.kernels import Tables
    from nucleate.potentials.model import EnergyModel


@dataclass(frozen=True, slots=True, eq=False)
class PairTables:
    """Energies of one atom and of pairs of atoms in a periodic cell.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers; indices below follow their order.
    single : ndarray of float64, shape (n_elements,)
        Energy of one atom of each element with its own images in eV.
    pair : ndarray of float64, shape (n_elements, n_elements, n_points)
        Energy of two atoms whose difference vector is a point of the grid, all images included,
        in eV; 0 at the point 0.
    nearest : ndarray of float64, shape (n_points,)
        Length in Å of the shortest image of each difference vector; at 0 the shortest lattice
        vector.
    """

    elements: tuple[int, ...]
    single: NDArray[np.float64]
    pair: NDArray[np.float64]
    nearest: NDArray[np.float64]


def pair_tables(model: EnergyModel, grid: Grid) -> PairTables:
    """Return the tables of a model on a grid.

    Parameters
    ----------
    model
        Force field, proxy potentials, or pair functions
        (:func:`nucleate.exact.pair_models.pair_model`).
    grid
        Any cell, any shape.
    """
    tables = model.sums
    n = len(model.elements)
    real, nearest = _real_space(tables, grid, n)
    total = real + _reciprocal_space(tables, grid, n)
    single = 0.5 * total[np.arange(n), np.arange(n), 0] + tables.one_body
    if tables.k_cutoff > 0.0:
        single -= tables.alpha / math.sqrt(math.pi) * np.diag(tables.charge_product)
        single += tables.alpha**6 / 12.0 * np.diag(tables.dispersion)
    total[:, :, 0] = 0.0
    return PairTables(model.elements, single, total, nearest)


def constant_energy(model: EnergyModel, grid: Grid, counts: NDArray[np.int64]) -> float:
    """Return the energy that does not depend on where the atoms are, in eV per cell.

    Parameters
    ----------
    model, grid
        As above.
    counts
        Atoms of each element of the model in the cell.
    """
    tables = model.sums
    if tables.volume_stiffness <= 0.0:
        return 0.0
    volume = abs(float(np.linalg.det(grid.cell)))
    strain = math.log(volume / float(counts @ tables.volume))
    return float(tables.volume_stiffness * counts.sum() * strain**2)


def _real_space(
    tables: Tables, grid: Grid, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum the pair splines over every vector of the fine lattice within the cut-off."""
    fine = grid.cell / np.array(grid.shape)[:, None]
    longest = float(np.linalg.norm(grid.cell, axis=1).max())
    vectors, lengths = lattice_points(fine, max(tables.cutoff, 1.001 * longest))
    place = grid.index(vectors)
    nearest = np.full(grid.size, np.inf)
    np.minimum.at(nearest, place, lengths)
    far = ~np.isfinite(nearest)
    if far.any():  # a difference vector longer than every lattice vector: only a bound is needed
        nearest[far] = 1.001 * longest
    out = np.zeros((n, n, grid.size))
    for a in range(n):
        for b in range(a, n):
            row = int(tables.pair[a, b])
            within = lengths**2 < tables.cut2[row]
            energy = _spline(tables, row, lengths[within])
            out[a, b] = out[b, a] = np.bincount(place[within], energy, minlength=grid.size)
    return out, nearest


def lattice_points(
    basis: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the vectors of a lattice, without 0, up to a radius (Å), and their lengths."""
    reach = np.floor(radius * np.linalg.norm(np.linalg.inv(basis), axis=0) + 1e-9).astype(int)
    plane = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in reach[1:]), indexing="ij"), -1)
    plane = plane.reshape(-1, 2)
    flat = plane @ basis[1:]
    found, lengths = [], []
    for first in range(-reach[0], reach[0] + 1):
        squared = np.square(flat + first * basis[0]).sum(axis=1)
        keep = np.flatnonzero((squared <= radius**2) & (squared > 1e-18))
        found.append(np.column_stack([np.full(keep.size, first, dtype=np.int64), plane[keep]]))
        lengths.append(np.sqrt(squared[keep]))
    return np.concatenate(found), np.concatenate(lengths)


def shortest_images(grid: Grid, radius: float) -> NDArray[np.float64]:
    """Return the shortest image of each difference vector in Å, inf where it exceeds a radius.

    At the point 0 it is the shortest lattice vector.
    """
    vectors, lengths = lattice_points(grid.cell / np.array(grid.shape)[:, None], radius)
    nearest = np.full(grid.size, np.inf)
    np.minimum.at(nearest, grid.index(vectors), lengths)
    return nearest


def _spline(tables: Tables, row: int, r: NDArray[np.float64]) -> NDArray[np.float64]:
    s = r * tables.inverse_step
    k = np.minimum(s.astype(np.int64), tables.spline.shape[1] - 1)
    s = s - k
    w = tables.spline[row, k]
    return w[:, 0] + s * (w[:, 1] + s * (w[:, 2] + s * w[:, 3]))


def _reciprocal_space(tables: Tables, grid: Grid, n: int) -> NDArray[np.float64]:
    """Sum the reciprocal lattice, folded onto the grid, by a fast Fourier transform."""
    out = np.zeros((n, n, grid.size))
    if tables.k_cutoff <= 0.0:
        return out
    volume = abs(float(np.linalg.det(grid.cell)))
    reciprocal = (2.0 * np.pi * np.linalg.inv(grid.cell).T).astype(np.float64)
    vectors, k = lattice_points(reciprocal, tables.k_cutoff)
    place = grid.index(vectors)
    coulomb, six = _factors(k, tables.alpha)
    uniform = np.pi**1.5 * tables.alpha**3 / 3.0 / volume
    for a in range(n):
        for b in range(a, n):
            weight = coulomb * tables.charge_product[a, b] + six * tables.dispersion[a, b]
            folded = np.bincount(place, weight / volume, minlength=grid.size)
            wave = np.fft.ifftn(folded.reshape(grid.shape)).real * grid.size
            out[a, b] = out[b, a] = wave.reshape(-1) - uniform * tables.dispersion[a, b]
    return out


def _factors(
    k: NDArray[np.float64], alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the transforms of the long-ranged parts of 1/r and of -1/r^6 (Williams, 1971)."""
    from scipy.special import erfc

    gauss = np.exp(-(k**2) / (4.0 * alpha**2))
    tail = np.sqrt(np.pi) * erfc(0.5 * k / alpha)
    six = k**3 * tail + (4.0 * alpha**3 - 2.0 * alpha * k**2) * gauss
    return 4.0 * np.pi * gauss / k**2, -(np.pi**1.5) / 12.0 * six
