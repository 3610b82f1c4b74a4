"""The individuals that breed: the lowest of every niche, in cells of any size."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distances
from nucleate.crystal.symmetry import standardised
from nucleate.search.proposals import Parent

if TYPE_CHECKING:
    from nucleate.search.record import Record

    Place = tuple[int, float, int]
    """Tier, counted downwards from 0, enthalpy in eV/atom, number."""

SYMPREC = 0.03
"""Å; individuals breed in the primitive cell that this tolerance gives."""

KEPT_PER_PLACE = 6
"""Individuals of each size that are remembered for each place of the pool."""


@dataclass(frozen=True, slots=True)
class _Individual:
    parent: Parent
    units: int
    near: frozenset[int]  # numbers of those of the same niche


class GenePool:
    """The distinct minima from which an evolutionary search takes its parents.

    Of the individuals that fit a trial in size, the lowest are taken one after the other; one that
    is nearer to a lower one than ``niche_distance`` is passed over, and so is one that has had
    ``most_children`` children, unless it is among the ``elites`` lowest. The first ``size`` breed.

    Parameters
    ----------
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    atoms_per_unit : int
        Atoms in a formula unit.
    size, elites, most_children : int
        See above.
    niche_distance : float
        Of fingerprints.
    """

    def __init__(
        self,
        tiers: tuple[str, ...],
        atoms_per_unit: int,
        *,
        size: int,
        elites: int,
        most_children: int,
        niche_distance: float,
    ) -> None:
        self._tiers = tiers
        self._atoms_per_unit = atoms_per_unit
        self._size = size
        self._elites = elites
        self._most_children = most_children
        self._niche = niche_distance
        self._order: list[Place] = []
        self._members: dict[int, _Individual] = {}
        self._prints: dict[int, np.ndarray] = {}
        self._children: Counter[int] = Counter()
        self._ended: Counter[int] = Counter()

    @property
    def lowest(self) -> int | None:
        """Number of the lowest individual."""
        return self._order[0][2] if self._order else None

    def note_child(self, number: int) -> None:
        """Count a child that was asked for."""
        self._children[number] += 1

    def note_ended(self, number: int) -> None:
        """Count a child whose record is known."""
        self._ended[number] += 1

    def add(self, record: Record) -> bool:
        """Add a new minimum; return whether it breeds now, among all of its size or less.

        Of the children only those whose records are known count here, so that the answer follows
        from the records in their order, whatever was under way: an interrupted run repeats it.
        """
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return False
        number = record.number
        crystal = standardised(relaxed.crystal, SYMPREC) or reduced_cell(relaxed.crystal)
        units = -(-crystal.n_atoms // self._atoms_per_unit)
        print_ = fingerprint(crystal)
        self._members[number] = _Individual(
            Parent(number, crystal), units, frozenset(self._near(print_))
        )
        self._prints[number] = print_
        insort(self._order, (-self._tiers.index(tier), relaxed.enthalpy_per_atom, number))
        self._forget(units)
        return number in self._members and number in {
            parent.number for parent in self._breeding(None, self._ended)
        }

    def breeding(self, most_units: int | None) -> list[Parent]:
        """Return those of at most this number of formula units that breed, the lowest first."""
        return self._breeding(most_units, self._children)

    def _breeding(self, most_units: int | None, children: Counter[int]) -> list[Parent]:
        chosen: list[Parent] = []
        taken: set[int] = set()
        for _, _, number in self._order:
            member = self._members[number]
            if most_units is not None and member.units > most_units:
                continue
            if member.near & taken or any(number in self._members[k].near for k in taken):
                continue
            is_elite = len(chosen) < self._elites
            if not is_elite and children[number] >= self._most_children:
                continue
            chosen.append(member.parent)
            taken.add(number)
            if len(chosen) == self._size:
                break
        return chosen

    def _near(self, print_: np.ndarray) -> list[int]:
        if not self._prints:
            return []
        numbers = list(self._prints)
        distances = fingerprint_distances(print_, np.stack([self._prints[k] for k in numbers]))
        return [k for k, distance in zip(numbers, distances, strict=True) if distance < self._niche]

    def _forget(self, units: int) -> None:
        """Forget the highest of a size where there are too many."""
        alike = [number for _, _, number in self._order if self._members[number].units == units]
        for number in alike[KEPT_PER_PLACE * self._size :]:
            del self._members[number], self._prints[number]
            self._order = [place for place in self._order if place[2] != number]
