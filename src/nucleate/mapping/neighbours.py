"""Structures that travel: good ones of a composition become candidates of another.

The cell of the donor is repeated, its elements are exchanged, atoms that are too many are removed
and those that are missing are put into its largest voids; the cell is then scaled by the ratio of
the expected volumes. Of all supercells and cell contents, those that need the fewest changes for
an atom are the most likely; where only elements are exchanged, the structure type stays. Blocks of
two donors whose compositions add up to the wanted one are stacked in one cell.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.mapping.changes import Change, apply_change, changes_between
from nucleate.mapping.intergrowths import intergrown, sums_of
from nucleate.mapping.supercells import supercell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace

SOURCE = "neighbour"
"""Source of the origin of what has travelled."""

TRIES = 5
"""Attempts for each candidate."""

AGAIN, FAILED = 0.7, 0.3
"""Factors on the weight of a plan after it gave a candidate, or none."""

CHANGE_SCALE = 0.15
"""Changes for an atom by which a plan is less likely by a factor of e."""

ENERGY_SCALE = 0.05
"""eV/atom above the best donor, the same."""

APART = (1.1, 1.0)
"""Multiples of the minimum distances to which atoms are pushed apart; the first that succeeds."""

JOINED = 0.3
"""Weight of blocks of two donors, relative to a renaming of like elements."""

RATTLE_ANG = 0.05
"""Å; displacement of all atoms where atoms were added, removed or exchanged one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Donor:
    """A good structure of a composition of the map.

    Attributes
    ----------
    crystal : Crystal
        As relaxed.
    formula : str
        Reduced formula, as its run has it.
    number : int or str
        Of its record in that run, or the name of a known compound.
    above_hull : float
        eV/atom.
    """

    crystal: Crystal
    formula: str
    number: int | str
    above_hull: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """A plan: a donor and the change that makes the wanted composition of it."""

    donor: Donor
    change: Change

    @property
    def is_fixed(self) -> bool:
        """Whether every try gives the same crystal."""
        return self.change.is_plain and self.change.copies == 1

    @property
    def weight(self) -> float:
        """How likely it is drawn, relative to the others."""
        return exp(-self.change.per_atom / CHANGE_SCALE) * _favour(self.donor)

    def make(self, rng: np.random.Generator) -> Crystal | None:
        """Return a crystal, or None if an added atom finds no room."""
        base = supercell(self.donor.crystal, self.change.copies, rng=rng)
        crystal = apply_change(base, self.change, rng=rng)
        if crystal is None or self.change.is_plain:
            return crystal
        moves = rng.normal(0.0, RATTLE_ANG, (crystal.n_atoms, 3))
        return crystal.replace(scaled=crystal.scaled + moves @ np.linalg.inv(crystal.cell))

    @property
    def detail(self) -> dict[str, str | int | float]:
        """Where it comes from, and what was done."""
        return {
            "from": self.donor.formula,
            "number": self.donor.number,
            "change": self.change.in_words(),
            "copies": self.change.copies,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A plan: blocks of two donors in one cell."""

    donor: Donor
    other: Donor
    blocks: tuple[int, int]

    is_fixed = False

    @property
    def weight(self) -> float:
        """How likely it is drawn, relative to the others."""
        return JOINED * _favour(self.donor) * _favour(self.other)

    def make(self, rng: np.random.Generator) -> Crystal | None:
        """Return a crystal, or None if no faces match."""
        return intergrown(self.donor.crystal, self.other.crystal, *self.blocks, rng=rng)

    @property
    def detail(self) -> dict[str, str | int | float]:
        """Where it comes from, and what was done."""
        p, q = self.blocks
        return {
            "from": self.donor.formula,
            "number": self.donor.number,
            "change": f"{p} blocks with {q} of {self.other.formula}",
            "other": self.other.formula,
            "other_number": self.other.number,
        }


def _favour(donor: Donor) -> float:
    return exp(-max(donor.above_hull, 0.0) / ENERGY_SCALE)


def travelled(
    donors: Sequence[Donor],
    space: SearchSpace,
    *,
    most: int,
    rng: np.random.Generator,
) -> list[Candidate]:
    """Return candidates of a composition that are made from good structures of others.

    Parameters
    ----------
    donors
        Structures of other compositions of the field, or of this one.
    space
        What is searched; what it rejects is not returned.
    most
        Number of candidates; fewer where few can be made.
    rng
        Random numbers.

    Returns
    -------
    list of Candidate
        Plain substitutions, which are the same at every try, come once; their origin names
        formula and number of the donor.
    """
    plans = plans_of(donors, space)
    found: list[Candidate] = []
    for plan in sorted((plan for plan in plans if plan.is_fixed), key=lambda plan: -plan.weight):
        if len(found) < most:
            found += filter(None, [_made(plan, space, rng)])
    others = [plan for plan in plans if not plan.is_fixed]
    if not others:
        return found
    weights = np.array([plan.weight for plan in others])
    for _ in range(TRIES * most):
        if len(found) >= most:
            break
        place = int(rng.choice(len(others), p=weights / weights.sum()))
        candidate = _made(others[place], space, rng)
        weights[place] *= AGAIN if candidate is not None else FAILED
        found += filter(None, [candidate])
    return found


def plans_of(donors: Sequence[Donor], space: SearchSpace) -> list[Changed | Joined]:
    """Return the ways to make a composition of donors, one of them or two together."""
    plans: list[Changed | Joined] = [
        Changed(donor, change)
        for donor in donors
        for change in changes_between(donor.crystal.numbers, space)
    ]
    contents = [Counter(donor.crystal.numbers.tolist()) for donor in donors]
    plans += [
        Joined(donors[i], donors[j], blocks)
        for i, j in combinations(range(len(donors)), 2)
        if donors[i].formula != donors[j].formula
        for blocks in sums_of(contents[i], contents[j], space)
    ]
    return plans


def _made(plan: Changed | Joined, space: SearchSpace, rng: np.random.Generator) -> Candidate | None:
    """Return what a plan makes, or None if the space rejects it."""
    crystal = plan.make(rng)
    if crystal is None:
        return None
    crystal = _apart(crystal.wrapped(), space)
    if space.rejection(crystal) is not None:
        return None
    return Candidate(crystal, Origin(SOURCE, (), plan.detail))


def _apart(crystal: Crystal, space: SearchSpace) -> Crystal:
    """Return a crystal with the atoms apart that are too close, or as it is if that fails."""
    from nucleate.blocks.repulsion import push_apart

    elements, kinds = np.unique(crystal.numbers, return_inverse=True)
    limits = space.min_distances[np.ix_(elements, elements)]
    for margin in APART:
        moved = push_apart(crystal.scaled, crystal.cell, kinds, margin * limits)
        if moved is not None:
            return crystal.replace(scaled=moved)
    return crystal
