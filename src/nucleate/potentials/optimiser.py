"""Compiled variable-cell L-BFGS: positions and deformation gradient together.

The variables are the positions ``u`` in the frame of the starting cell and the deformation
gradient ``D`` (scaled by ``sqrt(n) * stiffness length``), so that ``x = u D^T`` and
``cell = cell_0 D^T``; the gradient of the enthalpy in both is exact.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from nucleate.potentials.kernels import energy_sum, inverse3, neighbours

HISTORY = 48
CONVERGED, OUT_OF_STEPS, STALLED, OVERLAP, SHRUNK, EXPLODED, NOT_FINITE = range(7)
_SKIN = 1.5
_FIRST_STEP = 1.0 / 70.0


@njit(cache=True, nogil=True)
def _stale(u, built_u, deform, built_inverse, cutoff, skin):
    """Return whether a pair now inside the cut-off can be missing from the neighbour list."""
    change = deform @ built_inverse
    spread = 0.0
    for a in range(3):
        for b in range(3):
            spread += (change[a, b] - (1.0 if a == b else 0.0)) ** 2
    largest = 0.0
    for i in range(u.shape[0]):
        moved = 0.0
        for a in range(3):
            d = 0.0
            for b in range(3):
                d += deform[a, b] * (u[i, b] - built_u[i, b])
            moved += d * d
        largest = max(largest, moved)
    return (1.0 - math.sqrt(spread)) * (cutoff + skin) - 2.0 * math.sqrt(largest) < cutoff


@njit(cache=True, nogil=True)
def _residuals(forces, virial, volume, pressure):
    """Return the largest force, largest stress component and RMS of the whole gradient."""
    n = forces.shape[0]
    force = stress = total = 0.0
    for i in range(n):
        f2 = forces[i, 0] ** 2 + forces[i, 1] ** 2 + forces[i, 2] ** 2
        force = max(force, f2)
        total += f2
    for a in range(3):
        for b in range(a, 3):
            w = 0.5 * (virial[a, b] + virial[b, a]) + (pressure * volume if a == b else 0.0)
            stress = max(stress, abs(w) / volume)
            total += w * w / n
    return math.sqrt(force), stress, math.sqrt(total / (3 * n + 6))


@njit(cache=True, nogil=True)
def _direction(gradient, steps, yields, rho, stored, newest, out, weights):
    """Two-loop recursion of L-BFGS: ``out`` = -H gradient."""
    out[:] = -gradient
    if stored == 0:
        out *= _FIRST_STEP
        return
    for m in range(stored):
        k = (newest - m) % HISTORY
        weights[k] = rho[k] * np.dot(steps[k], out)
        out -= weights[k] * yields[k]
    out *= 1.0 / (rho[newest] * np.dot(yields[newest], yields[newest]))
    for m in range(stored - 1, -1, -1):
        k = (newest - m) % HISTORY
        out += (weights[k] - rho[k] * np.dot(yields[k], out)) * steps[k]


@njit(cache=True, nogil=True)
def _limited(direction, n, max_step, length):
    """Scale the step so that no atom moves further than ``max_step`` and no strain too far."""
    largest = 0.0
    for i in range(n):
        d2 = direction[3 * i] ** 2 + direction[3 * i + 1] ** 2 + direction[3 * i + 2] ** 2
        largest = max(largest, math.sqrt(d2) / max_step)
    for k in range(3 * n, 3 * n + 9):
        largest = max(largest, abs(direction[k]) / (length * 0.06))
    if largest > 1.0:
        direction /= largest


@njit(cache=True, nogil=True)
def relax_cell(
    scaled, cell, kind, t, pressure, move_cell, fmax, smax, rms, max_steps, volume_range, contact
):
    """Minimise the enthalpy over positions and cell.

    Parameters
    ----------
    scaled, cell, kind
        Fractional coordinates (n, 3), lattice rows (3, 3) and species indices (n,).
    t
        :class:`~nucleate.potentials.kernels.Tables`.
    pressure
        eV/Å^3.
    move_cell
        Whether the cell is relaxed too.
    fmax, smax, rms
        Ends when the largest force < ``fmax`` (eV/Å) and the largest stress component
        < ``smax`` (eV/Å^3), or when the root mean square of the gradient < ``rms``.
    max_steps
        Limit of accepted steps.
    volume_range
        Smallest and largest volume in Å^3.
    contact
        Shortest distance in Å below which the crystal has collapsed.

    Returns
    -------
    tuple
        status, energy, scaled, cell, forces, virial, steps, evaluations.
    """
    n = kind.size
    size = 3 * n + 9
    length = 1.6 * math.sqrt(n)
    x = np.zeros(size)
    u = scaled @ cell
    x[: 3 * n] = u.ravel()
    for d in range(3):
        x[3 * n + 4 * d] = length
    forces, virial = np.zeros((n, 3)), np.zeros((3, 3))
    gradient, trial_gradient = np.zeros(size), np.zeros(size)
    steps, yields = np.zeros((HISTORY, size)), np.zeros((HISTORY, size))
    rho, weights = np.zeros(HISTORY), np.zeros(HISTORY)
    direction, trial = np.zeros(size), x.copy()
    stored, newest = 0, -1
    skin = _SKIN
    first, other, shift = neighbours(u, cell, t.cutoff + skin)
    built_u, built_inverse = u.copy(), np.eye(3)
    energy = enthalpy = 0.0
    volume = 1.0
    evaluations = accepted = failures = 0
    scale = 1.0
    status = OUT_OF_STEPS
    final_cell, pos = cell.copy(), u.copy()
    best_forces, best_virial = forces.copy(), virial.copy()
    slope = 0.0
    while True:
        deform = trial[3 * n :].copy().reshape(3, 3) / length
        u = trial[: 3 * n].copy().reshape(n, 3)
        new_cell = cell @ deform.T
        inv_deform, det = inverse3(deform)
        _, cell_det = inverse3(new_cell)
        new_volume = abs(cell_det)
        if not (new_volume > volume_range[0] and det > 0.0):
            status = SHRUNK if math.isfinite(new_volume) else NOT_FINITE
            break
        if new_volume > volume_range[1]:
            status = EXPLODED
            break
        new_pos = u @ deform.T
        if _stale(u, built_u, deform, built_inverse, t.cutoff, skin):
            first, other, shift = neighbours(new_pos, new_cell, t.cutoff + skin)
            built_u, built_inverse = u.copy(), inv_deform
        new_energy, shortest = energy_sum(
            new_pos, new_cell, kind, first, other, shift, t, forces, virial
        )
        evaluations += 1
        new_enthalpy = new_energy + pressure * new_volume
        if evaluations == 1 and shortest < contact:
            status = OVERLAP
            break
        if not math.isfinite(new_enthalpy):
            status = NOT_FINITE
            break
        step_up = new_enthalpy - enthalpy
        if evaluations > 1 and (
            step_up > 1e-4 * scale * slope + 1e-11 * abs(enthalpy) or shortest < contact
        ):
            failures += 1
            if failures > 12:
                if stored == 0:
                    status = OVERLAP if shortest < contact else STALLED
                    break
                stored, failures, scale = 0, 0, 1.0
                _direction(gradient, steps, yields, rho, stored, newest, direction, weights)
                _limited(direction, n, 0.05, length)
                slope = np.dot(direction, gradient)
            else:
                guess = -0.5 * slope * scale / max(step_up / scale - slope, 1e-300)
                scale = min(max(guess, 0.1 * scale), 0.5 * scale)
            trial = x + scale * direction
            continue
        for i in range(n):
            for a in range(3):
                trial_gradient[3 * i + a] = -(
                    forces[i, 0] * deform[0, a]
                    + forces[i, 1] * deform[1, a]
                    + forces[i, 2] * deform[2, a]
                )
        for a in range(3):
            for b in range(3):
                value = 0.0
                if move_cell:
                    for c in range(3):
                        w = virial[a, c] + (pressure * new_volume if a == c else 0.0)
                        value += w * inv_deform[b, c]
                trial_gradient[3 * n + 3 * a + b] = value / length
        if evaluations > 1:
            s, y = trial - x, trial_gradient - gradient
            sy = np.dot(s, y)
            if sy > 1e-8 * math.sqrt(np.dot(s, s) * np.dot(y, y)):
                newest = (newest + 1) % HISTORY
                stored = min(stored + 1, HISTORY)
                steps[newest], yields[newest], rho[newest] = s, y, 1.0 / sy
            accepted += 1
        x[:] = trial
        gradient[:] = trial_gradient
        energy, enthalpy, volume = new_energy, new_enthalpy, new_volume
        final_cell, pos = new_cell, new_pos
        best_forces[:] = forces
        best_virial[:] = virial
        force, stress, norm = _residuals(forces, virial, volume, pressure)
        if not move_cell:
            stress = 0.0
        if (force < fmax and stress < smax) or norm < rms:
            status = CONVERGED
            break
        if accepted >= max_steps:
            break
        _direction(gradient, steps, yields, rho, stored, newest, direction, weights)
        slope = np.dot(direction, gradient)
        if not slope < 0.0:
            stored = 0
            _direction(gradient, steps, yields, rho, stored, newest, direction, weights)
        _limited(direction, n, 0.3, length)
        slope = np.dot(direction, gradient)
        scale, failures = 1.0, 0
        trial = x + direction
    inv_final, _ = inverse3(final_cell)
    return (
        status,
        energy,
        pos @ inv_final,
        final_cell,
        best_forces,
        best_virial,
        accepted,
        evaluations,
    )
