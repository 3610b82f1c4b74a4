"""Cluster expansions of pairs and triplets on a parent lattice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nucleate.crystal.elements import element
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

SAME = 1e-3
"""Distances, in that of nearest neighbours, that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Elements at distances from each other, and what each such cluster adds to the energy.

    Attributes
    ----------
    elements : tuple of str
        None for the constant of a site, one for a point, two for a pair, three for a triplet.
    distances : tuple of float
        In distances of nearest neighbours: that of a pair; of a triplet those opposite to each of
        its elements.
    energy : float
        eV.
    """

    elements: tuple[str, ...]
    distances: tuple[float, ...]
    energy: float = 0.0


class Occurrences(NamedTuple):
    """Pairs and triplets of sites in a cell.

    Pairs are (i, j, shell), each found from both ends; triplets are (i, j, k) with the shells
    opposite to each, found from all three. ``scale`` is what they count: 1/2 and 1/3.
    """

    pairs: NDArray[np.int64]
    triplets: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ClusterExpansion:
    """Energies of decorations of a lattice, as sums over points, pairs and triplets.

    Clusters are told apart by elements and distances alone. Those with the last element are left
    out, because their numbers follow from the others. Distances are relative, so the energy does
    not depend on the volume: it is that of the relaxed decoration.

    Attributes
    ----------
    elements : tuple of str
        That may sit on the sites.
    clusters : tuple of Cluster
        With their energies.
    nearest : float
        Distance of nearest neighbours for a volume of 1 per site.
    name : str
        For reports.
    fitted_to : str
        The model whose energies it was fitted to.
    structures : int
        How many energies it was fitted to.
    error : float
        Cross-validated, in eV per atom.
    """

    elements: tuple[str, ...]
    clusters: tuple[Cluster, ...]
    nearest: float
    name: str = "cluster expansion"
    fitted_to: str = ""
    structures: int = 0
    error: float = 0.0

    def model(self, numbers: Iterable[int]) -> ClusterExpansion:
        """Return the expansion itself; raises `InputError` if it lacks one of the elements."""
        missing = {element(int(z)).symbol for z in numbers} - set(self.elements)
        if missing:
            raise InputError(
                f"{self.name}: it has no {', '.join(sorted(missing))}. Fit one for these elements."
            )
        return self

    def tensors(
        self, cell: NDArray[np.float64], fractions: NDArray[np.float64]
    ) -> dict[tuple[int, ...], NDArray[np.float64]]:
        """Return the energies of sites, pairs and triplets of sites by indices of elements."""
        found = self.occurrences(cell, fractions)
        shells, n = self.shells, fractions.shape[0]
        sums: dict[tuple[int, ...], NDArray[np.float64]] = {}
        for cluster in self.clusters:
            for labels, counts in tensor_of(cluster, self.elements, shells, found, n).items():
                sums[labels] = sums.get(labels, 0.0) + cluster.energy * counts
        return sums

    def energies(
        self,
        cell: NDArray[np.float64],
        fractions: NDArray[np.float64],
        colours: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the energies in eV per cell of decorations, given indices of elements by site."""
        return contracted(self.tensors(cell, fractions), colours)

    def evaluate(self, crystal: Crystal) -> Evaluation:
        """Return the energy of a crystal whose atoms are on all sites of the lattice."""
        index = {element(symbol).number: k for k, symbol in enumerate(self.elements)}
        colours = np.array([[index[int(z)] for z in crystal.numbers]])
        return Evaluation(float(self.energies(crystal.cell, crystal.scaled, colours)[0]))

    @property
    def shells(self) -> tuple[float, ...]:
        """Distances of its clusters in rising order."""
        return shells_of(self.clusters)

    def occurrences(self, cell: NDArray[np.float64], fractions: NDArray[np.float64]) -> Occurrences:
        """Return the pairs and triplets of a cell that its clusters are about."""
        lengths = {2: 0.0, 3: 0.0}
        for cluster in self.clusters:
            if cluster.distances:
                order = len(cluster.elements)
                lengths[order] = max(lengths[order], *cluster.distances)
        return occurrences(cell, fractions, self.nearest, self.shells, lengths[2], lengths[3])


class Evaluation(NamedTuple):
    """An energy in eV per cell."""

    energy: float


def shells_of(clusters: Iterable[Cluster]) -> tuple[float, ...]:
    """Return the distances that occur in clusters, in rising order."""
    found: list[float] = []
    for distance in sorted(d for cluster in clusters for d in cluster.distances):
        if not found or distance - found[-1] > SAME:
            found.append(distance)
    return tuple(found)


