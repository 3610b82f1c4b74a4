"""Slide a layer, or shift and rotate a molecule or polyhedron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.moves.move import Child, first_allowed
from nucleate.moves.rigid import rigid_units
from nucleate.moves.settings import MoveSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import MoveContext
    from nucleate.moves.rigid import Unit

LARGEST_SHIFT_ANG = 1.5
"""Å; a molecule is shifted by at most this."""


class MoveRigidUnit(MoveSettings):
    """Slide or rotate one rigid unit of a layered or molecular crystal."""

    def applies(self, parent: Crystal, context: MoveContext) -> bool:
        """Return whether there are rigid units."""
        del context
        return parent.n_atoms >= 3 and bool(rigid_units(parent))

    def apply(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | None:
        """Return a child in which the distances within the units are those of the parent."""
        units = [unit for unit in rigid_units(parent) if unit.dimension < 3 and len(unit.atoms) > 1]
        if not units:
            return None

        def draw() -> Child:
            unit = units[int(rng.integers(len(units)))]
            turn = unit.dimension == 0 and rng.random() < 0.7
            placed = _rotated(unit, rng) if turn else unit.positions + _shift(unit, rng)
            positions = parent.positions.copy()
            positions[unit.atoms] = placed
            child = type(parent).from_positions(parent.numbers, parent.cell, positions).wrapped()
            detail = {
                "unit_atoms": len(unit.atoms),
                "unit_dimension": unit.dimension,
                "change": "rotate" if turn else "slide",
            }
            return Child(child, detail)

        return first_allowed(draw, parent, context, push=False)


def _shift(unit: Unit, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a translation in Å: along the periods of a layer or chain, or of any direction."""
    if unit.dimension:
        return rng.random(unit.dimension) @ unit.periods
    direction = rng.normal(size=3)
    return rng.uniform(0.3, LARGEST_SHIFT_ANG) * direction / np.linalg.norm(direction)


def _rotated(unit: Unit, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the positions after a random rotation about the centre."""
    from scipy.spatial.transform import Rotation

    centre = unit.positions.mean(axis=0)
    quaternion = rng.normal(size=4)  # uniform on the sphere of rotations
    turn = Rotation.from_quat(quaternion).as_matrix()
    return (unit.positions - centre) @ turn.T + centre
