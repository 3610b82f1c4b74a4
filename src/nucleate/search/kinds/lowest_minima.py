"""Children of the lowest distinct minima, in cells of all sizes."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.symmetry import standardised
from nucleate.search.drawn import DrawnSearch
from nucleate.search.proposals import Parent, Proposals
from nucleate.search.settings import MovingSettings

if TYPE_CHECKING:
    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.crystal import Crystal
    from nucleate.search.context import SearchContext
    from nucleate.search.record import Record
    from nucleate.search.search import Trial

RANK_SCALE = 6.0
"""Ranks over which the chance of a minimum to be a parent falls by e."""

CHILDREN_SCALE = 10.0
"""Children after which the chance of a minimum to be a parent has fallen by half."""

LAST_RANK = 400
"""Ranks beyond this have a chance below 1e-28 and are left out."""

SYMPREC = 0.03
"""Å; parents found in a supercell continue in the primitive cell that this tolerance gives."""


class LowestMinima(MovingSettings):
    """Moves start from the distinct minima found, low ones more often, at every size of the cell.

    Every trial draws an upper bound on its number of formula units, uniformly from the allowed
    values, so that no size takes all the work.
    """

    def build(self, context: SearchContext) -> LowestMinimaSearch:
        """Return the search."""
        return LowestMinimaSearch(self, context)


class LowestMinimaSearch(DrawnSearch):
    """Asks for new structures and for children of the lowest minima.

    Parameters
    ----------
    settings : LowestMinima
        Seed, population, moves.
    context : SearchContext
        What the run gives.
    """

    def __init__(self, settings: LowestMinima, context: SearchContext) -> None:
        super().__init__(context, settings.seed)
        self.settings = settings
        self._units = context.space.formula_units
        self._proposals = Proposals(context, settings.new_fraction, settings.moves)
        self._weights = self._proposals.weights(settings.moves)
        self._minima = Minima(context.tiers, context.space.composition.n_atoms)

    def begin(self, trial: Trial) -> None:
        """Count the children of each minimum."""
        for parent in trial.candidate.origin.parents:
            self._minima.note_child(parent)

    def learn(self, record: Record) -> bool:
        """Keep a new minimum."""
        return self._minima.add(record)

    def state(self) -> dict[str, Any]:
        """Return the lowest minimum."""
        return {"current": self._minima.lowest}

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return a new structure, or a child of one of the lowest minima."""
        most_units = int(rng.choice(self._units))
        settled = number >= self.settings.population and self._minima.lowest is not None
        if not settled or self._proposals.wants_new(rng):
            return self._proposals.new(most_units, rng=rng)
        parent = self._minima.pick(most_units, rng=rng)
        if parent is None:
            return self._proposals.new(most_units, rng=rng)
        return self._proposals.child(parent, self._weights, most_units, rng=rng)


class Minima:
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

    def __init__(self, tiers: tuple[str, ...], atoms_per_unit: int) -> None:
        self._tiers = tiers
        self._atoms_per_unit = atoms_per_unit
        self._order: list[tuple[int, float, int]] = []
        self._relaxed: dict[int, Crystal] = {}
        self._primitive: dict[int, Crystal] = {}
        self._children: Counter[int] = Counter()

    @property
    def lowest(self) -> int | None:
        """Number of the lowest minimum."""
        return self._order[0][2] if self._order else None

    def pick(self, most_units: int | None, *, rng: np.random.Generator) -> Parent | None:
        """Return a minimum of at most ``most_units`` formula units; None if there is none."""
        numbers: list[int] = []
        for _, _, number in self._order:
            if (
                most_units is None
                or self._crystal(number).n_atoms <= most_units * self._atoms_per_unit
            ):
                numbers.append(number)
                if len(numbers) == LAST_RANK:
                    break
        if not numbers:
            return None
        children = np.array([self._children[number] for number in numbers])
        weights = np.exp(-np.arange(len(numbers)) / RANK_SCALE) / (1 + children / CHILDREN_SCALE)
        number = numbers[rng.choice(len(numbers), p=weights / weights.sum())]
        return Parent(number, self._crystal(number))

    def note_child(self, number: int) -> None:
        """Count a child."""
        self._children[number] += 1

    def add(self, record: Record) -> bool:
        """Add a new minimum; return False if the record has no energy."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return False
        place = (-self._tiers.index(tier), relaxed.enthalpy_per_atom, record.number)
        insort(self._order, place)
        self._relaxed[record.number] = relaxed.crystal
        return True

    def _crystal(self, number: int) -> Crystal:
        """Return the primitive cell of a minimum, found when it is first needed."""
        if number not in self._primitive:
            crystal = self._relaxed.pop(number)
            self._primitive[number] = standardised(crystal, SYMPREC) or reduced_cell(crystal)
        return self._primitive[number]
