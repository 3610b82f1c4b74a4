"""Gradient descent of crystals on a graph network: positions and cell, many crystals at once.

Each crystal has one step length for all its atoms and its cell. After the first step its atoms are
rattled: a symmetric crystal would stay symmetric, and end on a saddle as often as in a minimum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.rattle import rattled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.networks.graph_network.network import GraphNetwork

FIRST_STEP, LAST_STEP = 0.08, 0.01
"""Å; root mean square displacement of the first and the last step."""

LONGEST_STEP = 0.15
"""Å; of an atom."""

LARGEST_STRAIN = 0.04
"""Of an element in a step."""

RATTLE_ANG = 0.1
"""Å; standard deviation of each coordinate."""

_MEMORY, _SQUARE_MEMORY = 0.7, 0.9
_SOFT_FORCE = 0.02


def descend(
    network: GraphNetwork,
    crystals: Sequence[Crystal],
    *,
    steps: int,
    allowed: Callable[[Crystal], bool] = lambda _: True,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Crystal], NDArray[np.float64]]:
    """Return the lowest allowed crystal on the way down from each, and its energy.

    Parameters
    ----------
    network
        Gives energies, forces and stresses.
    crystals
        Where to start.
    steps
        Gradients taken.
    allowed
        Crystals for which it is False are passed over.
    progress
        Called with (done, total).

    Returns
    -------
    crystals : list of Crystal
    energies : ndarray of float64, shape (n_crystals,)
        Formation energies in eV/atom.
    """
    moving = list(crystals)
    best = list(crystals)
    lowest = np.full(len(moving), np.inf)
    walks = [_Walk() for _ in moving]
    for step in range(steps + 1):
        found = network.gradients(moving)
        length = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (step / max(steps, 1))
        for k, energy in enumerate(found.energies_ev_per_atom):
            if energy < lowest[k] and (step == 0 or allowed(moving[k])):
                lowest[k], best[k] = energy, moving[k]
            if step < steps:
                moving[k] = walks[k].step(moving[k], found.forces[k], found.stresses[k], length)
                if step == 0:
                    moving[k] = rattled(moving[k], RATTLE_ANG)
        if progress is not None:
            progress(step + 1, steps + 1)
    return best, lowest


class _Walk:
    """Momentum and step length of one crystal."""

    def __init__(self) -> None:
        self._count = 0
        self._square = 0.0
        self._force: NDArray[np.float64] | float = 0.0
        self._pull: NDArray[np.float64] | float = 0.0

    def step(
        self,
        crystal: Crystal,
        forces: NDArray[np.float64],
        stress: NDArray[np.float64],
        length: float,
    ) -> Crystal:
        self._count += 1
        edge = crystal.volume_per_atom ** (1.0 / 3.0)
        pull = -stress * crystal.volume / (crystal.n_atoms * edge)
        forces = forces - forces.mean(axis=0)
        size = np.sqrt(np.mean(np.sum(forces**2, axis=1)) + np.sum(pull**2))
        self._force = _MEMORY * self._force + (1.0 - _MEMORY) * forces
        self._pull = _MEMORY * self._pull + (1.0 - _MEMORY) * pull
        self._square = _SQUARE_MEMORY * self._square + (1.0 - _SQUARE_MEMORY) * size**2
        usual = np.sqrt(self._square / (1.0 - _SQUARE_MEMORY**self._count))
        scale = length / ((usual + _SOFT_FORCE) * (1.0 - _MEMORY**self._count))
        shift = scale * self._force
        longest = float(np.linalg.norm(shift, axis=1).max())
        if longest > LONGEST_STEP:
            shift = shift * (LONGEST_STEP / longest)
        strain = scale / edge * self._pull
        widest = float(np.abs(strain).max())
        if widest > LARGEST_STRAIN:
            strain = strain * (LARGEST_STRAIN / widest)
        deform = np.eye(3) + strain
        return Crystal.from_positions(
            crystal.numbers, crystal.cell @ deform, (crystal.positions + shift) @ deform
        )
