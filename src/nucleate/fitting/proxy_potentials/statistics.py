"""Inverted distance statistics: ``U = -ln g`` with each structure's own density as reference.

The kernel is normalised, so that g tends to 1; a bin of a rare pair is pulled to the mean curve
of its class at the same r/d0, and a little to 1 (design of "proxy potentials", section 2).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.potentials.basis import N_CLASSES, N_CONTEXTS, context_of, pair_class, pair_index
from nucleate.potentials.kernels import neighbours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.fitting.proxy_potentials.structures import Sample
    from nucleate.fitting.proxy_potentials.system import Geometry

_STEP = 0.05
INNERMOST = 0.62  # of d0: the curves end there, just within the first knot
_CLASS_WEIGHT = 10.0
_IDEAL_WEIGHT = 0.5


@njit(cache=True, nogil=True)
def _deposit(pos, cell, kind, block, first, other, shift, out):
    """Add each pair's normalised Gaussian (width max(0.06 Å, 4 % of r)) to its histogram."""
    bins = out.shape[1]
    for i in range(kind.size):
        for m in range(first[i], first[i + 1]):
            j = other[m]
            r2 = 0.0
            for d in range(3):
                x = pos[j, d] - pos[i, d]
                for e in range(3):
                    x += shift[m, e] * cell[e, d]
                r2 += x * x
            r = math.sqrt(r2)
            width = max(0.06, 0.04 * r)
            scale = 1.0 / (width * math.sqrt(2.0 * math.pi))
            low = max(int((r - 4 * width) / _STEP), 0)
            for k in range(low, min(int((r + 4 * width) / _STEP) + 2, bins)):
                t = ((k + 0.5) * _STEP - r) / width
                out[block[kind[i], kind[j]], k] += scale * math.exp(-0.5 * t * t)


def pair_distributions(
    samples: Sequence[Sample], geometry: Geometry
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return distances (n_bins,), mean g (contexts, pairs, bins) and structures (contexts, pairs).

    Each structure's g is relative to its own partial densities.
    """
    cutoff = geometry.basis.cutoff
    r = (np.arange(int(cutoff / _STEP), dtype=np.float64) + 0.5) * _STEP
    n = len(geometry.elements)
    total = np.zeros((N_CONTEXTS, geometry.n_pairs, r.size))
    count = np.zeros((N_CONTEXTS, geometry.n_pairs))
    for sample in samples:
        crystal = sample.crystal
        unique, kind = np.unique(crystal.numbers, return_inverse=True)
        where = [geometry.elements.index(int(z)) for z in unique]
        m = len(unique)
        block = np.zeros((m, m), dtype=np.int64)
        rows, pairs = [], []
        for i in range(m):
            for j in range(i, m):
                block[i, j] = block[j, i] = len(rows)
                rows.append(pair_index(where[i], where[j], n))
                pairs.append((i, j))
        cell = np.array(crystal.cell)
        pos = crystal.scaled @ cell
        histogram = np.zeros((len(rows), r.size))
        _deposit(pos, cell, kind, block, *neighbours(pos, cell, 1.2 * cutoff), histogram)
        atoms = np.bincount(kind)
        context = context_of(crystal.numbers)
        for row, (i, j), h in zip(rows, pairs, histogram, strict=True):
            ideal = 4.0 * np.pi * r**2 * atoms[i] * atoms[j] / crystal.volume
            total[context, row] += h / ideal * (2.0 if i == j else 1.0)
            count[context, row] += 1.0
    return r, total / np.maximum(count, 1.0)[:, :, None], count


def invert_statistics(samples: Sequence[Sample], geometry: Geometry) -> NDArray[np.float64]:
    """Return coefficients (contexts, pairs, functions) of ``-ln g``, in units of kT.

    Parameters
    ----------
    samples
        Structures, one for each formula.
    geometry
        Elements, d0 and the basis, whose fixed wall is left out of the coefficients.
    """
    r, g, count = pair_distributions(samples, geometry)
    basis, n = geometry.basis, len(geometry.elements)
    classes = np.empty(geometry.n_pairs, dtype=np.int64)
    for i in range(n):
        for j in range(i, n):
            classes[pair_index(i, j, n)] = pair_class(geometry.elements[i], geometry.elements[j])
    ratios = np.exp(basis.start + basis.spacing * 0.25 * np.arange(4 * basis.size))
    out = np.zeros((N_CONTEXTS, geometry.n_pairs, basis.size))
    second = np.diff(np.eye(basis.size), 2, axis=0)
    for context in range(N_CONTEXTS):
        for kind in range(N_CLASSES):
            mine = np.flatnonzero(classes == kind)
            curve = _class_curve(
                r, g[context], count[context], geometry.contact[context], mine, ratios
            )
            for row in mine:
                ratio = r / geometry.contact[context, row]
                seen = count[context, row]
                shrunk = seen * g[context, row] + _CLASS_WEIGHT * np.interp(ratio, ratios, curve)
                shrunk = (shrunk + _IDEAL_WEIGHT) / (seen + _CLASS_WEIGHT + _IDEAL_WEIGHT)
                energy = -np.log(np.maximum(shrunk, 3e-3))
                weight = np.sqrt(r**2 * np.maximum(shrunk, 0.02))
                weight[ratio < INNERMOST] = 0.0  # a wall takes over there
                matrix = basis.functions(ratio) * weight[:, None]
                normal = matrix.T @ matrix + 0.5 * second.T @ second + 1e-3 * np.eye(basis.size)
                rhs = matrix.T @ (weight * (energy - basis.wall(ratio)))
                out[context, row] = np.linalg.solve(normal, rhs)
    return out


def _class_curve(
    r: NDArray[np.float64],
    g: NDArray[np.float64],
    count: NDArray[np.float64],
    contact: NDArray[np.float64],
    rows: NDArray[np.int64],
    ratios: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean g(r/d0) of the well-sampled pairs of a class (1 where there are none)."""
    total, weights = np.zeros(ratios.size), np.zeros(ratios.size)
    for row in rows:
        if count[row] >= 5:
            inside = ratios * contact[row] < r[-1]
            weight = min(count[row], 50.0) * inside
            total += weight * np.interp(ratios * contact[row], r, g[row])
            weights += weight
    return np.where(weights > 0, total / np.maximum(weights, 1e-9), 1.0)
