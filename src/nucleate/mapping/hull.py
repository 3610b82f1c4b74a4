"""The convex hull of a field: which phases are stable, and how far the others are above them.

Every phase is a point whose coordinates are the shares of its atoms that come from each corner
(element or end member). Energies per atom are linear in these shares, so the hull is the lower
convex hull of the points, the highest convex function that lies on or below all of them: the
maximum over its facets of the plane through the corners of the facet. A plane is given by its
chemical potentials, one energy per atom for each corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nucleate.mapping.decomposition import Decomposition, decomposed
from nucleate.mapping.facets import candidates_of, lowest_mixtures, potentials_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

ON_HULL = 1e-8
"""eV/atom; a phase no higher above the hull is stable."""

_OUTSIDE = 1e-9


@dataclass(frozen=True, eq=False)
class Hull:
    """A convex hull; build it with :meth:`build`.

    Attributes
    ----------
    members : ndarray of int64, shape (n_members, n_elements)
        Atoms of each element in a formula unit of each corner.
    member_names : tuple of str
    counts : ndarray of float64, shape (n_phases, n_elements)
        Atoms of each element in the phases.
    energies : ndarray of float64, shape (n_phases,)
        eV/atom.
    names : tuple of str
        Of the phases.
    reference : ndarray of float64, shape (n_members,)
        Energy per atom of the lowest phase at each corner; NaN where there is none.
    """

    members: NDArray[np.int64]
    member_names: tuple[str, ...]
    counts: NDArray[np.float64]
    energies: NDArray[np.float64]
    names: tuple[str, ...]
    reference: NDArray[np.float64]

    @classmethod
    def build(
        cls,
        members: ArrayLike,
        member_names: Sequence[str],
        counts: ArrayLike,
        energies: ArrayLike,
        names: Sequence[str] | None = None,
    ) -> Hull:
        """Return the hull of phases.

        Parameters
        ----------
        members
            Atoms of each element in a formula unit of each corner, (n_members, n_elements); the
            identity for a field of elements.
        member_names
            Of the corners.
        counts
            Atoms of each element in each phase, (n_phases, n_elements); any number of formula
            units.
        energies
            eV/atom.
        names
            Of the phases; their place by default.

        Raises
        ------
        ValueError
            If shapes do not fit, an energy is not finite, or a phase is outside the field.
        """
        table = np.asarray(members, dtype=np.int64)
        amounts = np.asarray(counts, dtype=np.float64).reshape(-1, table.shape[1])
        values = np.asarray(energies, dtype=np.float64).reshape(-1)
        names = tuple(map(str, range(len(values)))) if names is None else tuple(names)
        if len(amounts) != len(values) or len(names) != len(values):
            raise ValueError(
                f"{len(amounts)} compositions, {len(values)} energies and {len(names)} names"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"the energy of {names[np.argmin(np.isfinite(values))]} is not finite")
        shares = shares_of(amounts, table)
        reference = np.full(len(table), np.nan)
        for corner in range(len(table)):
            own = values[shares[:, corner] > 1.0 - _OUTSIDE]
            if own.size:
                reference[corner] = own.min()
        return cls(table, tuple(member_names), amounts, values, names, reference)

    @property
    def missing(self) -> tuple[str, ...]:
        """Corners without any phase; there are no formation energies then, and no hull."""
        absent = np.isnan(self.reference)
        return tuple(name for name, no in zip(self.member_names, absent, strict=True) if no)

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Share of the atoms of each phase that each corner gives, (n_phases, n_members)."""
        return shares_of(self.counts, self.members)

    @cached_property
    def formation(self) -> NDArray[np.float64]:
        """Formation energies of the phases in eV/atom, NaN where a corner is missing."""
        return self.formation_of(self.counts, self.energies)

    @cached_property
    def potentials(self) -> NDArray[np.float64]:
        """Chemical potentials of the facets relative to the corners, (n_facets, n_members).

        eV per atom. Empty where a corner is missing; where the phases are too nearly flat for
        facets, the one plane below all of them.
        """
        if self._planes is not None:
            return self._planes
        lowest = 0.0 if self.missing else self.formation.min()
        return np.full((0 if self.missing else 1, len(self.members)), lowest)

    @cached_property
    def _planes(self) -> NDArray[np.float64] | None:
        return None if self.missing else potentials_of(self.shares, self.formation)

    def formation_of(self, counts: ArrayLike, energies: ArrayLike) -> NDArray[np.float64]:
        """Return formation energies in eV/atom.

        Parameters
        ----------
        counts
            Atoms of each element, shape (..., n_elements).
        energies
            eV/atom, shape (...).
        """
        shares = shares_of(np.atleast_2d(np.asarray(counts, dtype=np.float64)), self.members)
        with np.errstate(invalid="ignore"):
            terms = np.where(shares > 0.0, shares * self.reference, 0.0)
        base = terms.sum(axis=1).reshape(np.shape(energies))
        return np.asarray(energies, dtype=np.float64) - base

    def energy_at(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Return the formation energy of the hull in eV/atom at compositions, (n, n_elements).

        NaN where a corner is missing.
        """
        shares = shares_of(np.atleast_2d(np.asarray(counts, dtype=np.float64)), self.members)
        return self.at_shares(shares)

    def at_shares(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the formation energy of the hull in eV/atom, for shares (n, n_members)."""
        if self.missing:
            return np.full(len(shares), np.nan)
        if self._planes is None:
            return lowest_mixtures(shares, *candidates_of(self.shares, self.formation))
        return (shares @ self._planes.T).max(axis=1)

    def above(self, counts: ArrayLike, energies: ArrayLike) -> NDArray[np.float64]:
        """Return energies above the hull in eV/atom; below 0 for what would change the hull.

        Parameters
        ----------
        counts
            Atoms of each element, (n, n_elements).
        energies
            eV/atom, shape (n,).

        Returns
        -------
        ndarray of float64, shape (n,)
            NaN where a corner is missing.
        """
        values = np.atleast_1d(np.asarray(energies, dtype=np.float64))
        return self.formation_of(np.atleast_2d(counts), values) - self.energy_at(counts)

    @cached_property
    def above_hull(self) -> NDArray[np.float64]:
        """Energies above the hull of its own phases, in eV/atom."""
        return np.maximum(self.above(self.counts, self.energies), 0.0)

    @cached_property
    def vertices(self) -> tuple[int, ...]:
        """The stable phases: the lowest of each composition that is on the hull.

        A phase on a tie line between others is one as well.
        """
        if self.missing:
            return ()
        best: dict[tuple[float, ...], int] = {}
        for place in np.argsort(self.energies, kind="stable").tolist():
            if self.above_hull[place] <= ON_HULL:
                best.setdefault(tuple(np.round(self.shares[place], 9).tolist()), place)
        return tuple(sorted(best.values()))

    def decompose(self, counts: ArrayLike) -> Decomposition:
        """Return into which stable phases a composition decomposes.

        Parameters
        ----------
        counts
            Atoms of each element, shape (n_elements,).

        Raises
        ------
        ValueError
            If a corner is missing, or the composition is outside the field.
        """
        return self._decomposed(counts, self.vertices)

    def competitors(self, place: int) -> Decomposition:
        """Return into which other compositions a phase decomposes, as if it did not exist.

        Its energy relative to them is below 0 for a stable phase. None of its own composition
        takes part.

        Raises
        ------
        ValueError
            If a corner is missing, or the phase is one.
        """
        own = np.abs(self.shares - self.shares[place]).max(axis=1) < _OUTSIDE
        if np.isclose(self.shares[place].max(), 1.0):
            raise ValueError(f"{self.names[place]} is a corner of the field and has no competitors")
        others = Hull.build(
            self.members,
            self.member_names,
            self.counts[~own],
            self.energies[~own],
            [name for name, no in zip(self.names, own, strict=True) if not no],
        )
        return others.decompose(self.counts[place])

    def _decomposed(self, counts: ArrayLike, vertices: Sequence[int]) -> Decomposition:
        if self.missing:
            raise ValueError(f"there is no hull without {', '.join(self.missing)}")
        amounts = np.asarray(counts, dtype=np.float64)
        chosen = list(vertices)
        return decomposed(
            amounts,
            shares_of(amounts[None], self.members)[0],
            self.shares[chosen],
            self.formation[chosen],
            self.counts[chosen],
            [self.names[k] for k in chosen],
            chosen,
        )


def shares_of(counts: NDArray[np.float64], members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of atoms that each corner gives to compositions.

    Parameters
    ----------
    counts
        Atoms of each element, (n, n_elements).
    members
        Those of the corners, (n_members, n_elements).

    Returns
    -------
    ndarray of float64, shape (n, n_members)
        Rows add up to 1.

    Raises
    ------
    ValueError
        If a composition is no mixture of the corners.
    """
    fractions = counts / counts.sum(axis=1, keepdims=True)
    sizes = members.sum(axis=1)
    table = (members / sizes[:, None]).T
    if table.shape[0] == table.shape[1] and np.array_equal(table, np.eye(len(table))):
        return fractions
    shares = np.linalg.lstsq(table, fractions.T, rcond=None)[0].T
    wrong = np.abs(shares @ table.T - fractions).max(axis=1) > _OUTSIDE
    wrong |= shares.min(axis=1) < -_OUTSIDE
    if wrong.any():
        raise ValueError(f"counts {counts[wrong][0].tolist()} are no mixture of the corners")
    shares[np.abs(shares) < 1e-12] = 0.0
    return shares
