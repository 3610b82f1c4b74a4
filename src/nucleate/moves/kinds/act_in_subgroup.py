"""Change the asymmetric unit of a subgroup: all that the subgroup relates changes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nucleate.moves.move import Child, first_allowed
from nucleate.moves.settings import MoveSettings
from nucleate.moves.symmetry import (
    group_of,
    random_step,
    random_subgroup,
    symmetric_parent,
)

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import MoveContext
    from nucleate.moves.symmetry import Group

STEP_ANG = (0.4, 2.0)
"""Å; length of the displacement of an orbit."""


class ActInSubgroup(MoveSettings):
    """Exchange or displace whole orbits of a random subgroup of the parent's space group."""

    keeps_symmetry: ClassVar[bool] = True

    def applies(self, parent: Crystal, context: MoveContext) -> bool:
        """Return whether there is more than one atom."""
        del context
        return parent.n_atoms >= 2

    def apply(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | None:
        """Return a child that has at least the symmetry of a subgroup."""
        crystal = symmetric_parent(parent)
        group = None if crystal is None else group_of(crystal)
        if crystal is None or group is None:
            return None

        def draw() -> Child | None:
            subgroup = random_subgroup(group, rng=rng)
            change = _exchanged if rng.random() < 0.5 else _displaced
            return change(crystal, subgroup, rng)

        return first_allowed(draw, parent, context, push=False)


def _exchanged(crystal: Crystal, group: Group, rng: np.random.Generator) -> Child | None:
    """Exchange two orbits of the same size and of different elements."""
    orbits = group.orbits()
    pairs = [
        (one, other)
        for k, one in enumerate(orbits)
        for other in orbits[:k]
        if len(one) == len(other) and crystal.numbers[one[0]] != crystal.numbers[other[0]]
    ]
    if not pairs:
        return None
    one, other = pairs[int(rng.integers(len(pairs)))]
    scaled = crystal.scaled.copy()
    scaled[one], scaled[other] = crystal.scaled[other], crystal.scaled[one]
    detail = {"order": group.order, "change": "exchange", "atoms": 2 * len(one)}
    return Child(crystal.replace(scaled=scaled), {"subgroup_" + k: v for k, v in detail.items()})


def _displaced(crystal: Crystal, group: Group, rng: np.random.Generator) -> Child | None:
    """Displace an orbit as the site symmetry of its atoms allows."""
    atom = int(rng.integers(crystal.n_atoms))
    steps = group.spread(atom, random_step(crystal, *STEP_ANG, rng=rng))
    moved = np.flatnonzero(np.linalg.norm(steps @ crystal.cell, axis=1) > 1e-3)
    if not len(moved):
        return None
    detail = {"order": group.order, "change": "displace", "atoms": len(moved)}
    child = crystal.replace(scaled=crystal.scaled + steps).wrapped()
    return Child(child, {"subgroup_" + k: v for k, v in detail.items()})
