"""Planes of a lower convex hull over a simplex of compositions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, QhullError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUPPORTS = 1e-10
"""eV/atom by which a point may lie below a plane of the hull."""

_SINGULAR = 1e-12
"""Volume of a facet, relative to that of the whole simplex, below which it has no plane."""


def potentials_of(
    shares: NDArray[np.float64], energies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the planes of the lower convex hull of points over a simplex.

    Parameters
    ----------
    shares
        Barycentric coordinates, (n_points, n_corners); every corner is among the points.
    energies
        Relative to the lowest points at the corners, so that these have 0.

    Returns
    -------
    ndarray of float64, shape (n_planes, n_corners)
        Value of each plane at the corners. The hull at shares x is the maximum of ``x @ plane``.
    """
    n_corners = shares.shape[1]
    ground = np.zeros((1, n_corners))
    below = np.flatnonzero((energies < 0.0) & (shares.max(axis=1) < 1.0 - 1e-12))
    if not below.size:
        return ground
    lowest = _lowest_of_each(shares, energies, below)
    points = np.concatenate([np.eye(n_corners), shares[lowest]])
    heights = np.concatenate([np.zeros(n_corners), energies[lowest]])
    planes = _by_qhull(points, heights)
    if planes is None or not _is_complete(planes, points, heights):
        planes = _by_programs(points, heights)
    return planes


def _lowest_of_each(
    shares: NDArray[np.float64], energies: NDArray[np.float64], chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the lowest of the chosen points at each composition."""
    order = chosen[np.argsort(energies[chosen], kind="stable")]
    _, first = np.unique(np.round(shares[order], 10), axis=0, return_index=True)
    return np.sort(order[first])


def _by_qhull(
    points: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the planes through the facets that Qhull finds, or None if it fails.

    A point far above the centre makes the set a solid one; the facets that contain it are not of
    the lower hull.
    """
    if points.shape[1] == 1:
        return heights.min().reshape(1, 1)
    scale = np.abs(heights).max()
    flat = np.column_stack([points[:, :-1], heights / scale])
    top = np.append(np.full(points.shape[1] - 1, 1.0 / points.shape[1]), 1.0)
    try:
        found = ConvexHull(np.vstack([flat, top]), qhull_options="Qt").simplices
    except (QhullError, ValueError):
        return None
    facets = found[(found < len(points)).all(axis=1)]
    corners = points[facets]
    solid = np.abs(np.linalg.det(corners)) > _SINGULAR
    if not solid.any():
        return None
    planes = np.linalg.solve(corners[solid], heights[facets[solid]][..., None])[..., 0]
    supports = (points @ planes.T - heights[:, None]).max(axis=0) <= _SUPPORTS
    return np.unique(np.round(planes[supports], 13), axis=0) if supports.any() else None


def _is_complete(
    planes: NDArray[np.float64], points: NDArray[np.float64], heights: NDArray[np.float64]
) -> bool:
    """Return whether the planes are a whole hull.

    Every edge of a lower hull over a simplex is in two facets or on the boundary, so a facet that
    is missing leaves points of the hull, or the middle between two neighbours on it, too low. It
    is checked at the points that Qhull calls vertices: they must lie on a plane.
    """
    value = (points @ planes.T).max(axis=1)
    return bool((value <= heights + _SUPPORTS).all() and (value[: points.shape[1]] > -1e-9).all())


def _by_programs(points: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the planes at every point, and at the middle of every pair, by linear programs.

    For input that is too nearly flat for Qhull.
    """
    n = len(points)
    middles = [(points[i] + points[j]) / 2 for i in range(n) for j in range(i)]
    centre = points.mean(axis=0)
    spots = np.array(
        [*(0.999 * points + 0.001 * centre), *(0.999 * np.array(middles) + 0.001 * centre)]
    )
    planes = [plane_at(spot, points, heights) for spot in spots]
    return np.unique(np.round(planes, 13), axis=0)


def plane_at(
    spot: NDArray[np.float64], points: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a plane below all points that is highest at a composition, by a linear program."""
    result = linprog(-spot, A_ub=points, b_ub=heights, bounds=(None, None), method="highs")
    if result.x is None:
        raise ArithmeticError(f"the hull cannot be found at {spot.tolist()}: {result.message}")
    return result.x
