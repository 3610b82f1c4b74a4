"""Random placement of atoms on a set of sites, one after the other, under contact limits."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NO_SITE = -1
FREE = -1


class SiteBoard:
    """Sites in a periodic cell, which atoms stand on them, and where more may stand.

    Parameters
    ----------
    scaled : array_like of float, shape (n_sites, 3)
        Fractional coordinates of the sites.
    cell : array_like of float, shape (3, 3)
        Rows are the lattice vectors in Å.
    limits : array_like of float, shape (n_kinds, n_kinds)
        Shortest distance in Å allowed between an atom of one kind and one of another, all
        periodic images included.

    Attributes
    ----------
    kinds : ndarray of int64, shape (n_sites,)
        The kind of atom on each site, ``FREE`` where there is none.
    """

    def __init__(self, scaled: ArrayLike, cell: ArrayLike, limits: ArrayLike) -> None:
        self._limits = np.ascontiguousarray(limits, dtype=np.float64)
        self._distances = shortest_distances(scaled, cell, float(self._limits.max()))
        n_sites = self._distances.shape[0]
        self.kinds = np.full(n_sites, FREE, dtype=np.int64)
        own_image = np.diagonal(self._distances)
        self._blocked = own_image[None, :] < np.diagonal(self._limits)[:, None]

    @property
    def n_kinds(self) -> int:
        """Number of kinds of atoms."""
        return self._limits.shape[0]

    @property
    def distances(self) -> NDArray[np.float64]:
        """Shortest distances in Å between the sites, see :func:`shortest_distances`."""
        return self._distances

    def copy(self) -> SiteBoard:
        """Return an independent board in the same state."""
        twin = object.__new__(SiteBoard)
        twin._limits, twin._distances = self._limits, self._distances
        twin.kinds, twin._blocked = self.kinds.copy(), self._blocked.copy()
        return twin

    def allowed(self, kind: int) -> NDArray[np.bool_]:
        """Return the free sites on which an atom of this kind breaks no limit."""
        return (self.kinds == FREE) & ~self._blocked[kind]

    def occupy(self, sites: ArrayLike, kinds: ArrayLike) -> None:
        """Put atoms on sites, whether or not the limits allow them there."""
        for site, kind in zip(np.atleast_1d(sites), np.atleast_1d(kinds), strict=True):
            self.kinds[site] = kind
            _block(site, kind, self._distances, self._limits, self._blocked)

    def block(self, site: int, kind: int) -> None:
        """Keep atoms as far from a site as if one of this kind stood there."""
        _block(site, kind, self._distances, self._limits, self._blocked)

    def fill(
        self,
        kinds: ArrayLike,
        *,
        rng: np.random.Generator,
        rank: NDArray[np.int64] | None = None,
        needs: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64] | None:
        """Put atoms one after the other, each on a random site of those allowed to it.

        Parameters
        ----------
        kinds : array_like of int, shape (n,)
            Kinds of the atoms in the order in which they are placed.
        rng : numpy.random.Generator
            The only source of randomness.
        rank : ndarray of int64, shape (n_kinds, n_sites), optional
            A site of lower rank is preferred; a negative rank forbids the site to the kind.
        needs : ndarray of int64, shape (n_sites,), optional
            A site is open only while the site it needs is occupied, or if it needs itself.

        Returns
        -------
        ndarray of int64, shape (n,), or None
            The site of each atom; None if one found no site, which leaves the board half filled.
        """
        order = np.asarray(kinds, dtype=np.int64)
        n_sites = self.kinds.size
        if rank is None:
            rank = np.zeros((self._limits.shape[0], n_sites), dtype=np.int64)
        if needs is None:
            needs = np.arange(n_sites)
        sites = _fill(
            order, rng.random(order.size), rank, needs,
            self._distances, self._limits, self.kinds, self._blocked,
        )  # fmt: skip
        return None if (sites == NO_SITE).any() else sites


def shortest_distances(scaled: ArrayLike, cell: ArrayLike, cutoff: float) -> NDArray[np.float64]:
    """Return the shortest periodic distances between points, right for any cell.

    Parameters
    ----------
    scaled : array_like of float, shape (n, 3)
        Fractional coordinates.
    cell : array_like of float, shape (3, 3)
        Rows are the lattice vectors in Å.
    cutoff : float
        Distances in Å beyond this are returned as infinity.

    Returns
    -------
    ndarray of float64, shape (n, n)
        In Å; on the diagonal the shortest distance of a point to its own images.
    """
    return _shortest_distances(
        np.ascontiguousarray(scaled, dtype=np.float64),
        np.ascontiguousarray(cell, dtype=np.float64),
        float(cutoff),
    )


@njit(cache=True)
def _shortest_distances(
    scaled: NDArray[np.float64], cell: NDArray[np.float64], cutoff: float
) -> NDArray[np.float64]:
    n = scaled.shape[0]
    inverse = np.linalg.inv(cell)
    reach = np.empty(3)
    for axis in range(3):
        reach[axis] = cutoff * np.sqrt(np.sum(inverse[:, axis] ** 2))
    shortest = np.full((n, n), np.inf)
    step = np.empty(3)
    for i in range(n):
        for j in range(i, n):
            best = cutoff * cutoff
            found = False
            for axis in range(3):
                step[axis] = scaled[j, axis] - scaled[i, axis]
            for u in range(ceil(-reach[0] - step[0]), floor(reach[0] - step[0]) + 1):
                for v in range(ceil(-reach[1] - step[1]), floor(reach[1] - step[1]) + 1):
                    for w in range(ceil(-reach[2] - step[2]), floor(reach[2] - step[2]) + 1):
                        if i == j and u == 0 and v == 0 and w == 0:
                            continue
                        squared = 0.0
                        for k in range(3):
                            length = (
                                (step[0] + u) * cell[0, k]
                                + (step[1] + v) * cell[1, k]
                                + (step[2] + w) * cell[2, k]
                            )
                            squared += length * length
                        if squared <= best:
                            best = squared
                            found = True
            if found:
                shortest[i, j] = shortest[j, i] = np.sqrt(best)
    return shortest


@njit(cache=True)
def _block(
    site: int,
    kind: int,
    distances: NDArray[np.float64],
    limits: NDArray[np.float64],
    blocked: NDArray[np.bool_],
) -> None:
    n_kinds, n_sites = blocked.shape
    for other in range(n_kinds):
        for neighbour in range(n_sites):
            if neighbour != site and distances[site, neighbour] < limits[kind, other]:
                blocked[other, neighbour] = True


@njit(cache=True)
def _fill(
    order: NDArray[np.int64],
    chance: NDArray[np.float64],
    rank: NDArray[np.int64],
    needs: NDArray[np.int64],
    distances: NDArray[np.float64],
    limits: NDArray[np.float64],
    kinds: NDArray[np.int64],
    blocked: NDArray[np.bool_],
) -> NDArray[np.int64]:
    n_sites = kinds.size
    sites = np.full(order.size, NO_SITE)
    candidates = np.empty(n_sites, dtype=np.int64)
    for turn in range(order.size):
        kind = order[turn]
        best = np.int64(1) << 62
        count = 0
        for site in range(n_sites):
            level = rank[kind, site]
            if kinds[site] != FREE or blocked[kind, site] or level < 0 or level > best:
                continue
            if needs[site] != site and kinds[needs[site]] == FREE:
                continue
            if level < best:
                best = level
                count = 0
            candidates[count] = site
            count += 1
        if count == 0:
            return sites
        site = candidates[int(chance[turn] * count)]
        sites[turn] = site
        kinds[site] = kind
        _block(site, kind, distances, limits, blocked)
    return sites
