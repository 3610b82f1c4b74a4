"""What happens to a crystal between its arrival and its first energy, the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.relax.judge import start
from nucleate.relax.outcome import Failed, FailReason

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.judge import EngineFacts
    from nucleate.relax.settings import TierSettings
    from nucleate.relax.symmetry import SymmetryConstraint

CONTACT_SCALE = 0.9
"""Pairs closer than this fraction of their tabulated minimum distance are moved."""


@dataclass(frozen=True, slots=True, eq=False)
class Admitted:
    """A crystal that may be relaxed.

    Attributes
    ----------
    crystal : Crystal
        Symmetrised, rattled, overlapping atoms pushed apart, as the tier asks for.
    constraint : SymmetryConstraint or None
        What keeps its space group.
    free : ndarray of bool, shape (n_atoms, 3), or None
        Fractional coordinates that may move; None where all may.
    """

    crystal: Crystal
    constraint: SymmetryConstraint | None = None
    free: NDArray[np.bool_] | None = None


def admit(
    tier: TierSettings, crystal: Crystal, engine: EngineFacts, fixed: ArrayLike | None = None
) -> Admitted | Failed:
    """Return a crystal ready for its first energy, or why it is refused.

    Atoms that overlap are no reason where the tier pushes them apart first. A crystal with fixed
    coordinates is neither symmetrised nor rattled, nor are its atoms pushed apart.

    Parameters
    ----------
    tier
        Limits, guards and rules.
    crystal
        Anything.
    engine
        What is known of the engine.
    fixed
        True for each fractional coordinate that must stay, shape (n_atoms, 3).
    """
    refused = start(tier, crystal, engine)
    free = None
    if fixed is not None and refused is None:
        free = ~np.asarray(fixed, dtype=bool)
        if free.shape != (crystal.n_atoms, 3):
            message = f"fixed coordinates of shape {free.shape} for {crystal.n_atoms} atoms"
            return Failed(FailReason.INVALID, message, crystal)
        free = None if free.all() else free
    if not tier.relax or free is not None:
        return refused or Admitted(crystal, free=free)
    if refused is not None and not (tier.pre_relax and _atoms_overlap(refused)):
        return refused
    changed = crystal
    if tier.symmetrise_ang and refused is None:
        from nucleate.crystal.symmetry import symmetrised_in_place

        changed = symmetrised_in_place(crystal, tier.symmetrise_ang)
    constraint = None
    if tier.fix_symmetry:
        from nucleate.relax.symmetry import symmetry_constraint

        constraint = symmetry_constraint(changed)
    if constraint is not None:
        refused = refused if changed is crystal else start(tier, changed, engine)
        return refused or Admitted(changed, constraint)
    if tier.rattle_ang:
        from nucleate.crystal.rattle import rattled

        changed = rattled(changed, tier.rattle_ang)
    if tier.pre_relax:
        changed = pre_relax(changed, tier.guards.stretch)
    if changed is not crystal or refused is not None:
        refused = start(tier, changed, engine)
    return refused or Admitted(changed)


def _atoms_overlap(refused: Failed) -> bool:
    return refused.reason is FailReason.TOO_CLOSE


def pre_relax(crystal: Crystal, stretch: float = 1.0) -> Crystal:
    """Return the crystal with atoms that overlap pushed apart, in the same cell.

    Takes well under a millisecond where nothing overlaps. Where the atoms cannot be separated
    in their cell the crystal comes back as it is, for the judge to refuse. ``stretch`` is that of
    :class:`~nucleate.relax.settings.Guards`.
    """
    from nucleate.blocks.repulsion import push_apart
    from nucleate.crystal.contacts import minimum_distances

    elements, kinds = np.unique(crystal.numbers, return_inverse=True)
    table = minimum_distances(elements.tolist(), scale=CONTACT_SCALE * stretch)
    limits = table[np.ix_(elements, elements)]
    moved = push_apart(crystal.scaled, crystal.cell, kinds, limits)
    return crystal if moved is None else crystal.replace(scaled=moved)
