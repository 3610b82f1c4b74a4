"""Move the atoms of one Wyckoff position along a free coordinate."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nucleate.moves.move import Child, first_allowed
from nucleate.moves.settings import MoveSettings
from nucleate.moves.symmetry import group_of, random_step, symmetric_parent

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import MoveContext

STEP_ANG = (0.3, 2.0)
"""Å; length of the displacement before the part that the symmetry forbids is left out."""

LEAST_ANG = 0.1
"""Å; smaller displacements are none."""


class MoveAlongFreedom(MoveSettings):
    """Move one orbit along its Wyckoff freedom; the space group stays."""

    keeps_symmetry: ClassVar[bool] = True

    def applies(self, parent: Crystal, context: MoveContext) -> bool:
        """Return whether there is more than one atom."""
        del context
        return parent.n_atoms >= 2

    def apply(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | None:
        """Return a child of at least the parent's symmetry."""
        crystal = symmetric_parent(parent)
        group = None if crystal is None else group_of(crystal)
        if crystal is None or group is None:
            return None
        firsts = [int(orbit[0]) for orbit in group.orbits()]

        def draw() -> Child | None:
            atom = firsts[int(rng.integers(len(firsts)))]
            steps = group.spread(atom, random_step(crystal, *STEP_ANG, rng=rng))
            lengths = np.linalg.norm(steps @ crystal.cell, axis=1)
            if lengths[atom] < LEAST_ANG:
                return None
            child = crystal.replace(scaled=crystal.scaled + steps).wrapped()
            detail = {"atoms": int((lengths > 0).sum()), "step_ang": round(float(lengths[atom]), 3)}
            return Child(child, detail)

        return first_allowed(draw, parent, context, push=False)
