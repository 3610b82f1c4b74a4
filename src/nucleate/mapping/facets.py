"""Planes of a lower convex hull over a simplex of compositions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUPPORTS = 1e-11
"""eV/atom by which a point may lie below a plane of the hull."""

_SINGULAR = 1e-13
"""Volume of a facet, relative to that of the whole simplex, below which it has no plane."""

_WHOLE = 1e-9
"""Part of the simplex that facets may leave uncovered."""


def potentials_of(
    shares: NDArray[np.float64], energies: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the planes of the lower convex hull of points over a simplex.

    Qhull finds the facets; their planes are solved for again, and those that lie above a point
    are dropped. Facets that are kept must cover the whole simplex.

    Parameters
    ----------
    shares
        Barycentric coordinates, (n_points, n_corners); every corner is among the points.
    energies
        Relative to the lowest points at the corners, so that these have 0.

    Returns
    -------
    ndarray of float64, shape (n_planes, n_corners), or None
        Value of each plane at the corners. The hull at shares x is the maximum of ``x @ plane``.
        None where the points are too nearly flat: :func:`lowest_mixtures` serves then.
    """
    points, heights = candidates_of(shares, energies)
    n_corners = shares.shape[1]
    if len(points) == n_corners:
        return np.zeros((1, n_corners))
    planes = _by_qhull(points, heights)
    return planes if planes is not None else _by_qhull(*_corners_only(points, heights))


def candidates_of(
    shares: NDArray[np.float64], energies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points that may be on the hull, and their energies.

    The corners first, then the lowest of every other composition that lies below them.
    """
    n_corners = shares.shape[1]
    below = np.flatnonzero((energies < 0.0) & (shares.max(axis=1) < 1.0 - _WHOLE))
    order = below[np.argsort(energies[below], kind="stable")]
    _, first = np.unique(np.round(shares[order], 10), axis=0, return_index=True)
    lowest = np.sort(order[first])
    points = np.concatenate([np.eye(n_corners), shares[lowest]])
    return points, np.concatenate([np.zeros(n_corners), energies[lowest]])


def _by_qhull(
    points: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the planes through the facets that Qhull finds; None unless they are all there.

    A point far above the centre makes the set a solid one; the facets that contain it are not of
    the lower hull.
    """
    from scipy.spatial import ConvexHull, QhullError  # takes long to load

    if len(points) == points.shape[1]:
        return np.zeros((1, len(points)))
    flat = np.column_stack([points[:, :-1], heights / np.abs(heights).max()])
    top = np.append(np.full(points.shape[1] - 1, 1.0 / points.shape[1]), 1.0)
    try:
        found = ConvexHull(np.vstack([flat, top]), qhull_options="Qt").simplices
    except (QhullError, ValueError):
        return None
    facets = found[(found < len(points)).all(axis=1)]
    corners = points[facets]
    volumes = np.abs(np.linalg.det(corners))
    solid = volumes > _SINGULAR
    planes = np.linalg.solve(corners[solid], heights[facets[solid]][..., None])[..., 0]
    supports = (planes @ points.T - heights).max(axis=1) <= _SUPPORTS
    if abs(volumes[solid][supports].sum() - 1.0) > _WHOLE:
        return None
    return np.asarray(np.unique(np.round(planes[supports], 14), axis=0), dtype=np.float64)


def _corners_only(
    points: NDArray[np.float64], heights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points that are below every mixture of the others."""
    kept = list(range(len(points)))
    for place in range(len(points) - 1, points.shape[1] - 1, -1):
        others = [k for k in kept if k != place]
        mixed = lowest_mixtures(points[place : place + 1], points[others], heights[others])[0]
        if heights[place] > mixed - _SUPPORTS:
            kept = others
    return points[kept], heights[kept]


def lowest_mixtures(
    spots: NDArray[np.float64], points: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the energy of the hull at compositions, each by a linear program.

    Parameters
    ----------
    spots
        Barycentric coordinates, (n, n_corners).
    points, heights
        What may be mixed: (n_points, n_corners), (n_points,).

    Raises
    ------
    ArithmeticError
        If a program has no solution.
    """
    from scipy.optimize import linprog  # takes long to load

    values = np.empty(len(spots))
    for place, spot in enumerate(spots):
        result = linprog(heights, A_eq=points.T, b_eq=spot, method="highs")
        if result.x is None:
            raise ArithmeticError(f"no hull at {spot.tolist()}: {result.message}")
        values[place] = result.fun
    return values
