"""How much a hull changes when one phase is added to it; import where needed (numba).

With planes mu of the present hull, a new phase at shares x_i and energy e_i below it lowers the
hull at x to ``min over t of [t e_i + max over mu of mu (x - t x_i)]``, where t, the amount of the
new phase, runs from 0 to the largest for which ``x - t x_i`` has no negative share. This is a
convex function of t made of straight pieces, whose minimum is found by crossing the steepest line
on either side.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_STEPS = 60


@njit(cache=True, nogil=True)
def lowerings(planes, spots, places, energies):
    """Return how far each of some new phases, on its own, lowers the hull.

    Parameters
    ----------
    planes
        Of the present hull, (n_planes, n_corners), eV/atom.
    spots
        Shares at which the hull is looked at, (n_spots, n_corners).
    places
        Shares of the new phases, (n_phases, n_corners).
    energies
        Their formation energies, (n_phases,), eV/atom.

    Returns
    -------
    ndarray of float64, shape (n_phases, n_spots)
        eV/atom, not negative.
    """
    n_planes = planes.shape[0]
    result = np.zeros((places.shape[0], spots.shape[0]))
    heights = spots @ planes.T
    on_top = np.empty(spots.shape[0], dtype=np.int64)
    for spot in range(spots.shape[0]):
        on_top[spot] = np.argmax(heights[spot])
    depths = places @ planes.T
    slopes = np.empty(n_planes)
    for phase in range(places.shape[0]):
        deepest = -np.inf
        for k in range(n_planes):
            slopes[k] = energies[phase] - depths[phase, k]
            deepest = max(deepest, -slopes[k])
        if deepest <= 0.0:
            continue
        for spot in range(spots.shape[0]):
            if slopes[on_top[spot]] >= 0.0:
                continue
            most = _most(spots[spot], places[phase])
            if most > 0.0:
                now = heights[spot, on_top[spot]]
                low = _minimum(heights[spot], slopes, most)
                result[phase, spot] = max(now - low, 0.0)
    return result


@njit(cache=True, nogil=True)
def _most(spot, place):
    """Return the largest amount of a phase in a composition."""
    most = np.inf
    for c in range(spot.size):
        if place[c] > 1e-12:
            most = min(most, spot[c] / place[c])
    return most


@njit(cache=True, nogil=True)
def _minimum(heights, slopes, most):
    """Return the minimum over 0 <= t <= most of the maximum of the lines height + t slope."""
    left = _highest(heights, slopes, 0.0, True)
    if slopes[left] >= 0.0:
        return heights[left]
    right = _highest(heights, slopes, most, False)
    if slopes[right] <= 0.0:
        return heights[right] + most * slopes[right]
    for _ in range(_STEPS):
        t = (heights[left] - heights[right]) / (slopes[right] - slopes[left])
        value = heights[left] + t * slopes[left]
        top = _highest(heights, slopes, t, True)
        if heights[top] + t * slopes[top] <= value + 1e-13:
            return value
        if slopes[top] == 0.0:
            return heights[top]
        if slopes[top] < 0.0:
            left = top
        else:
            right = top
    return value


@njit(cache=True, nogil=True)
def _highest(heights, slopes, t, steep):
    """Return the highest line at t; of equal ones the steepest upward, or the least steep."""
    best = 0
    for k in range(1, heights.size):
        gap = heights[k] + t * slopes[k] - heights[best] - t * slopes[best]
        if gap > 1e-13 or (gap > -1e-13 and (slopes[k] > slopes[best]) == steep):
            best = k
    return best
