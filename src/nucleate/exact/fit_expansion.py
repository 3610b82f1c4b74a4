"""Fit a cluster expansion to energies of small decorations, with a cross-validated error."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import InputError
from nucleate.exact.expansion import (
    SAME,
    Cluster,
    ClusterExpansion,
    contracted,
    labelled,
    occurrences,
    shells_of,
    tensor_of,
)
from nucleate.exact.superlattices import supercell_sites

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.exact.decoration import Decoration

PAIR_REACH = 2.6
"""Distances of nearest neighbours up to which pairs are tried."""

TRIPLET_REACH = 1.8
RIDGES = (1e-6, 1e-4, 1e-3, 1e-2)
FOLDS = 5


def fit(
    parent: Crystal,
    elements: Sequence[str],
    samples: Sequence[Decoration],
    energies: NDArray[np.float64],
    *,
    model: str,
) -> ClusterExpansion:
    """Return the cluster expansion with the least error of leaving one energy out.

    Distances of pairs and sizes of triplets are added one after another, and the strength of the
    regularisation is varied. The error that is stated is that of predictions for a fifth of the
    structures, made by a choice and a fit without them.

    Parameters
    ----------
    parent
        Primitive cell of the lattice.
    elements
        Symbols, of which colours are indices.
    samples
        Decorations; each element must be there alone.
    energies
        eV per atom.
    model
        What computed them, for the record.

    Raises
    ------
    InputError
        If there are too few energies.
    """
    if len(samples) < 2 * FOLDS:
        raise InputError(
            f"--fit = {model!r}: {len(samples)} decorations were relaxed and stayed on the "
            f"lattice; a fit needs {2 * FOLDS} or more. Take another lattice or model."
        )
    design = _Design(parent, tuple(elements), samples)
    weights, columns, _ = design.chosen(energies, np.arange(len(samples)))
    clusters = tuple(
        replace(design.clusters[c], energy=float(w)) for c, w in zip(columns, weights, strict=True)
    )
    return ClusterExpansion(
        tuple(elements), clusters, design.nearest, f"cluster expansion of {model}", model,
        len(samples), design.error(energies),
    )  # fmt: skip


class _Design:
    """How often each cluster occurs per site in each sample."""

    def __init__(
        self, parent: Crystal, elements: tuple[str, ...], samples: Sequence[Decoration]
    ) -> None:
        self.nearest = nearest_of(parent)
        pairs = [(d,) for d in _sides(parent, self.nearest, PAIR_REACH)]
        triplets = _triangles(parent, self.nearest, TRIPLET_REACH)
        self.clusters = [Cluster((), ()), *(Cluster((s,), ()) for s in elements[:-1])]
        self._base = len(self.clusters)
        self._groups = []
        for distances in (*pairs, *triplets):
            group = labelled(elements, distances, 2 if len(distances) == 1 else 3)
            self._groups.append(len(group))
            self.clusters += group
        self._n_pairs = len(pairs)
        shells = shells_of(self.clusters)
        self.matrix = np.zeros((len(samples), len(self.clusters)))
        forms: dict[bytes, list[int]] = {}
        for place, sample in enumerate(samples):
            forms.setdefault(sample.form.tobytes(), []).append(place)
        for places in forms.values():
            sites, _ = supercell_sites(parent, samples[places[0]].form)
            found = occurrences(sites.cell, sites.fractions, self.nearest, shells,
                                PAIR_REACH, TRIPLET_REACH)  # fmt: skip
            colours = np.array([samples[place].colours for place in places])
            for column, cluster in enumerate(self.clusters):
                tensors = tensor_of(cluster, elements, shells, found, sites.size)
                self.matrix[places, column] = contracted(tensors, colours) / sites.size

    def _subsets(self, most: int) -> Iterator[NDArray[np.int64]]:
        """Yield columns: the constant and points, p distances of pairs, t kinds of triplets."""
        ends = self._base + np.cumsum([0, *self._groups])
        n_triplets = len(self._groups) - self._n_pairs
        for p, t in product(range(1, self._n_pairs + 1), range(n_triplets + 1)):
            first = np.arange(ends[p])
            second = np.arange(ends[self._n_pairs], ends[self._n_pairs + t])
            if first.size + second.size <= most:
                yield np.concatenate([first, second])

    def chosen(
        self, energies: NDArray[np.float64], rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
        """Return energies of clusters, their columns and the error of leaving one out."""
        best = (np.zeros(0), np.zeros(0, dtype=np.int64), np.inf)
        for columns in self._subsets(rows.size // 2):
            x, y = self.matrix[np.ix_(rows, columns)], energies[rows]
            for ridge in RIDGES:
                penalty = np.sqrt(ridge * rows.size) * np.eye(columns.size)
                penalty[: self._base] = 0.0
                inverse = np.linalg.pinv(x.T @ x + penalty.T @ penalty)
                hat = np.einsum("ij,jk,ik->i", x, inverse, x)
                weights = inverse @ (x.T @ y)
                left_out = (y - x @ weights) / np.maximum(1.0 - hat, 1e-3)
                error = float(np.sqrt(np.mean(left_out**2)))
                if error < best[2] * (1.0 - 1e-6):
                    best = weights, columns, error
        return best

    def error(self, energies: NDArray[np.float64]) -> float:
        """Return the root mean square error of predictions by fits without what is predicted."""
        everything = np.arange(energies.size)
        misses = np.zeros(energies.size)
        for fold in range(FOLDS):
            out = everything[fold::FOLDS]
            rows = np.setdiff1d(everything, out)
            weights, columns, _ = self.chosen(energies, rows)
            misses[out] = energies[out] - self.matrix[np.ix_(out, columns)] @ weights
        return float(np.sqrt(np.mean(misses**2)))


def nearest_of(parent: Crystal) -> float:
    """Return the distance of nearest neighbours for a volume of 1 per site."""
    from nucleate.crystal.distances import shortest_distance

    return float(shortest_distance(parent)) / parent.volume_per_atom ** (1.0 / 3.0)


def _vectors(parent: Crystal, nearest: float, reach: float) -> list[NDArray[np.float64]]:
    from ase.neighborlist import primitive_neighbor_list

    unit = nearest * parent.volume_per_atom ** (1.0 / 3.0)
    first, vectors = primitive_neighbor_list(
        "iD", (True,) * 3, parent.cell, parent.scaled @ parent.cell, (reach + SAME) * unit
    )
    return [vectors[first == site] / unit for site in range(parent.n_atoms)]


def _sides(parent: Crystal, nearest: float, reach: float) -> list[float]:
    lengths = np.concatenate([np.linalg.norm(v, axis=1) for v in _vectors(parent, nearest, reach)])
    return list(shells_of([Cluster(("", ""), (float(d),)) for d in lengths]))


def _triangles(parent: Crystal, nearest: float, reach: float) -> list[tuple[float, float, float]]:
    """Return the sides of triangles of sites, small ones first."""
    found: dict[tuple[float, ...], tuple[float, float, float]] = {}
    for vectors in _vectors(parent, nearest, reach):
        p, q = np.triu_indices(len(vectors), k=1)
        sides = np.stack(
            [np.linalg.norm(v, axis=1) for v in (vectors[p], vectors[q], vectors[p] - vectors[q])]
        )
        for row in np.sort(sides.T[sides.max(axis=0) <= reach + SAME], axis=1):
            if row[0] > SAME:
                key = tuple(np.round(row, 2))
                found.setdefault(key, (float(row[0]), float(row[1]), float(row[2])))
    return sorted(found.values(), key=lambda sides: (round(sides[2], 3), sum(sides)))