def occurrences(
    cell: NDArray[np.float64],
    fractions: NDArray[np.float64],
    nearest: float,
    shells: Sequence[float],
    pair_reach: float,
    triplet_reach: float,
) -> Occurrences:
    """Return pairs and triplets of sites up to two distances.

    Parameters
    ----------
    cell, fractions
        Of the sites; Å.
    nearest
        Distance of nearest neighbours for a volume of 1 per site.
    shells
        Distances that are told apart, in that of nearest neighbours.
    pair_reach, triplet_reach
        In the same unit; of all sides of a triplet.

    Raises
    ------
    InputError
        If a distance is none of the shells: the sites are not those of the lattice.
    """
    from ase.neighborlist import primitive_neighbor_list

    unit = nearest * (abs(np.linalg.det(cell)) / fractions.shape[0]) ** (1.0 / 3.0)
    reach = max(pair_reach, triplet_reach, 1.0)
    first, second, vectors, lengths = primitive_neighbor_list(
        "ijDd", (True,) * 3, cell, fractions @ cell, (reach + 2 * SAME) * unit
    )
    if not shells:
        return Occurrences(np.zeros((0, 3), np.int64), np.zeros((0, 6), np.int64))
    shell = _shell(lengths / unit, np.array(shells), max(pair_reach, triplet_reach))
    inside = lengths / unit <= pair_reach + SAME
    pairs = np.column_stack([first[inside], second[inside], shell[inside]])
    triplets = [np.zeros((0, 6), dtype=np.int64)]
    for site in range(fractions.shape[0]):
        near = np.flatnonzero((first == site) & (lengths / unit <= triplet_reach + SAME))
        p, q = (near[k] for k in np.triu_indices(near.size, k=1))
        across = np.linalg.norm(vectors[p] - vectors[q], axis=1) / unit
        kept = across <= triplet_reach + SAME
        p, q, across = p[kept], q[kept], across[kept]
        rows = [np.full(p.size, site), second[p], second[q],
                _shell(across, np.array(shells), triplet_reach), shell[q], shell[p]]  # fmt: skip
        triplets.append(np.column_stack(rows))
    return Occurrences(pairs, np.concatenate(triplets))


def _shell(
    lengths: NDArray[np.float64], shells: NDArray[np.float64], reach: float
) -> NDArray[np.int64]:
    gap = np.abs(lengths[:, None] - shells[None, :])
    wrong = (gap.min(axis=1, initial=np.inf) > SAME) & (lengths <= reach + SAME)
    if wrong.any():
        raise InputError(
            f"a distance of {lengths[wrong][0]:.4f} nearest neighbours is none of the lattice of "
            "the cluster expansion. Give sites of that lattice."
        )
    return np.argmin(gap, axis=1)


def tensor_of(
    cluster: Cluster,
    elements: Sequence[str],
    shells: Sequence[float],
    found: Occurrences,
    n: int,
) -> dict[tuple[int, ...], NDArray[np.float64]]:
    """Return how often sites make up a cluster, by the indices of the elements that they hold."""
    kinds = tuple(elements.index(symbol) for symbol in cluster.elements)
    if len(kinds) < 2:
        return {kinds: np.full(n, 1.0) if kinds else np.array(float(n))}
    places = tuple(int(np.argmin(np.abs(np.array(shells) - d))) for d in cluster.distances)
    if len(kinds) == 2:
        i, j, _ = found.pairs[found.pairs[:, 2] == places[0]].T
        counts = np.zeros((n, n))
        np.add.at(counts, (i, j), 0.5)
        sums: dict[tuple[int, ...], NDArray[np.float64]] = {}
        for labels in {kinds, kinds[::-1]}:
            sums[labels] = counts
        return sums
    sums = {}
    for corner in set(permutations(zip(places, kinds, strict=True))):
        opposite = np.array([place for place, _ in corner])
        i, j, k = found.triplets[(found.triplets[:, 3:] == opposite).all(axis=1)][:, :3].T
        counts = np.zeros((n, n, n))
        np.add.at(counts, (i, j, k), 1.0 / 3.0)
        labels = tuple(kind for _, kind in corner)
        sums[labels] = sums.get(labels, 0.0) + counts
    return sums


def contracted(
    tensors: dict[tuple[int, ...], NDArray[np.float64]], colours: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the sums over tensors for decorations, shape (n_decorations,)."""
    total = np.zeros(colours.shape[0])
    for labels, tensor in tensors.items():
        held = [(colours == kind).astype(np.float64) for kind in labels]
        if not labels:
            total += tensor
        elif len(labels) == 1:
            total += held[0] @ tensor
        elif len(labels) == 2:
            total += ((held[0] @ tensor) * held[1]).sum(axis=1)
        else:
            n = tensor.shape[0]
            partly = (held[0] @ tensor.reshape(n, -1)).reshape(-1, n, n)
            total += np.einsum("mjk,mj,mk->m", partly, held[1], held[2])
    return total


def labelled(elements: Sequence[str], distances: Sequence[float], order: int) -> list[Cluster]:
    """Return the clusters of given distances with all elements but the last.

    A triplet is given by its elements and what lies opposite to each, in any order.
    """
    active = elements[:-1]
    if order == 2:
        return [Cluster(pair, (distances[0],)) for pair in combinations_with_replacement(active, 2)]
    found: dict[tuple[tuple[float, str], ...], Cluster] = {}
    for a in active:
        for b in active:
            for c in active:
                key = tuple(sorted(zip(distances, (a, b, c), strict=True)))
                cluster = Cluster(tuple(s for _, s in key), tuple(d for d, _ in key))
                found.setdefault(key, cluster)
    return list(found.values())
