"""Cubic (C2) spline tables of pair energies on a uniform grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FLOOR = 0.3  # Å: pair energies continue as a straight line below


def taper(r: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """Return the quintic switch that goes from 1 at ``start`` to 0 at ``end`` (C2)."""
    u = np.clip((r - start) / max(end - start, 1e-12), 0.0, 1.0)
    return 1.0 - u**3 * (10.0 - 15.0 * u + 6.0 * u**2)


def spline_table(
    energy: Callable[[NDArray[np.float64]], NDArray[np.float64]], *, step: float, cutoff: float
) -> NDArray[np.float64]:
    """Sample a pair energy and return its natural cubic spline.

    Parameters
    ----------
    energy
        Pair energy as a function of distances in Å.
    step
        Distance of the knots in Å.
    cutoff
        The table reaches to the first knot at or beyond this distance.

    Returns
    -------
    ndarray of float64, shape (n_intervals, 4)
        Coefficients of powers of (r - r_k)/step.
    """
    r = np.arange(round(np.ceil(cutoff / step - 1e-9)) + 1) * step
    safe = np.maximum(r, FLOOR)
    values = energy(safe)
    below = r < FLOOR
    if below.any():
        delta = 1e-4
        low = energy(np.array([FLOOR, FLOOR + delta]))
        values[below] += (low[1] - low[0]) / delta * (r[below] - FLOOR)
    return cubic_coefficients(values)


def cubic_coefficients(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural cubic spline through equidistant values, in units of the spacing."""
    from scipy.linalg import solve_banded

    n = values.size
    bands = np.ones((3, n - 2))
    bands[1] = 4.0
    curvature = np.zeros(n)
    curvature[1:-1] = solve_banded((1, 1), bands, 6.0 * np.diff(values, 2))
    slope = np.diff(values) - (2.0 * curvature[:-1] + curvature[1:]) / 6.0
    return np.stack([values[:-1], slope, curvature[:-1] / 2.0, np.diff(curvature) / 6.0], axis=1)
