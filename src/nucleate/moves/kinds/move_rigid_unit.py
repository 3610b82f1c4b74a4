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
    """Slide or rotate one rigid unit of a layered or molecular crystal.

    A layer or chain that is alone in the cell slides along its images: the cell is sheared.
    """

    def applies(self, parent: Crystal, context: MoveContext) -> bool:
        """Return whether there are rigid units."""
        del context
        return parent.n_atoms >= 2 and bool(rigid_units(parent))

    def apply(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | None:
        """Return a child in which the distances within the units are those of the parent."""
        found = rigid_units(parent)
        is_alone = len(found) == 1
        units = [unit for unit in found if unit.dimension < 3 and len(unit.atoms) > 1]
        if not units:
            return None

        def draw() -> Child:
            unit = units[int(rng.integers(len(units)))]
            turn = unit.dimension == 0 and (is_alone or rng.random() < 0.7)
            positions, cell = parent.positions.copy(), parent.cell
            if turn:
                positions[unit.atoms] = _rotated(unit, rng)
            elif is_alone:
                positions[unit.atoms] = unit.positions
                cell = cell @ _shear(unit, parent.volume, rng)
            else:
                positions[unit.atoms] = unit.positions + _shift(unit, rng)
            child = type(parent).from_positions(parent.numbers, cell, positions).wrapped()
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


def _shear(unit: Unit, volume: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a shear that slides the images of a layer or chain, and leaves its periods alone.

    Rows are multiplied by it from the right: a vector that leads to the next image has the shift
    added.
    """
    if unit.dimension == 2:
        normal = np.cross(*unit.periods)
        spacing = volume / np.linalg.norm(normal)
    else:
        normal = np.cross(unit.periods[0], rng.normal(size=3))
        spacing = np.sqrt(volume / np.linalg.norm(unit.periods[0]))
    across = normal / np.linalg.norm(normal) / spacing
    return np.eye(3) + np.outer(across, _shift(unit, rng))


def _rotated(unit: Unit, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the positions after a random rotation about the centre."""
    from scipy.spatial.transform import Rotation

    centre = unit.positions.mean(axis=0)
    quaternion = rng.normal(size=4)  # uniform on the sphere of rotations
    turn = Rotation.from_quat(quaternion).as_matrix()
    return (unit.positions - centre) @ turn.T + centre
