"""What real crystals prefer: formula units, space groups, Wyckoff positions, cell shapes.

All numbers come from ``data/symmetric_prior.npz``, fitted on Materials Project structures (see
``data/README.md``). The model has three steps, each conditional on the one before:

* formula units: a table over their number times a table over the atoms in the cell;
* space group: a softmax over the groups that the composition fits, linear in features of the
  composition and in the exact count of weighted assignments, blended with how often structures of
  the same element counts were seen in each group;
* assignment: proportional to the product of the weights of its orbits, log-linear in the position,
  the element, and the element's role in the composition.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.generate.symmetric_cells import CellShapes
from nucleate.generate.wyckoff import N_SPACE_GROUPS, sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY_STRENGTH = 6.0
"""How many observed structures outweigh the parametric model of the space groups."""

_LEAST_LOG_SHARE = -600.0
"""Of a group that can hold the atoms, relative to the likeliest: small, but never 0."""

_USUAL_LOG_ATOMS = 2.7
_N_FAMILIES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """The Wyckoff positions of all space groups in one row of arrays.

    Attributes
    ----------
    start : ndarray of int64, shape (232,)
        Positions of group g are ``start[g]:start[g + 1]``.
    multiplicity, freedom : ndarray of int64, shape (n_positions,)
        In the primitive cell; number of free coordinates.
    fixed : ndarray of bool, shape (n_positions,)
        Whether there is no free coordinate.
    features : ndarray of float64, shape (n_positions, 4)
        What the preferences of elements act on: one-hot freedom 0, 1, 2 and the logarithm of the
        order of the site symmetry.
    """

    start: NDArray[np.int64]
    multiplicity: NDArray[np.int64]
    freedom: NDArray[np.int64]
    fixed: NDArray[np.bool_]
    features: NDArray[np.float64]

    def of(self, number: int) -> slice:
        """Return the slice of a space group."""
        return slice(int(self.start[number]), int(self.start[number + 1]))


@cache
def positions() -> Positions:
    """Return the Wyckoff positions of all space groups, group 1 first."""
    start = np.zeros(N_SPACE_GROUPS + 2, dtype=np.int64)
    multiplicity, freedom, order = [], [], []
    for number in range(1, N_SPACE_GROUPS + 1):
        found = sites(number)
        start[number + 1] = start[number] + len(found)
        multiplicity += [site.multiplicity for site in found]
        freedom += [site.freedom for site in found]
        order += [found[-1].multiplicity / site.multiplicity for site in found]
    degrees = np.array(freedom)
    features = np.column_stack([degrees == 0, degrees == 1, degrees == 2, np.log(order)])
    return Positions(
        start, np.array(multiplicity), degrees, degrees == 0, features.astype(np.float64)
    )


class SymmetricPrior:
    """The fitted preferences; :func:`load_prior` gives the one that is shipped.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        As written by ``scripts/symmetric_prior``.
    """

    def __init__(self, arrays: Any) -> None:
        self._elements = np.asarray(arrays["element_table"], dtype=np.float64)
        self._position_bias = np.asarray(arrays["position_bias"], dtype=np.float64)
        self._position_roles = np.asarray(arrays["position_roles"], dtype=np.float64)
        self._element_sites = np.asarray(arrays["element_sites"], dtype=np.float64)
        self._group_weights = np.asarray(arrays["group_weights"], dtype=np.float64)
        self._group_counting = np.asarray(arrays["group_counting"], dtype=np.float64)
        self._log_units = np.asarray(arrays["log_units"], dtype=np.float64)
        self._log_atoms = np.asarray(arrays["log_atoms"], dtype=np.float64)
        self.usual_contacts = np.asarray(arrays["usual_contacts"], dtype=np.float64)
        self.cells = CellShapes(arrays)
        self._memory = _read_memory(
            arrays["memory_counts"], arrays["memory_groups"], arrays["memory_seen"]
        )

    def role_features(
        self, numbers: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what each element is among the others, shape (n_elements, 4).

        Electronegativity relative to the mean, whether it is above or below the middle, radius
        relative to the mean (Å), and the logarithm of its relative share of the atoms.
        """
        negativity, radius, _ = self._elements[numbers].T
        middle = 0.5 * (negativity.max() + negativity.min())
        return np.column_stack(
            [
                negativity - negativity.mean(),
                np.tanh(3.0 * (negativity - middle)),
                radius - radius.mean(),
                np.log(counts / counts.sum() * counts.size),
            ]
        )

    def composition_features(
        self, numbers: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what the choice of a space group is linear in, shape (21,)."""
        negativity, radius, family = self._elements[numbers].T
        share = counts / counts.sum()
        size = np.log(counts.sum()) - _USUAL_LOG_ATOMS
        kinds = np.zeros(5)
        kinds[min(counts.size, 5) - 1] = 1.0
        families = np.bincount(family.astype(np.int64), weights=share, minlength=_N_FAMILIES)
        distinct = len(set(counts.tolist())) / counts.size
        return np.concatenate(
            [
                [1.0, size, size**2],
                kinds,
                [np.ptp(negativity), radius.std()],
                families,
                [share.max(), share.min(), distinct],
            ]
        )

    def formula_unit_shares(self, atoms_per_unit: int, units: tuple[int, ...]) -> NDArray[Any]:
        """Return the probability of each of the given numbers of formula units."""
        number = np.array(units)
        log_share = self._log_units[np.minimum(number, self._log_units.size - 1)] + np.interp(
            np.log(number * atoms_per_unit), self._log_atoms[0], self._log_atoms[1]
        )
        share = np.exp(log_share - log_share.max())
        return share / share.sum()

    def orbit_weights(
        self, numbers: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the weight of an orbit of each element on each position of all groups.

        Parameters
        ----------
        numbers, counts
            Atomic numbers and atoms in the primitive cell, shape (n_elements,).

        Returns
        -------
        ndarray of float64, shape (n_elements, 1731)
            Columns as in :func:`positions`.
        """
        scores = (
            self._position_bias
            + self._element_sites[numbers] @ positions().features.T
            + self.role_features(numbers, counts) @ self._position_roles.T
        )
        return np.exp(scores)

    def group_shares(
        self,
        numbers: NDArray[np.int64],
        counts: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the probability of each space group, shape (231,); 0 where nothing fits.

        Parameters
        ----------
        numbers, counts
            Atomic numbers and atoms in the primitive cell, shape (n_elements,).
        weights
            As :meth:`orbit_weights` returns.
        """
        from nucleate.generate.wyckoff_counting import log_totals

        places = positions()
        counting = log_totals(counts, places.multiplicity, places.freedom, places.start, weights)
        possible = np.isfinite(counting[0])
        if not possible.any():
            return np.zeros(N_SPACE_GROUPS + 1)
        score = self.composition_features(numbers, counts) @ self._group_weights
        score += np.sum(self._group_counting * np.where(possible, counting, 0.0), axis=0)
        score = np.maximum(score - score[possible].max(), _LEAST_LOG_SHARE)
        share = np.where(possible, np.exp(score), 0.0)
        share /= share.sum()
        seen = self._memory.get(tuple(sorted(counts.tolist())))
        if seen is not None:
            observed = np.where(possible, np.bincount(*seen, minlength=share.size), 0.0)
            share = (observed + MEMORY_STRENGTH * share) / (observed.sum() + MEMORY_STRENGTH)
        return share


@cache
def load_prior() -> SymmetricPrior:
    """Return the prior that is shipped with the package."""
    with (files("nucleate.generate") / "data" / "symmetric_prior.npz").open("rb") as stream:
        return SymmetricPrior(dict(np.load(stream)))


def _read_memory(
    keys: NDArray[np.uint8], groups: NDArray[np.uint8], seen: NDArray[np.float32]
) -> dict[tuple[int, ...], tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return the groups and how often each was seen, by the sorted counts of the elements.

    ``keys`` has one row per entry, sorted, padded on the right with zeros.
    """
    memory: dict[tuple[int, ...], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
    ends = np.flatnonzero(np.any(keys[1:] != keys[:-1], axis=1)) + 1
    for part in np.split(np.arange(len(keys)), ends):
        row = keys[part[0]]
        key = tuple(int(count) for count in row[row > 0])
        memory[key] = groups[part].astype(np.int64), seen[part].astype(np.float64)
    return memory
