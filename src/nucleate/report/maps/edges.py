"""Lines and faces of a hull as it is drawn: which stable phases are in equilibrium."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, QhullError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.mapping.hull import Hull

_TOUCHES = 1e-7


def tie_lines(hull: Hull) -> list[tuple[int, int]]:
    """Return the pairs of stable phases that a tie line joins, by their places.

    Parameters
    ----------
    hull
        With all corners, else there are none.
    """
    if hull.missing:
        return []
    vertices = np.array(hull.vertices, dtype=np.int64)
    shares, formation = hull.shares[vertices], hull.formation[vertices]
    found: set[tuple[int, int]] = set()
    for plane in hull.potentials:
        touching = np.flatnonzero(np.abs(formation - shares @ plane) < _TOUCHES)
        for first, second in _edges(shares[touching]):
            found.add(tuple(sorted((int(touching[first]), int(touching[second])))))  # type: ignore[arg-type]
    return sorted((int(vertices[a]), int(vertices[b])) for a, b in found)


def faces(hull: Hull) -> list[tuple[int, int, int]]:
    """Return the triangles between stable phases of a field of four corners, by their places.

    A section through the tetrahedron cuts them in lines. Empty for other fields, or without all
    corners.
    """
    if hull.missing or len(hull.members) != 4:
        return []
    vertices = np.array(hull.vertices, dtype=np.int64)
    shares, formation = hull.shares[vertices], hull.formation[vertices]
    found: set[tuple[int, ...]] = set()
    for plane in hull.potentials:
        touching = np.flatnonzero(np.abs(formation - shares @ plane) < _TOUCHES)
        for face in _triangles(shares[touching]):
            found.add(tuple(sorted(int(vertices[touching[k]]) for k in face)))
    return sorted(found)  # type: ignore[arg-type]


def _triangles(points: NDArray[np.float64]) -> list[tuple[int, ...]]:
    """Return the triangles on the surface of a body that four or more points of a facet span."""
    if len(points) <= 4:
        return list(combinations(range(len(points)), 3))
    try:
        simplices = ConvexHull(points[:, :-1]).simplices
    except QhullError:
        return []
    return [tuple(map(int, simplex)) for simplex in simplices]


def _edges(points: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the edges of a convex body that points of a facet span."""
    dimension = points.shape[1] - 1
    if len(points) <= dimension + 1 or dimension < 2:
        return _without_midpoints(points, list(combinations(range(len(points)), 2)))
    try:
        simplices = ConvexHull(points[:, :-1]).simplices
    except QhullError:
        return _without_midpoints(points, list(combinations(range(len(points)), 2)))
    return sorted({tuple(sorted(map(int, pair))) for s in simplices for pair in combinations(s, 2)})  # type: ignore[misc]


def _without_midpoints(
    points: NDArray[np.float64], pairs: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Leave out lines on which another of the points lies."""
    kept = []
    for first, second in pairs:
        line = points[second] - points[first]
        length = float(line @ line)
        is_free = True
        for other in range(len(points)):
            if other in (first, second) or length == 0.0:
                continue
            place = float((points[other] - points[first]) @ line) / length
            gap = points[other] - points[first] - place * line
            if 0.0 < place < 1.0 and float(gap @ gap) < 1e-16:
                is_free = False
        if is_free:
            kept.append((first, second))
    return kept
