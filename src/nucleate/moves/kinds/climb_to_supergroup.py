"""Symmetrise with a large tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.crystal.symmetry import space_group, standardised
from nucleate.moves.move import Child, first_allowed
from nucleate.moves.settings import MoveSettings
from nucleate.moves.symmetry import EXACT, SYMPREC

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import MoveContext

TOLERANCES_ANG = (0.15, 1.0)
"""Å; a tolerance above a twelfth of the shortest translation finds nothing."""


class ClimbToSupergroup(MoveSettings):
    """Symmetrise the parent with a random large tolerance, which finds a supergroup."""

    keeps_symmetry: ClassVar[bool] = True

    def apply(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | None:
        """Return a child of more operations in fewer, or as many, atoms."""
        before = standardised(parent, SYMPREC) or parent
        group, _ = space_group(before, EXACT)

        def draw() -> Child | None:
            tolerance = float(rng.uniform(*TOLERANCES_ANG))
            child = standardised(parent, tolerance)
            if child is None:
                return None
            found, _ = space_group(child, EXACT)
            if (found, child.n_atoms) == (group, before.n_atoms):
                return None
            detail = {"from_group": group, "to_group": found, "tolerance_ang": round(tolerance, 3)}
            return Child(child, detail)

        return first_allowed(draw, parent, context, push=False)
