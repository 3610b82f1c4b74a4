"""The distinct minima from which moves start."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.symmetry import standardised
from nucleate.search.proposals import Parent

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.search.record import Record

    Place = tuple[int, float, int]
    """Tier, counted downwards from 0, enthalpy in eV/atom, number."""

RANK_SCALE = 6.0
"""Ranks over which the chance of a minimum to be a parent falls by e."""

CHILDREN_SCALE = 10.0
"""Children after which the chance of a minimum to be a parent has fallen by half."""

LAST_RANK = 400
"""Ranks beyond this have a chance below 1e-28 and are left out."""

SYMPREC = 0.03
"""Å; parents found in a supercell continue in the primitive cell that this tolerance gives."""


class Minima:
    """The distinct minima found so far, the low ones more often, those with many children less.

    The chance of a minimum is proportional to ``exp(-r / RANK_SCALE) / (1 + c / CHILDREN_SCALE)``,
    where r is its rank by enthalpy per atom among the minima that are small enough for the trial
    (those that reached a higher tier come first) and c the number of its children so far. Ranks
    need no temperature: they suit a composition whose minima lie 1 meV/atom apart as well as one
    where it is 100.

    Of each size only the `LAST_RANK` lowest are kept: the others can never be picked.

    Parameters
    ----------
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    atoms_per_unit : int
        Atoms in a formula unit.
    """

    def __init__(self, tiers: tuple[str, ...], atoms_per_unit: int) -> None:
        self._tiers = tiers
        self._atoms_per_unit = atoms_per_unit
        self._order: dict[int, list[Place]] = {}  # by formula units of the primitive cell
        self._relaxed: dict[int, Crystal] = {}
        self._primitive: dict[int, Crystal] = {}
        self._children: Counter[int] = Counter()

    @property
    def lowest(self) -> int | None:
        """Number of the lowest minimum."""
        return min((order[0] for order in self._order.values()), default=(0, 0.0, None))[2]

    def pick(self, most_units: int | None, *, rng: np.random.Generator) -> Parent | None:
        """Return a minimum of at most ``most_units`` formula units; None if there is none."""
        fitting = chain.from_iterable(
            order
            for units, order in self._order.items()
            if most_units is None or units <= most_units
        )
        numbers = [number for _, _, number in sorted(fitting)[:LAST_RANK]]  # of a few sorted runs
        if not numbers:
            return None
        children = np.array([self._children.get(number, 0) for number in numbers])
        weights = np.exp(-np.arange(len(numbers)) / RANK_SCALE) / (1 + children / CHILDREN_SCALE)
        number = numbers[rng.choice(len(numbers), p=weights / weights.sum())]
        return Parent(number, self._crystal(number))

    def note_child(self, number: int) -> None:
        """Count a child."""
        self._children[number] += 1

    def add(self, record: Record, *, n_primitive: int = 0) -> int:
        """Add a new minimum.

        Parameters
        ----------
        record
            The record.
        n_primitive
            Atoms in its primitive cell, where that is known from before.

        Returns
        -------
        int
            Atoms in its primitive cell; 0 if the record has no energy.
        """
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return 0
        number = record.number
        self._relaxed[number] = relaxed.crystal
        n_atoms = n_primitive or self._crystal(number).n_atoms
        order = self._order.setdefault(-(-n_atoms // self._atoms_per_unit), [])
        insort(order, (-self._tiers.index(tier), relaxed.enthalpy_per_atom, number))
        if len(order) > LAST_RANK:
            _, _, last = order.pop()
            self._relaxed.pop(last, None)
            self._primitive.pop(last, None)
        return n_atoms

    def _crystal(self, number: int) -> Crystal:
        """Return the primitive cell of a minimum, found when it is first needed."""
        if number not in self._primitive:
            crystal = self._relaxed.pop(number)
            self._primitive[number] = standardised(crystal, SYMPREC) or reduced_cell(crystal)
        return self._primitive[number]
