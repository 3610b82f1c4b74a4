"""What the moves start from: the structure a walk stands on, or one of the lowest minima."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.symmetry import standardised

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.search.acceptance import Thermostat
    from nucleate.search.record import Record

RANK_SCALE = 6.0
"""Ranks over which the chance of a minimum to be a parent falls by e."""

CHILDREN_SCALE = 10.0
"""Children after which the chance of a minimum to be a parent has fallen by half."""

SYMPREC = 0.03
"""Å; parents found in a supercell go on in the primitive cell that this tolerance gives."""


@dataclass(frozen=True, slots=True)
class Parent:
    """A relaxed crystal to change.

    Attributes
    ----------
    number : int
        Of its record.
    crystal : Crystal
        In a reduced cell.
    """

    number: int
    crystal: Crystal


@dataclass(frozen=True, slots=True)
class News:
    """What there is to know of a finished record.

    Attributes
    ----------
    record : Record
        The record.
    is_best : bool
        It is the best structure so far.
    is_known : bool
        It repeats a known minimum.
    is_of_population : bool
        It belongs to the initial population.
    difference : float or None
        Its enthalpy less that of the structure the walk stands on, in eV/atom; None where they
        have no tier in common.
    """

    record: Record
    is_best: bool
    is_known: bool
    is_of_population: bool
    difference: float | None


class Parents(Protocol):
    """Where the moves start."""

    @property
    def current(self) -> int | None:
        """Number of the record that stands for the state of the search."""
        ...

    @property
    def balances_sizes(self) -> bool:
        """Whether every trial gets a limit of its size, so that no size takes all the work."""
        ...

    def pick(self, most_units: int | None, *, rng: np.random.Generator) -> Parent | None:
        """Return a parent of at most so many formula units, or None if there is none."""
        ...

    def note_child(self, number: int) -> None:
        """Take note of a trial that was drawn from a parent."""
        ...

    def tell(self, news: News, *, rng: np.random.Generator) -> bool:
        """Take note of a finished record; return whether moves start from it now."""
        ...


class Walk:
    """One structure after the other by the Metropolis rule, as in doi 10.1039/d4fd00094c.

    While the initial population is not complete the walk stands on its best.
    """

    balances_sizes = False

    def __init__(self, thermostat: Thermostat) -> None:
        self._thermostat = thermostat
        self._parent: Parent | None = None

    @property
    def current(self) -> int | None:
        """Number of the record that the walk stands on."""
        return None if self._parent is None else self._parent.number

    def pick(
        self,
        most_units: int | None,  # noqa: ARG002
        *,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Parent | None:
        """Return the structure that the walk stands on, whatever its size."""
        return self._parent

    def note_child(self, number: int) -> None:
        """Do nothing: the walk does not depend on what is in flight."""

    def tell(self, news: News, *, rng: np.random.Generator) -> bool:
        """Move on to a record if the rule says so."""
        if self._parent is None or news.is_of_population:
            accepted = news.is_best
            if accepted:
                self._thermostat.restore()
        else:
            difference = None if news.is_known else news.difference
            accepted = self._thermostat.accepts(difference, rng=rng)
        relaxed = news.record.relaxed
        if accepted and relaxed is not None:
            self._parent = Parent(news.record.number, reduced_cell(relaxed.crystal))
        return accepted


class Lowest:
    """The distinct minima found so far, the low ones more often, those with many children less.

    The chance of a minimum is proportional to ``exp(-r / RANK_SCALE) / (1 + c / CHILDREN_SCALE)``,
    where r is its rank by enthalpy per atom among the minima that are small enough for the trial
    (those that reached a higher tier come first) and c the number of its children so far. Ranks
    need no temperature: they suit a composition whose minima lie 1 meV/atom apart as well as one
    where it is 100.

    Parameters
    ----------
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    atoms_per_unit : int
        Atoms in a formula unit.
    """

    balances_sizes = True

    def __init__(self, tiers: tuple[str, ...], atoms_per_unit: int) -> None:
        self._tiers = tiers
        self._atoms_per_unit = atoms_per_unit
        self._order: list[tuple[int, float, int]] = []
        self._crystals: dict[int, Crystal] = {}  # primitive
        self._children: Counter[int] = Counter()

    @property
    def current(self) -> int | None:
        """Number of the lowest minimum."""
        return self._order[0][2] if self._order else None

    def pick(self, most_units: int | None, *, rng: np.random.Generator) -> Parent | None:
        """Return one of the minima of at most so many formula units; None if there is none."""
        numbers = [
            number
            for _, _, number in self._order
            if most_units is None
            or self._crystals[number].n_atoms <= most_units * self._atoms_per_unit
        ]
        if not numbers:
            return None
        children = np.array([self._children[number] for number in numbers])
        weights = np.exp(-np.arange(len(numbers)) / RANK_SCALE) / (1 + children / CHILDREN_SCALE)
        number = numbers[rng.choice(len(numbers), p=weights / weights.sum())]
        return Parent(number, self._crystals[number])

    def note_child(self, number: int) -> None:
        """Count a child."""
        self._children[number] += 1

    def tell(
        self,
        news: News,
        *,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> bool:
        """Add a new minimum."""
        record, relaxed = news.record, news.record.relaxed
        if news.is_known or relaxed is None or record.tier is None:
            return False
        place = (-self._tiers.index(record.tier), relaxed.enthalpy_per_atom, record.number)
        insort(self._order, place)
        primitive = standardised(relaxed.crystal, SYMPREC)
        self._crystals[record.number] = primitive or reduced_cell(relaxed.crystal)
        return True
