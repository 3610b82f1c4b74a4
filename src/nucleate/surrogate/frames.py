"""What a surrogate learns from: evaluations of the model above, and which of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

Item = TypeVar("Item")

SCALES = (0.82, 1.02)
"""Least and largest factor on the cell of a compressed frame."""

RATTLE_ANG = 0.2
"""Å, standard deviation of every coordinate of a compressed frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One evaluation of a crystal by the model that the surrogate learns from.

    Attributes
    ----------
    crystal : Crystal
        Geometry.
    energy_ev : float
        eV per cell.
    forces_ev_per_ang : ndarray of float64, shape (n_atoms, 3)
        eV/Å.
    stress_gpa : ndarray of float64, shape (3, 3)
        GPa, tension positive (ASE's sign), without an external pressure.

    Raises
    ------
    InputError
        If a value is missing, not finite or of another shape.
    """

    crystal: Crystal
    energy_ev: float
    forces_ev_per_ang: NDArray[np.float64]
    stress_gpa: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = {
            "energy_ev": (),
            "forces_ev_per_ang": (self.crystal.n_atoms, 3),
            "stress_gpa": (3, 3),
        }
        for name, shape in shapes.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), shape))
        if not (np.isfinite(self.crystal.cell).all() and np.isfinite(self.crystal.scaled).all()):
            raise InputError("crystal: cell or coordinates are not finite. Leave this frame out.")
        if self.crystal.n_atoms == 0 or not self.crystal.volume > 0.0:
            raise InputError("crystal: it has no atom or no volume. Leave this frame out.")

    @property
    def energy_per_atom(self) -> float:
        """Energy in eV/atom."""
        return self.energy_ev / self.crystal.n_atoms

    @property
    def max_force(self) -> float:
        """Largest force on an atom in eV/Å."""
        return float(np.sqrt((self.forces_ev_per_ang**2).sum(axis=1).max()))


def _checked(name: str, value: Any, shape: tuple[int, ...]) -> Any:
    if value is None:
        raise InputError(
            f"{name} = None: a surrogate learns from energies, forces and stresses. Use a model "
            "that gives them (chgnet)."
        )
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} = {value!r}: give real numbers.") from error
    if array.shape != shape:
        raise InputError(f"{name}: give the shape {shape} instead of {array.shape}.")
    if not np.isfinite(array).all():
        raise InputError(f"{name}: it holds NaN or infinity. Leave this frame out.")
    if not shape:
        return float(array)
    array.setflags(write=False)
    return array


def thin(frames: Sequence[Item], number: int) -> list[Item]:
    """Return about ``number`` frames of a relaxation, geometrically spaced from its start.

    A relaxation moves most in its first steps; the first and the last frame are among them.

    Parameters
    ----------
    frames
        In the order of their evaluations.
    number
        How many at most.

    Raises
    ------
    InputError
        If ``number`` is below 1.

    Examples
    --------
    >>> thin(range(40), 5)
    [0, 2, 5, 15, 39]
    """
    if number < 1:
        raise InputError(f"number = {number}: keep at least 1 frame of a relaxation.")
    if len(frames) <= number:
        return list(frames)
    if number == 1:
        return [frames[-1]]
    places = np.rint(np.geomspace(1.0, len(frames), number)).astype(int) - 1
    for k in range(1, number):  # no frame twice
        places[k] = max(places[k], places[k - 1] + 1)
    return [frames[k] for k in places]


def compressed(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    """Return a crystal with its cell scaled by 0.82 to 1.02 and its atoms rattled by 0.2 Å.

    Relaxations never visit the short contacts from which children of moves begin. One such
    geometry for each, evaluated by the model above, teaches the surrogate what repels.

    Parameters
    ----------
    crystal
        Any geometry of a relaxation.
    rng
        Draws the scale and the displacements.
    """
    cell = crystal.cell * rng.uniform(*SCALES)
    moves = rng.normal(0.0, RATTLE_ANG, (crystal.n_atoms, 3))
    return crystal.replace(cell=cell, scaled=crystal.scaled + moves @ np.linalg.inv(cell))
