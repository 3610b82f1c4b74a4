"""Overlapping atoms are pushed apart before any energy model sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

CONTACT_SCALE = 0.9
"""Pairs closer than this fraction of their tabulated least distance are moved."""


def pre_relax(crystal: Crystal) -> Crystal:
    """Return the crystal with atoms that overlap pushed apart, in the same cell.

    Takes well under a millisecond where nothing overlaps. Where the atoms cannot be separated
    in their cell the crystal comes back as it is, for the guards to judge.
    """
    from nucleate.blocks.repulsion import push_apart
    from nucleate.crystal.contacts import minimum_distances

    elements, kinds = np.unique(crystal.numbers, return_inverse=True)
    table = minimum_distances(elements.tolist(), scale=CONTACT_SCALE)
    limits = table[np.ix_(elements, elements)]
    moved = push_apart(crystal.scaled, crystal.cell, kinds, limits)
    return crystal if moved is None else crystal.replace(scaled=moved)
