"""Structures that travel: good ones of a composition become candidates of another.

The cell of the donor is repeated, its elements are exchanged, atoms that are too many are removed
and those that are missing are put into its largest voids; the cell is then scaled by the ratio of
the expected volumes. Of all supercells and cell contents, those that need the fewest changes for
an atom are the most likely; where only elements are exchanged, the structure type stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.mapping.changes import Change, apply_change, changes_between
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

FRACTION_SCALE = 0.2
"""Sum of the differences of atomic fractions that counts like :data:`ENERGY_SCALE`."""

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
    number : int
        Of its record in that run.
    above_hull : float
        eV/atom.
    """

    crystal: Crystal
    formula: str
    number: int
    above_hull: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A donor and the change that makes the wanted composition of it."""

    donor: Donor
    change: Change

    @property
    def weight(self) -> float:
        """How likely it is drawn, relative to the others."""
        return exp(
            -self.change.per_atom / CHANGE_SCALE - max(self.donor.above_hull, 0.0) / ENERGY_SCALE
        )


def nearest_donors(donors: Sequence[Donor], composition: Composition, most: int) -> list[Donor]:
    """Return the donors that are the likeliest to give good candidates of a composition.

    By the sum of the absolute differences of atomic fractions, 0 where elements can be renamed,
    and the energy above the hull, each in units of its scale.

    Parameters
    ----------
    donors
        Any.
    composition
        What is wanted.
    most
        Number of donors.
    """
    wanted = composition.counts
    size = sum(wanted.values())

    def distance(donor: Donor) -> float:
        counts = Composition.from_numbers(donor.crystal.numbers).counts
        own = sum(counts.values())
        symbols = {**wanted, **counts}
        gap = sum(abs(wanted.get(s, 0) / size - counts.get(s, 0) / own) for s in symbols)
        if sorted(wanted.values()) == sorted(counts.values()) and wanted != counts:
            gap = 0.0
        return gap / FRACTION_SCALE + max(donor.above_hull, 0.0) / ENERGY_SCALE

    return sorted(donors, key=distance)[:most]


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
    plans = [
        Plan(donor, change)
        for donor in donors
        for change in changes_between(donor.crystal.numbers, space)
    ]
    found: list[Candidate] = []
    for plan in sorted((p for p in plans if p.change.is_plain), key=lambda p: -p.weight):
        if len(found) < most and plan.change.copies == 1:
            found += filter(None, [_made(plan, space, rng)])
    others = [plan for plan in plans if not (plan.change.is_plain and plan.change.copies == 1)]
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


def _made(plan: Plan, space: SearchSpace, rng: np.random.Generator) -> Candidate | None:
    """Return what a plan makes, or None if the space rejects it."""
    donor, change = plan.donor, plan.change
    base = supercell(donor.crystal, change.copies, rng=rng)
    crystal = apply_change(base, change, rng=rng)
    if crystal is None:
        return None
    if not change.is_plain:
        moves = rng.normal(0.0, RATTLE_ANG, (crystal.n_atoms, 3))
        crystal = crystal.replace(scaled=crystal.scaled + moves @ np.linalg.inv(crystal.cell))
    crystal = _apart(crystal.wrapped(), space)
    if space.rejection(crystal) is not None:
        return None
    detail = {
        "from": donor.formula,
        "number": donor.number,
        "change": change.in_words(),
        "copies": change.copies,
    }
    return Candidate(crystal, Origin(SOURCE, (), detail))


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
