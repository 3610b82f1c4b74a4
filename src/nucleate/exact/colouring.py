"""Every decoration of a supercell by a cluster expansion, one by one.

The energy is a polynomial of third order in variables that say which element is on a site. It
is put together from neighbours in the parent lattice, by whole numbers alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product
from math import lgamma
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.exact.expansion import Cluster, ClusterExpansion

_CHUNK = 2_000_000
_EQUAL = 1e-9
"""Relative; energies that differ by less are those of images."""


@dataclass(frozen=True, slots=True, eq=False)
class Polynomial:
    """Energy of a supercell; a variable is site x (number of elements - 1) + element.

    Attributes
    ----------
    constant : float
        eV per cell.
    linear, quadratic, cubic : ndarray of float64
        The last two are used where indices fall.
    """

    constant: float
    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]
    cubic: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Colourings:
    """The lowest decorations of a supercell.

    Attributes
    ----------
    complete : bool
        Whether every decoration was looked at.
    energies : ndarray of float64, shape (n_found,)
        eV per cell, lowest first.
    colours : ndarray of int64, shape (n_found, n_sites)
        Index of the element on each site; no two are images of each other.
    steps : int
        Atoms placed.
    seconds : float
        Wall time.
    """

    complete: bool
    energies: NDArray[np.float64]
    colours: NDArray[np.int64]
    steps: int
    seconds: float


def count_colourings(counts: NDArray[np.int64]) -> float:
    """Return how many decorations have these numbers of atoms."""
    logarithm = lgamma(counts.sum() + 1) - sum(lgamma(n + 1) for n in counts)
    return float(np.rint(np.exp(logarithm)) if logarithm < 30 else np.exp(logarithm))


class Star:
    """The clusters of an expansion that hold a site of the parent cell, by whole numbers.

    Parameters
    ----------
    expansion
        Energies of clusters.
    parent
        Primitive cell of the lattice; its atoms are the sites.
    """

    def __init__(self, expansion: ClusterExpansion, parent: Crystal) -> None:
        self._kinds, self._basis = len(expansion.elements) - 1, parent.n_atoms
        self._constant = 0.0
        found: dict[int, list[list[float]]] = {1: [], 2: [], 3: []}
        near = _Neighbours(expansion, parent)
        for cluster in expansion.clusters:
            if not cluster.elements:
                self._constant = cluster.energy
                continue
            for corners, weight in near.around(cluster):
                for labels in near.labels(cluster, corners):
                    row = [x for (b, shift), k in zip(corners, labels, strict=True)
                           for x in (b, k, *shift)]  # fmt: skip
                    found[len(corners)].append([*row, weight * cluster.energy])
        self._rows = [np.array(rows) for rows in found.values() if rows]

    def polynomial(self, form: NDArray[np.int64]) -> Polynomial:
        """Return the energy of a supercell, whose rows are in the vectors of the parent.

        The form is that of Hermite.
        """
        cells = np.array(list(product(*(range(int(form[k, k])) for k in range(3)))))
        n = len(cells) * self._basis * self._kinds
        sums = Polynomial(
            self._constant * len(cells) * self._basis,
            np.zeros(n), np.zeros((n, n)), np.zeros((n, n, n)),
        )  # fmt: skip
        for rows in self._rows:
            corners = rows[:, :-1].astype(np.int64).reshape(len(rows), -1, 5)
            places = (corners[:, None, :, 2:] + cells[None, :, None, :]).reshape(-1, 3)
            site = _index(places, form).reshape(len(rows), len(cells), -1) * self._basis
            site += corners[:, None, :, 0]
            variable = site * self._kinds + corners[:, None, :, 1]
            energy = np.repeat(rows[:, -1], len(cells))
            _add(sums, variable.reshape(energy.size, -1), energy, self._kinds)
        return sums


Corner = tuple[int, tuple[int, int, int]]
"""A site: its place in the parent cell, and the cell."""


class _Neighbours:
    """Neighbours of the sites of the parent cell."""

    def __init__(self, expansion: ClusterExpansion, parent: Crystal) -> None:
        self._parent = parent
        self._elements = expansion.elements
        self._unit = expansion.nearest * parent.volume_per_atom ** (1.0 / 3.0)
        reach = max((d for c in expansion.clusters for d in c.distances), default=0.0)
        heights = abs(np.linalg.det(parent.cell)) / np.linalg.norm(
            np.cross(np.roll(parent.cell, -1, axis=0), np.roll(parent.cell, -2, axis=0)), axis=1
        )
        most = np.ceil((reach + 0.01) * self._unit / heights).astype(int) + 1
        steps = np.array(list(product(*(range(-m, m + 1) for m in most))))
        self._near: list[list[Corner]] = []
        for a in range(parent.n_atoms):
            found: list[Corner] = []
            for b in range(parent.n_atoms):
                gap = (parent.scaled[b] + steps - parent.scaled[a]) @ parent.cell
                length = np.linalg.norm(gap, axis=1) / self._unit
                inside = (length > 1e-6) & (length < reach + 0.01)
                found += [(b, (int(x), int(y), int(z))) for x, y, z in steps[inside]]
            self._near.append(found)

    def length(self, first: Corner, second: Corner) -> float:
        """Return a distance in that of nearest neighbours."""
        scaled = self._parent.scaled
        gap = scaled[first[0]] + np.array(first[1]) - scaled[second[0]] - np.array(second[1])
        return float(np.linalg.norm(gap @ self._parent.cell)) / self._unit

    def around(self, cluster: Cluster) -> list[tuple[tuple[Corner, ...], float]]:
        """Return the sites of clusters of this shape that hold a site of the parent cell."""
        found: list[tuple[tuple[Corner, ...], float]] = []
        wanted = sorted(cluster.distances)
        for a in range(self._parent.n_atoms):
            head: Corner = (a, (0, 0, 0))
            if len(cluster.elements) == 1:
                found.append(((head,), 1.0))
                continue
            near = [(s, self.length(head, s)) for s in self._near[a]]
            near = [(s, d) for s, d in near if any(abs(d - w) < 0.005 for w in wanted)]
            if len(cluster.elements) == 2:
                found += [((head, s), 0.5) for s, _ in near]
                continue
            for k, (second, d) in enumerate(near):
                for third, e in near[:k]:
                    sides = sorted((d, e, self.length(second, third)))
                    if all(abs(x - w) < 0.005 for x, w in zip(sides, wanted, strict=True)):
                        found.append(((head, second, third), 1.0 / 3.0))
        return found

    def labels(self, cluster: Cluster, corners: tuple[Corner, ...]) -> list[tuple[int, ...]]:
        """Return the elements that corners may hold to be this cluster, each way once."""
        kinds = tuple(self._elements.index(symbol) for symbol in cluster.elements)
        if len(kinds) < 3:
            return list({kinds, kinds[::-1]})
        a, b, c = corners
        opposite = self.length(b, c), self.length(a, c), self.length(a, b)
        wanted = _sorted(cluster.distances, kinds)
        ways = product(sorted(set(kinds)), repeat=3)
        return [labels for labels in ways if _sorted(opposite, labels) == wanted]


def _sorted(sides: Sequence[float], kinds: Sequence[int]) -> list[tuple[float, int]]:
    return sorted((round(d, 2), k) for d, k in zip(sides, kinds, strict=True))


def _index(cells: NDArray[np.int64], form: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of cells of the parent among those of a supercell."""
    left = cells.copy()
    for k in (2, 1, 0):
        left -= (left[:, k] // form[k, k])[:, None] * form[k]
    return (left[:, 0] * form[1, 1] + left[:, 1]) * form[2, 2] + left[:, 2]


def _add(
    sums: Polynomial, variables: NDArray[np.int64], energy: NDArray[np.float64], kinds: int
) -> None:
    """Add clusters, the rows, to the sums; a site that occurs twice holds one element."""
    ordered = np.sort(variables, axis=1)[:, ::-1]
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    one_each = ((ordered[:, 1:] // kinds != ordered[:, :-1] // kinds) | ~new[:, 1:]).all(axis=1)
    size = new.sum(axis=1)
    for order, target in enumerate((sums.linear, sums.quadratic, sums.cubic), 1):
        rows = one_each & (size == order)
        used = ordered[rows][new[rows]].reshape(-1, order)
        np.add.at(target, tuple(used.T), energy[rows])


def lowest_colourings(
    energy: Polynomial,
    counts: NDArray[np.int64],
    images: NDArray[np.int64],
    *,
    keep: int,
    seconds: float,
) -> Colourings:
    """Return the lowest decorations by looking at every one.

    Parameters
    ----------
    energy
        Of the supercell.
    counts
        Atoms of each element.
    images
        How symmetry permutes the sites, shape (n_symmetries, n_sites).
    keep
        How many to return.
    seconds
        Wall time after which to give up.
    """
    begun = time.perf_counter()
    n = images.shape[1]
    top, sets = np.full(keep, np.inf), np.zeros((keep, n), dtype=np.int64)
    state, held = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    partial, left = np.zeros(n + 1), counts.copy()
    at = np.zeros(2, dtype=np.int64)  # depth, steps
    complete = False
    while not complete and time.perf_counter() - begun < seconds:
        complete = bool(
            _walk(energy.linear, energy.quadratic, energy.cubic, images, left, state, held,
                  partial, at, top, sets, _CHUNK)
        )  # fmt: skip
    found = np.isfinite(top)
    return Colourings(
        complete, top[found] + energy.constant, sets[found], int(at[1]),
        time.perf_counter() - begun,
    )  # fmt: skip


@njit(cache=True)
def _walk(
    linear, quadratic, cubic, images, left, state, held, partial, at, top, sets, budget
):  # fmt: skip
    """Continue through the elements of the sites, one after another; True at the end."""
    n, n_kinds = state.size, left.size
    active = n_kinds - 1
    depth = at[0]
    end = at[1] + budget
    while at[1] < end:
        at[1] += 1
        if held[depth] >= 0:
            left[held[depth]] += 1
            held[depth] = -1
        state[depth] += 1
        k = state[depth]
        if k == n_kinds:
            state[depth] = -1
            if depth == 0:
                return True
            depth -= 1
            continue
        if left[k] == 0:
            continue
        left[k] -= 1
        held[depth] = k
        value = partial[depth]
        if k < active:
            value += _added(depth * active + k, depth, held, active, linear, quadratic, cubic)
        if depth == n - 1:
            if value < top[-1] - _EQUAL * (1.0 + abs(value)):
                _keep(value, held, images, top, sets)
            continue
        depth += 1
        partial[depth] = value
    at[0] = depth
    return False


@njit(cache=True)
def _added(u, depth, held, active, linear, quadratic, cubic):
    """Return what an atom adds to those on the sites before."""
    value = linear[u]
    for e in range(depth):
        if held[e] < active:
            v = e * active + held[e]
            value += quadratic[u, v]
            for f in range(e):
                if held[f] < active:
                    value += cubic[u, v, f * active + held[f]]
    return value


@njit(cache=True)
def _keep(value, held, images, top, sets):
    """Put a decoration among the lowest, unless it is the image of one among them."""
    n = held.size
    first = held.copy()
    for m in range(images.shape[0]):
        for s in range(n):
            x = held[images[m, s]]
            if x < first[s]:
                for t in range(n):
                    first[t] = held[images[m, t]]
                break
            if x > first[s]:
                break
    for k in range(top.size):
        if top[k] < np.inf:
            same = True
            for s in range(n):
                if sets[k, s] != first[s]:
                    same = False
                    break
            if same:
                return
    slot = top.size - 1
    while slot > 0 and top[slot - 1] > value:
        top[slot] = top[slot - 1]
        sets[slot] = sets[slot - 1]
        slot -= 1
    top[slot] = value
    sets[slot] = first
