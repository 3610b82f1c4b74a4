"""What a library says of one compound, and of all compounds of one anonymous formula."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element
from nucleate.crystal.symmetry import space_group_symbol
from nucleate.library.entries import UNKNOWN_ENERGY
from nucleate.library.labels import automorphisms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.library.labels import Protostructure

_HULL_SCALE = 50.0
_UNKNOWN_WEIGHT = 0.7
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True, slots=True)
class Entry:
    """A known compound.

    Attributes
    ----------
    name : str
        Its identifier in its source, for example ``mp-4163``.
    formula : str
        Reduced formula.
    proto : Protostructure
    elements : tuple of int
        Atomic number in each slot of the protostructure.
    above_hull : float or None
        eV/atom, where known.
    in_icsd : bool or None
        Whether it is in the ICSD, where known.
    """

    name: str
    formula: str
    proto: Protostructure
    elements: tuple[int, ...]
    above_hull: float | None
    in_icsd: bool | None

    @property
    def space_group(self) -> str:
        """Short Hermann-Mauguin symbol."""
        return space_group_symbol(self.proto.number)


@dataclass(frozen=True, eq=False)
class Group:
    """All entries of one anonymous formula.

    Attributes
    ----------
    first : int
        Number of its first entry in the library.
    prototypes : list of Protostructure
    starts : ndarray of int64, shape (n_prototypes + 1,)
        First entry of each prototype within the group.
    elements : ndarray of uint8, shape (n_entries, n_slots)
        Elements in the slots; the slots of all prototypes have the same ascending counts.
    weights : ndarray of float64, shape (n_entries,)
        exp(-energy above the hull / 50 meV/atom), at least 0.02; 0.7 where not known.
    """

    first: int
    prototypes: list[Protostructure]
    starts: NDArray[np.int64]
    elements: NDArray[np.uint8]
    weights: NDArray[np.float64]

    @cached_property
    def n_atoms(self) -> NDArray[np.int64]:
        """Atoms in the primitive cell of each prototype."""
        return np.array([proto.n_atoms for proto in self.prototypes], dtype=np.int64)

    @cached_property
    def sizes(self) -> frozenset[int]:
        """Atoms in the primitive cells of its prototypes."""
        return frozenset(self.n_atoms.tolist())

    @cached_property
    def symmetric(self) -> list[tuple[int, tuple[tuple[int, ...], ...]]]:
        """The prototypes in which another origin or other axes exchange slots, and how."""
        found = ((k, automorphisms(proto)) for k, proto in enumerate(self.prototypes))
        return [(k, autos) for k, autos in found if len(autos) > 1]


def hull_weights(above_hull: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the weights in the vote for energies above the hull in meV/atom."""
    energy = above_hull.astype(np.float64)
    weights = np.clip(np.exp(-np.clip(energy, 0.0, None) / _HULL_SCALE), _LEAST_WEIGHT, None)
    return np.where(above_hull == UNKNOWN_ENERGY, _UNKNOWN_WEIGHT, weights)


def formula_of(elements: tuple[int, ...], counts: tuple[int, ...]) -> str:
    """Return the reduced formula, the least electronegative element first."""
    order = sorted(
        range(len(elements)), key=lambda k: element(elements[k]).electronegativity or 1.2
    )
    return "".join(
        f"{element(elements[k]).symbol}{counts[k] if counts[k] > 1 else ''}" for k in order
    )
