"""Compiled densities of Parzen windows; import where needed (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

FLOOR = 1e-3
"""Density far from every point, relative to that at one."""


@njit(cache=True, fastmath=True)
def log_density(values, members, inverse_width, periodic):
    """Return the logarithm of the summed windows at some points, 0 where there are no members.

    A window falls with the mean square of the gaps, in units of the widths, of the numbers that
    can change.

    Parameters
    ----------
    values : ndarray of float64, shape (n, d)
        Where.
    members : ndarray of float64, shape (m, d)
        Centres of the windows.
    inverse_width : ndarray of float64, shape (d,)
        0 for a number that cannot change.
    periodic : ndarray of bool, shape (d,)
        Whether a number is periodic with period 1.
    """
    n, d = values.shape
    result = np.zeros(n)
    if members.shape[0] == 0:
        return result
    moving = max(1, np.sum(inverse_width > 0.0))
    for i in range(n):
        total = FLOOR
        for j in range(members.shape[0]):
            square = 0.0
            for k in range(d):
                gap = values[i, k] - members[j, k]
                if periodic[k]:
                    gap -= np.rint(gap)
                gap *= inverse_width[k]
                square += gap * gap
            total += np.exp(-0.5 * square / moving)
        result[i] = np.log(total)
    return result
