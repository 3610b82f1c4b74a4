"""The variable-cell optimiser: compiled L-BFGS in log-strain coordinates, one state per crystal.

The variables are the positions ``u`` in the frame of the starting cell and the symmetric log
strain ``S`` (times a length, so that both have comparable stiffness): ``D = exp(S)``,
``x = u D`` and ``cell = cell_0 D``. Tadmor et al., Phys. Rev. B 59, 235 (1999); the two-loop
recursion is that of Nocedal, Math. Comp. 35, 773 (1980).

Batched models call :func:`advance` after each evaluation; the classical models do so within one
compiled loop (:mod:`nucleate.potentials.optimiser`). What differs between them are :class:`Rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from nucleate.energy.fixed import free_projectors, projected
from nucleate.energy.matrices import eigensystem, of_eigensystem, times3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

REFUSED, ACCEPTED, STALLED = range(3)
_ENTHALPY, _SCALE, _SLOPE, _LENGTH = range(4)
_STORED, _NEWEST, _FAILED, _ACCEPTED = range(4)


class Rules(NamedTuple):
    """How bold the optimiser is.

    Attributes
    ----------
    first_step : float
        Å²/eV, step along the force without any history.
    max_move, max_strain : float
        Å and 1; longer steps are shortened.
    rise : float
        eV/atom by which a step may rise, which spares evaluations where they are dear or noisy.
    armijo : float
        Share of the fall expected from the slope that a step must bring.
    noise : float
        Relative rounding error of an enthalpy.
    patience : int
        Shortenings of one step; after them it is accepted, or the history is dropped.
    restarts : bool
        Whether the history is then dropped, and without one the search has stalled.
    restart_move : float
        Å, longest step after a restart.
    curvature : float
        Least cosine between a step and the change of the gradient for the pair to be kept.
    """

    first_step: float
    max_move: float
    max_strain: float
    rise: float
    armijo: float
    noise: float
    patience: int
    restarts: bool
    restart_move: float
    curvature: float


LEARNED = Rules(1.0 / 50.0, 0.25, 0.08, 0.002, 0.0, 0.0, 4, False, 0.0, 1e-6)
"""For models whose evaluations are dear and whose energies carry single-precision noise."""

EXACT = Rules(1.0 / 70.0, 0.3, 0.06, 0.0, 1e-4, 1e-11, 12, True, 0.05, 1e-8)
"""For cheap models in double precision, relaxed to tight criteria."""


class State(NamedTuple):
    """The minimisation of one crystal of n atoms; arrays are changed in place.

    Attributes
    ----------
    cell, inverse : ndarray, shape (3, 3)
        Starting cell and its inverse.
    projectors : ndarray, shape (n, 3, 3) or (0, 3, 3)
        Onto the directions in which each atom may move; empty where all atoms are free.
    x, gradient : ndarray, shape (3 n + 9,)
        Accepted point and its gradient.
    trial : ndarray, shape (3 n + 9,)
        Point to evaluate next.
    steps, yields : ndarray, shape (history, 3 n + 9)
    rho : ndarray, shape (history,)
    real : ndarray, shape (4,)
        Enthalpy, trial's fraction of the full step, slope along it, length of the strain.
    count : ndarray of int64, shape (4,)
        Pairs stored, newest pair, steps refused in a row, steps accepted.
    rules : Rules
    """

    cell: np.ndarray
    inverse: np.ndarray
    projectors: np.ndarray
    x: np.ndarray
    gradient: np.ndarray
    trial: np.ndarray
    steps: np.ndarray
    yields: np.ndarray
    rho: np.ndarray
    real: np.ndarray
    count: np.ndarray
    rules: Rules

    @property
    def steps_accepted(self) -> int:
        """Number of steps accepted until now."""
        return int(self.count[_ACCEPTED])


def start_minimisation(
    crystal: Crystal,
    *,
    rules: Rules = LEARNED,
    history: int = 20,
    free: NDArray[np.bool_] | None = None,
    stiffness_length: float = 1.6,
) -> State:
    """Return the state at the start; its trial is the crystal as given.

    Parameters
    ----------
    crystal
        Start.
    rules
        How bold the optimiser is.
    history
        Pairs of steps and gradient changes that it keeps.
    free
        Fractional coordinates that may change, shape (n_atoms, 3); all by default.
    stiffness_length
        Å; strain times this length and sqrt(n) is about as stiff as a position.
    """
    size = 3 * crystal.n_atoms + 9
    x = np.zeros(size)
    x[:-9] = crystal.positions.ravel()
    cell = np.array(crystal.cell)
    return State(
        cell=cell,
        inverse=np.linalg.inv(cell),
        projectors=np.zeros((0, 3, 3)) if free is None else free_projectors(cell, free),
        x=x,
        gradient=np.zeros(size),
        trial=x.copy(),
        steps=np.zeros((history, size)),
        yields=np.zeros((history, size)),
        rho=np.zeros(history),
        real=np.array([np.nan, 1.0, 0.0, stiffness_length * np.sqrt(crystal.n_atoms)]),
        count=np.array([0, -1, 0, 0]),
        rules=rules,
    )


@njit(cache=True, nogil=True)
def deformation(state, point):
    """Return the deformation (3, 3) at a point, and the eigensystem of the strain."""
    strain = point[-9:].copy().reshape(3, 3) / state.real[_LENGTH]
    values, vectors = eigensystem(strain)
    return of_eigensystem(np.exp(values), vectors), values, vectors


@njit(cache=True, nogil=True)
def gradient_at(state, forces, virial, values, vectors, deform, move_cell):
    """Return the gradient by the variables from forces (eV/Å) and virial (eV, dH/dstrain)."""
    gradient = np.zeros(state.x.size)
    by_position = -times3(forces, deform)
    if state.projectors.shape[0] > 0:
        by_position = projected(by_position, state.projectors)
    gradient[:-9] = by_position.ravel()
    if move_cell:
        exponentials = np.exp(values)
        inverse = of_eigensystem(1.0 / exponentials, vectors)
        by_deform = times3(times3(vectors.T, times3(virial, inverse)), vectors)
        for i in range(3):
            for j in range(3):
                gap = values[i] - values[j]
                if abs(gap) < 1e-7:
                    by_deform[i, j] *= np.exp(0.5 * (values[i] + values[j]))
                else:
                    by_deform[i, j] *= (exponentials[i] - exponentials[j]) / gap
        by_strain = times3(times3(vectors, by_deform), vectors.T)
        gradient[-9:] = (0.5 * (by_strain + by_strain.T)).ravel() / state.real[_LENGTH]
    return gradient


@njit(cache=True, nogil=True)
def take_in(state, enthalpy, forces, virial, move_cell, blocked):
    """Take in the evaluation of the trial and choose the next one.

    Parameters
    ----------
    state
        Changed in place.
    enthalpy, forces, virial
        At the trial: eV, eV/Å and eV (derivative of the enthalpy by strain, symmetric).
    move_cell
        Whether the cell moves.
    blocked
        Whether the trial must not be accepted, however low it lies.

    Returns
    -------
    int
        ACCEPTED, REFUSED, or STALLED where no shorter step helps either.
    """
    real, count, rules = state.real, state.count, state.rules
    first = not np.isfinite(real[_ENTHALPY])
    if not first:
        rise = enthalpy - real[_ENTHALPY]
        allowed = (
            rules.rise * (state.x.size // 3 - 3)
            + rules.armijo * real[_SCALE] * real[_SLOPE]
            + rules.noise * abs(real[_ENTHALPY])
        )
        if rise > allowed or blocked:
            if count[_FAILED] < rules.patience:
                _shorten(state, rise)
                return REFUSED
            if rules.restarts:
                if count[_STORED] == 0:
                    return STALLED
                count[_STORED] = 0
                _propose(state, rules.restart_move)
                return REFUSED
    deform, values, vectors = deformation(state, state.trial)
    gradient = gradient_at(state, forces, virial, values, vectors, deform, move_cell)
    if not first:
        _remember(state, gradient)
        count[_ACCEPTED] += 1
    state.x[:] = state.trial
    state.gradient[:] = gradient
    real[_ENTHALPY] = enthalpy
    _propose(state, rules.max_move)
    return ACCEPTED


@njit(cache=True, nogil=True)
def advance(state, enthalpy, forces, virial, move_cell):
    """Take in the evaluation of the trial; return whether it was accepted, and the next geometry.

    Parameters
    ----------
    state, enthalpy, forces, virial, move_cell
        As in :func:`take_in`.

    Returns
    -------
    accepted : bool
    cell : ndarray, shape (3, 3)
        Å.
    scaled : ndarray, shape (n_atoms, 3)
        Fractional coordinates, not wrapped.
    """
    accepted = take_in(state, enthalpy, forces, virial, move_cell, False) == ACCEPTED
    deform, _, _ = deformation(state, state.trial)
    scaled = times3(state.trial[:-9].copy().reshape(-1, 3), state.inverse)
    return accepted, times3(state.cell, deform), scaled


@njit(cache=True, nogil=True)
def _shorten(state, rise):
    real = state.real
    state.count[_FAILED] += 1
    guess = -0.5 * real[_SLOPE] * real[_SCALE] / max(rise / real[_SCALE] - real[_SLOPE], 1e-300)
    shrunk = min(max(guess, 0.1 * real[_SCALE]), 0.5 * real[_SCALE])
    state.trial[:] = state.x + (state.trial - state.x) * (shrunk / real[_SCALE])
    real[_SCALE] = shrunk


@njit(cache=True, nogil=True)
def _remember(state, gradient):
    s, y = state.trial - state.x, gradient - state.gradient
    sy = _dot(s, y)
    if sy > state.rules.curvature * np.sqrt(_dot(s, s) * _dot(y, y)):
        newest = (state.count[_NEWEST] + 1) % state.rho.size
        state.count[_NEWEST] = newest
        state.count[_STORED] = min(state.count[_STORED] + 1, state.rho.size)
        state.steps[newest], state.yields[newest], state.rho[newest] = s, y, 1.0 / sy


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _dot(first, second):
    """Return the scalar product; for short vectors much faster than a call of BLAS."""
    total = 0.0
    for k in range(first.size):
        total += first[k] * second[k]
    return total


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add(vector, factor, other):
    """Add a multiple of another vector in place."""
    for k in range(vector.size):
        vector[k] += factor * other[k]


@njit(cache=True, nogil=True)
def _propose(state, max_move):
    """Set the trial one L-BFGS step from the accepted point."""
    direction = -state.gradient
    stored, newest, history = state.count[_STORED], state.count[_NEWEST], state.rho.size
    weights = np.empty(history)
    for m in range(stored):
        k = (newest - m) % history
        weights[k] = state.rho[k] * _dot(state.steps[k], direction)
        _add(direction, -weights[k], state.yields[k])
    if stored > 0:
        direction /= state.rho[newest] * _dot(state.yields[newest], state.yields[newest])
    else:
        direction *= state.rules.first_step
    for m in range(stored - 1, -1, -1):
        k = (newest - m) % history
        weight = weights[k] - state.rho[k] * _dot(state.yields[k], direction)
        _add(direction, weight, state.steps[k])
    slope = _dot(direction, state.gradient)
    if not slope < 0.0:
        state.count[_STORED] = 0
        direction = -state.rules.first_step * state.gradient
        slope = _dot(direction, state.gradient)
    excess = 1.0
    for i in range(direction.size // 3 - 3):
        move = np.sqrt(
            direction[3 * i] ** 2 + direction[3 * i + 1] ** 2 + direction[3 * i + 2] ** 2
        )
        excess = max(excess, move / max_move)
    for k in range(direction.size - 9, direction.size):
        excess = max(excess, abs(direction[k]) / (state.rules.max_strain * state.real[_LENGTH]))
    state.trial[:] = state.x + direction / excess
    state.real[_SCALE] = 1.0
    state.real[_SLOPE] = slope / excess
    state.count[_FAILED] = 0
