"""Relaxation with a classical model in one compiled loop around the variable-cell optimiser.

:func:`start_descent` begins it and :func:`descend` continues it for some evaluations, so that
whoever owns it can look at limits in between without any Python within the loop.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from nucleate.energy.matrices import eigensystem, times3
from nucleate.energy.minimiser import (
    ACCEPTED,
    EXACT,
    STALLED,
    State,
    deformation,
    start_minimisation,
    take_in,
)
from nucleate.potentials.kernels import inverse3, neighbours
from nucleate.potentials.total import total_energy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

HISTORY = 48
CONVERGED, RUNNING, NO_PROGRESS, OVERLAP, SHRUNK, EXPLODED, NOT_FINITE = range(7)
_SKIN = 1.5
_ENERGY, _FORCE, _STRESS, _RMS = range(4)
_EVALUATIONS = 0


class Limits(NamedTuple):
    """Where a descent ends; see :class:`~nucleate.potentials.model.Criteria`.

    Attributes
    ----------
    fmax, max_stress, rms : float
        eV/Å, eV/Å³ and eV/Å: the first two together or the third alone.
    smallest, largest : float
        Å³, between which the volume must stay.
    contact : float
        Å; no accepted geometry has a shorter distance.
    steps : int
        Accepted steps.
    """

    fmax: float
    max_stress: float
    rms: float
    smallest: float
    largest: float
    contact: float
    steps: int


class NeighbourList(NamedTuple):
    """All pairs within the cut-off and a skin; replaced when it may miss one.

    Attributes
    ----------
    first, other, shift : ndarray
        As in :func:`~nucleate.potentials.kernels.neighbours`.
    built_at : ndarray, shape (n, 3)
        Positions in the frame of the starting cell when it was made.
    built_inverse : ndarray, shape (3, 3)
        Inverse of the deformation then; zero where it has not been made yet.
    """

    first: np.ndarray
    other: np.ndarray
    shift: np.ndarray
    built_at: np.ndarray
    built_inverse: np.ndarray


class Descent(NamedTuple):
    """A relaxation on its way; arrays are changed in place.

    Attributes
    ----------
    state : State
        Of the optimiser.
    kind : ndarray of int64, shape (n,)
        Species of each atom, sorted.
    forces, virial : ndarray
        Of the accepted point.
    trial_forces, trial_virial : ndarray
        Of the trial.
    real : ndarray, shape (4,)
        Energy, largest force, largest stress and root mean square of the gradient, accepted.
    count : ndarray of int64, shape (1,)
        Evaluations.
    """

    state: State
    kind: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    trial_forces: np.ndarray
    trial_virial: np.ndarray
    real: np.ndarray
    count: np.ndarray

    @property
    def energy(self) -> float:
        """Energy of the accepted point in eV per cell."""
        return float(self.real[_ENERGY])

    @property
    def evaluations(self) -> int:
        """Number of energies computed until now."""
        return int(self.count[_EVALUATIONS])


def start_descent(
    crystal: Crystal, kind: NDArray[np.int64], free: NDArray[np.bool_] | None = None
) -> tuple[Descent, NeighbourList]:
    """Return a relaxation at its start, and a neighbour list yet to be made.

    Parameters
    ----------
    crystal
        Atoms sorted by species.
    kind
        Species of each atom.
    free
        Fractional coordinates that may change; all by default.
    """
    state = start_minimisation(crystal, rules=EXACT, history=HISTORY, free=free)
    n = crystal.n_atoms
    descent = Descent(
        state, kind, np.zeros((n, 3)), np.zeros((3, 3)), np.zeros((n, 3)), np.zeros((3, 3)),
        np.zeros(4), np.zeros(1, np.int64),
    )  # fmt: skip
    return descent, NeighbourList(
        np.zeros(n + 1, np.int64), np.empty(0, np.int32), np.empty((0, 3)), np.zeros((n, 3)),
        np.zeros((3, 3)),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def descend(descent, near, t, pressure, move_cell, limits, evaluations):
    """Continue a relaxation; return its status and the neighbour list.

    Parameters
    ----------
    descent
        :class:`Descent`, changed in place.
    near
        :class:`NeighbourList`.
    t
        :class:`~nucleate.potentials.kernels.Tables`, or those of another form of energy.
    pressure
        eV/Å³.
    move_cell
        Whether the cell is relaxed too.
    limits
        :class:`Limits`.
    evaluations
        Most energies to compute in this call.
    """
    state = descent.state
    status = RUNNING
    for _ in range(evaluations):
        deform, _, _ = deformation(state, state.trial)
        u = state.trial[:-9].copy().reshape(-1, 3)
        cell = times3(state.cell, deform)
        inverse, _ = inverse3(deform)
        volume = abs(inverse3(cell)[1])
        status = _volume_status(volume, limits)
        if status != RUNNING:
            break
        positions = times3(u, deform)
        if _stale(u, near.built_at, deform, near.built_inverse, t.cutoff, _SKIN):
            first, other, shift = neighbours(positions, cell, t.cutoff + _SKIN)
            near = NeighbourList(first, other, shift, u, inverse)
        energy, shortest = total_energy(
            positions, cell, descent.kind, near.first, near.other, near.shift, t,
            descent.trial_forces, descent.trial_virial,
        )  # fmt: skip
        descent.count[_EVALUATIONS] += 1
        status = _take_in(descent, energy, volume, shortest, pressure, move_cell, limits)
        if status != RUNNING:
            break
    return status, near


@njit(cache=True, nogil=True)
def _take_in(descent, energy, volume, shortest, pressure, move_cell, limits):
    """Give an evaluation of the trial to the optimiser; return the status."""
    enthalpy = energy + pressure * volume
    if not math.isfinite(enthalpy):
        return NOT_FINITE
    overlaps = shortest < limits.contact
    if overlaps and descent.count[_EVALUATIONS] == 1:
        return OVERLAP
    virial = 0.5 * (descent.trial_virial + descent.trial_virial.T)
    for d in range(3):
        virial[d, d] += pressure * volume
    answer = take_in(descent.state, enthalpy, descent.trial_forces, virial, move_cell, overlaps)
    if answer == STALLED:
        return OVERLAP if overlaps else NO_PROGRESS
    if answer != ACCEPTED:
        return RUNNING
    descent.forces[:] = descent.trial_forces
    descent.virial[:] = descent.trial_virial
    descent.real[_ENERGY] = energy
    force, stress, norm = _residuals(descent.state, descent.forces, virial, volume, move_cell)
    descent.real[_FORCE], descent.real[_STRESS], descent.real[_RMS] = force, stress, norm
    if (force < limits.fmax and stress < limits.max_stress) or norm < limits.rms:
        return CONVERGED
    return NO_PROGRESS if descent.state.count[3] >= limits.steps else RUNNING


@njit(cache=True, nogil=True)
def _volume_status(volume, limits):
    if not volume > limits.smallest:
        return SHRUNK if math.isfinite(volume) else NOT_FINITE
    return EXPLODED if volume > limits.largest else RUNNING


@njit(cache=True, nogil=True)
def accepted_geometry(state):
    """Return the fractional coordinates and the cell of the accepted point."""
    deform, _, _ = deformation(state, state.x)
    scaled = times3(state.x[:-9].copy().reshape(-1, 3), state.inverse)
    return scaled, times3(state.cell, deform)


@njit(cache=True, nogil=True)
def _stale(u, built_u, deform, built_inverse, cutoff, skin):
    """Return whether a pair now inside the cut-off can be missing from the neighbour list.

    A distance shrinks at most by the least singular value of the deformation since the list was
    made, less the two largest moves.
    """
    change = times3(deform, built_inverse)
    squares, _ = eigensystem(times3(change.T, change))
    shrinkage = math.sqrt(max(squares.min(), 0.0))
    largest = 0.0
    for i in range(u.shape[0]):
        moved = 0.0
        for a in range(3):
            d = 0.0
            for b in range(3):
                d += deform[a, b] * (u[i, b] - built_u[i, b])
            moved += d * d
        largest = max(largest, moved)
    return shrinkage * (cutoff + skin) - 2.0 * math.sqrt(largest) < cutoff


@njit(cache=True, nogil=True)
def _residuals(state, forces, virial, volume, move_cell):
    """Return the largest force, the largest stress and the RMS of the whole gradient.

    ``virial`` is symmetric and holds the external pressure.
    """
    n = forces.shape[0]
    force = stress = total = 0.0
    for i in range(n):
        f2 = 0.0
        for a in range(3):
            f = forces[i, a]
            if state.projectors.shape[0] > 0:
                f = 0.0
                for b in range(3):
                    f += state.projectors[i, a, b] * forces[i, b]
            f2 += f * f
        force = max(force, f2)
        total += f2
    for a in range(3):
        for b in range(a, 3):
            stress = max(stress, abs(virial[a, b]) / volume)
            total += virial[a, b] ** 2 / n
    return math.sqrt(force), stress if move_cell else 0.0, math.sqrt(total / (3 * n + 6))
