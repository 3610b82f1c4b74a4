"""Coordination of every site: the neighbours before the widest gap in the distances.

In a composition with anions, the neighbours of a cation are anions and the other way round;
otherwise every atom counts. The shell ends at the largest relative gap between consecutive
distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.elements import element
from nucleate.crystal.formula import counts_of
from nucleate.crystal.oxidation import guess_oxidation_states

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

LARGEST = 16
"""Neighbours of a site at most."""

SAME_DISTANCE = 0.03
"""Relative difference of distances of one shell that no gap may divide."""


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """An atom and its nearest neighbours.

    Attributes
    ----------
    neighbours : ndarray of int64, shape (n,)
        Atoms, the nearest first.
    vectors : ndarray of float64, shape (n, 3)
        From the atom to each of them, in Å.
    """

    neighbours: NDArray[np.int64]
    vectors: NDArray[np.float64]

    @property
    def number(self) -> int:
        """Coordination number."""
        return len(self.neighbours)

    @property
    def distances(self) -> NDArray[np.float64]:
        """Distances in Å, shape (n,)."""
        return np.linalg.norm(self.vectors, axis=1)


def coordination(crystal: Crystal) -> list[Site]:
    """Return the coordination of every atom.

    Parameters
    ----------
    crystal
        Any cell.

    Raises
    ------
    ValueError
        If the cell has no volume.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from nucleate import Crystal
    >>> [site.number for site in coordination(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)))]
    [6, 6]
    """
    charges = _charges(crystal)
    cutoff = 2.2 * max(crystal.volume_per_atom, 8.0) ** (1.0 / 3.0)
    first, second, shifts, distances = neighbour_pairs(crystal, cutoff)
    return [
        _site(crystal, atom, second[part], shifts[part], distances[part], charges)
        for atom, part in enumerate(_parts(first, crystal.n_atoms))
    ]


def _charges(crystal: Crystal) -> NDArray[np.int64]:
    """Return the sign of the charge of every atom; zeros where there are no anions."""
    states = guess_oxidation_states(tuple(counts_of(crystal.numbers).items()))
    if states is None:
        return np.zeros(crystal.n_atoms, dtype=np.int64)
    signs = {element(symbol).number: int(np.sign(state)) for symbol, state in states.items()}
    return np.array([signs[number] for number in crystal.numbers.tolist()])


def _parts(first: NDArray[np.int64], n_atoms: int) -> list[slice]:
    bounds = np.searchsorted(first, np.arange(n_atoms + 1))
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]


def _site(
    crystal: Crystal,
    atom: int,
    others: NDArray[np.int64],
    shifts: NDArray[np.int64],
    distances: NDArray[np.float64],
    charges: NDArray[np.int64],
) -> Site:
    partner = charges[others] != charges[atom] if charges[atom] else np.ones(len(others), bool)
    if not partner.any():
        partner[:] = True
    others, shifts, distances = others[partner], shifts[partner], distances[partner]
    order = np.argsort(distances, kind="stable")
    kept = order[: _shell(distances[order])]
    gaps = crystal.scaled[others[kept]] + shifts[kept] - crystal.scaled[atom]
    return Site(others[kept], gaps @ crystal.cell)


def _shell(distances: NDArray[np.float64]) -> int:
    """Return how many of the sorted distances belong to the first shell."""
    if len(distances) < 2:
        return len(distances)
    seen = distances[: LARGEST + 1]
    gaps = np.diff(seen) / seen[:-1]
    if gaps.max() < SAME_DISTANCE:
        return min(len(distances), LARGEST)
    return int(np.argmax(gaps)) + 1
