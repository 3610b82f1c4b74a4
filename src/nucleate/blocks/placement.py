"""Random placement of atoms on a set of sites, one after the other, under contact limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.blocks.distances import shortest_distances

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NO_SITE = -1
FREE = -1
CROWDED = 1e6


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
        self._room = own_image[None, :] / np.diagonal(self._limits)[:, None]

    @property
    def n_kinds(self) -> int:
        """Number of kinds of atoms."""
        return self._limits.shape[0]

    @property
    def distances(self) -> NDArray[np.float64]:
        """Shortest distances in Å between the sites, see :func:`.shortest_distances`."""
        return self._distances

    def copy(self) -> SiteBoard:
        """Return an independent board in the same state."""
        twin = object.__new__(SiteBoard)
        twin._limits, twin._distances = self._limits, self._distances
        twin.kinds, twin._room = self.kinds.copy(), self._room.copy()
        return twin

    def allowed(self, kind: int) -> NDArray[np.bool_]:
        """Return the free sites on which an atom of this kind breaks no limit."""
        return (self.kinds == FREE) & (self._room[kind] >= 1.0)

    def occupy(self, sites: ArrayLike, kinds: ArrayLike) -> None:
        """Put atoms on sites, whether or not the limits allow them there."""
        for site, kind in zip(np.atleast_1d(sites), np.atleast_1d(kinds), strict=True):
            self.kinds[site] = kind
            _narrow(site, kind, self._distances, self._limits, self._room)

    def block(self, site: int, kind: int) -> None:
        """Keep atoms as far from a site as if one of this kind stood there."""
        _narrow(site, kind, self._distances, self._limits, self._room)

    def fill(
        self,
        kinds: ArrayLike,
        *,
        rng: np.random.Generator,
        rank: NDArray[np.int64] | None = None,
        needs: NDArray[np.int64] | None = None,
        floor: float = 1.0,
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
        floor : float
            Below 1, an atom for which no site is left goes to the least crowded one, if its
            shortest distance there is at least this fraction of the limit.

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
            order, rng.random(order.size), rank, needs, floor,
            self._distances, self._limits, self.kinds, self._room,
        )  # fmt: skip
        return None if (sites == NO_SITE).any() else sites


@njit(cache=True)
def _narrow(
    site: int,
    kind: int,
    distances: NDArray[np.float64],
    limits: NDArray[np.float64],
    room: NDArray[np.float64],
) -> None:
    """Lower the room around a site for one atom more on it."""
    n_kinds, n_sites = room.shape
    for other in range(n_kinds):
        limit = limits[kind, other]
        if limit <= 0.0:
            continue
        for neighbour in range(n_sites):
            if neighbour != site:
                room[other, neighbour] = min(
                    room[other, neighbour], distances[site, neighbour] / limit
                )


@njit(cache=True)
def _fill(
    order: NDArray[np.int64],
    chance: NDArray[np.float64],
    rank: NDArray[np.int64],
    needs: NDArray[np.int64],
    floor: float,
    distances: NDArray[np.float64],
    limits: NDArray[np.float64],
    kinds: NDArray[np.int64],
    room: NDArray[np.float64],
) -> NDArray[np.int64]:
    n_sites = kinds.size
    sites = np.full(order.size, NO_SITE)
    candidates = np.empty(n_sites, dtype=np.int64)
    for turn in range(order.size):
        kind = order[turn]
        best = np.inf
        count = 0
        for site in range(n_sites):
            level = rank[kind, site]
            if kinds[site] != FREE or level < 0 or room[kind, site] < floor:
                continue
            if needs[site] != site and kinds[needs[site]] == FREE:
                continue
            cost = float(level)
            if room[kind, site] < 1.0:
                cost = CROWDED - room[kind, site]
            if cost < best:
                best = cost
                count = 0
            if cost == best:
                candidates[count] = site
                count += 1
        if count == 0:
            return sites
        site = candidates[int(chance[turn] * count)]
        sites[turn] = site
        kinds[site] = kind
        _narrow(site, kind, distances, limits, room)
    return sites
