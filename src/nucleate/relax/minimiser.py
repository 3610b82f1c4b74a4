"""Compiled variable-cell L-BFGS in log-strain coordinates; one state a crystal.

The variables are the positions ``u`` in the frame of the starting cell and the symmetric log
strain ``S`` (times a length, so that both have comparable stiffness): ``D = exp(S)``,
``x = u D`` and ``cell = cell_0 D``. Tadmor et al., Phys. Rev. B 59, 235 (1999); the two-loop
recursion is that of Nocedal, Math. Comp. 35, 773 (1980).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

HISTORY = 20
FIRST_STEP = 1.0 / 50.0
MAX_MOVE = 0.25
MAX_STRAIN = 0.08
RISE = 0.002
_ENTHALPY, _SCALE, _SLOPE, _LENGTH = range(4)
_STORED, _NEWEST, _FAILED, _ACCEPTED = range(4)


class State(NamedTuple):
    """The minimisation of one crystal of n atoms; arrays are changed in place.

    Attributes
    ----------
    cell, inverse : ndarray, shape (3, 3)
        Starting cell and its inverse.
    x, gradient : ndarray, shape (3 n + 9,)
        Accepted point and its gradient.
    trial : ndarray, shape (3 n + 9,)
        Point to evaluate next.
    steps, yields : ndarray, shape (HISTORY, 3 n + 9)
    rho : ndarray, shape (HISTORY,)
    real : ndarray, shape (4,)
        Enthalpy, trial's fraction of the full step, slope along it, length of the strain.
    count : ndarray of int64, shape (4,)
        Pairs stored, newest pair, steps refused in a row, steps accepted.
    """

    cell: np.ndarray
    inverse: np.ndarray
    x: np.ndarray
    gradient: np.ndarray
    trial: np.ndarray
    steps: np.ndarray
    yields: np.ndarray
    rho: np.ndarray
    real: np.ndarray
    count: np.ndarray


def start_minimisation(crystal: Crystal, *, stiffness_length: float = 1.6) -> State:
    """Return the state at the start; its trial is the crystal as given."""
    size = 3 * crystal.n_atoms + 9
    x = np.zeros(size)
    x[:-9] = crystal.positions.ravel()
    return State(
        cell=crystal.cell.copy(),
        inverse=np.linalg.inv(crystal.cell),
        x=x,
        gradient=np.zeros(size),
        trial=x.copy(),
        steps=np.zeros((HISTORY, size)),
        yields=np.zeros((HISTORY, size)),
        rho=np.zeros(HISTORY),
        real=np.array([np.nan, 1.0, 0.0, stiffness_length * np.sqrt(crystal.n_atoms)]),
        count=np.array([0, -1, 0, 0]),
    )


@njit(cache=True, nogil=True)
def deformation(state, point):
    """Return the deformation (3, 3) at a point, and the eigensystem of the strain."""
    strain = point[-9:].copy().reshape(3, 3) / state.real[_LENGTH]
    values, vectors = np.linalg.eigh(strain)
    return vectors @ np.diag(np.exp(values)) @ vectors.T, values, vectors


@njit(cache=True, nogil=True)
def gradient_at(state, forces, virial, values, vectors, deform, move_cell):
    """Return the gradient by the variables from forces (eV/Å) and virial (eV, dH/dstrain)."""
    gradient = np.zeros(state.x.size)
    gradient[:-9] = -(forces @ deform).ravel()
    if move_cell:
        exponentials = np.exp(values)
        inverse = vectors @ np.diag(1.0 / exponentials) @ vectors.T
        by_deform = vectors.T @ (virial @ inverse) @ vectors
        for i in range(3):
            for j in range(3):
                gap = values[i] - values[j]
                if abs(gap) < 1e-7:
                    by_deform[i, j] *= np.exp(0.5 * (values[i] + values[j]))
                else:
                    by_deform[i, j] *= (exponentials[i] - exponentials[j]) / gap
        by_strain = vectors @ by_deform @ vectors.T
        gradient[-9:] = (0.5 * (by_strain + by_strain.T)).ravel() / state.real[_LENGTH]
    return gradient


@njit(cache=True, nogil=True)
def _take_in(state, enthalpy, forces, virial, move_cell):
    """Return whether the trial becomes the accepted point, and choose the next trial."""
    real, count = state.real, state.count
    first = not np.isfinite(real[_ENTHALPY])
    if not first:
        rise = enthalpy - real[_ENTHALPY]
        if rise > RISE * (state.x.size // 3 - 3) and count[_FAILED] < 4:
            count[_FAILED] += 1
            guess = (
                -0.5 * real[_SLOPE] * real[_SCALE] / max(rise / real[_SCALE] - real[_SLOPE], 1e-300)
            )
            shrunk = min(max(guess, 0.1 * real[_SCALE]), 0.5 * real[_SCALE])
            state.trial[:] = state.x + (state.trial - state.x) * (shrunk / real[_SCALE])
            real[_SCALE] = shrunk
            return False
    deform, values, vectors = deformation(state, state.trial)
    gradient = gradient_at(state, forces, virial, values, vectors, deform, move_cell)
    if not first:
        _remember(state, gradient)
        count[_ACCEPTED] += 1
    state.x[:] = state.trial
    state.gradient[:] = gradient
    real[_ENTHALPY] = enthalpy
    _propose(state)
    return True


@njit(cache=True, nogil=True)
def advance(state, enthalpy, forces, virial, move_cell):
    """Take in the evaluation of the trial; return whether it was accepted, and the next geometry.

    Parameters
    ----------
    state
        Changed in place.
    enthalpy, forces, virial
        At the trial: eV, eV/Å and eV (derivative of the enthalpy by strain, symmetric).
    move_cell
        Whether the cell moves.

    Returns
    -------
    accepted : bool
    cell : ndarray, shape (3, 3)
        Å.
    scaled : ndarray, shape (n_atoms, 3)
        Fractional coordinates, not wrapped.
    """
    accepted = _take_in(state, enthalpy, forces, virial, move_cell)
    deform, _, _ = deformation(state, state.trial)
    return accepted, state.cell @ deform, state.trial[:-9].copy().reshape(-1, 3) @ state.inverse


@njit(cache=True, nogil=True)
def _remember(state, gradient):
    s, y = state.trial - state.x, gradient - state.gradient
    sy = np.dot(s, y)
    if sy > 1e-6 * np.sqrt(np.dot(s, s) * np.dot(y, y)):
        newest = (state.count[_NEWEST] + 1) % HISTORY
        state.count[_NEWEST] = newest
        state.count[_STORED] = min(state.count[_STORED] + 1, HISTORY)
        state.steps[newest], state.yields[newest], state.rho[newest] = s, y, 1.0 / sy


@njit(cache=True, nogil=True)
def _propose(state):
    """Set the trial one L-BFGS step from the accepted point."""
    direction = -state.gradient
    stored, newest = state.count[_STORED], state.count[_NEWEST]
    weights = np.empty(HISTORY)
    for m in range(stored):
        k = (newest - m) % HISTORY
        weights[k] = state.rho[k] * np.dot(state.steps[k], direction)
        direction -= weights[k] * state.yields[k]
    if stored > 0:
        direction /= state.rho[newest] * np.dot(state.yields[newest], state.yields[newest])
    else:
        direction *= FIRST_STEP
    for m in range(stored - 1, -1, -1):
        k = (newest - m) % HISTORY
        direction += (weights[k] - state.rho[k] * np.dot(state.yields[k], direction)) * state.steps[
            k
        ]
    slope = np.dot(direction, state.gradient)
    if not slope < 0.0:
        state.count[_STORED] = 0
        direction = -FIRST_STEP * state.gradient
        slope = np.dot(direction, state.gradient)
    excess = 1.0
    for i in range(direction.size // 3 - 3):
        move = np.sqrt(
            direction[3 * i] ** 2 + direction[3 * i + 1] ** 2 + direction[3 * i + 2] ** 2
        )
        excess = max(excess, move / MAX_MOVE)
    for k in range(direction.size - 9, direction.size):
        excess = max(excess, abs(direction[k]) / (MAX_STRAIN * state.real[_LENGTH]))
    state.trial[:] = state.x + direction / excess
    state.real[_SCALE] = 1.0
    state.real[_SLOPE] = slope / excess
    state.count[_FAILED] = 0


@njit(cache=True, nogil=True)
def residuals(forces, stress, pressure):
    """Return the largest force on an atom (eV/Å) and component of stress and pressure (eV/Å³)."""
    force = component = 0.0
    for i in range(forces.shape[0]):
        square = forces[i, 0] ** 2 + forces[i, 1] ** 2 + forces[i, 2] ** 2
        force = max(force, square)
    for j in range(3):
        for k in range(3):
            left = stress[j, k] + (pressure if j == k else 0.0)
            component = max(component, abs(left))
    return np.sqrt(force), component
