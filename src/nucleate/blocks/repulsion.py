"""Pushing atoms apart until the minimum distances hold, in a fixed cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.crystal.images import adjacent_cells, is_beyond, nearest_image, reach_of
from nucleate.crystal.lattice import inverse_of, reduce_lattice

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MARGIN = 1.01
"""Pairs are moved to this multiple of their limit, so that the sweeps come to an end."""


def push_apart(
    scaled: ArrayLike,
    cell: ArrayLike,
    kinds: ArrayLike,
    limits: ArrayLike,
    *,
    max_sweeps: int = 100,
) -> NDArray[np.float64] | None:
    """Return coordinates in which no two atoms are closer than their limit.

    Sweeps over all pairs move both atoms of a pair that is too close by the same distance along
    their connection. Atoms that are far enough from all others stay where they are.

    Parameters
    ----------
    scaled : array_like of float, shape (n, 3)
        Fractional coordinates; no two atoms may coincide.
    cell : array_like of float, shape (3, 3)
        Rows are the lattice vectors in Å.
    kinds : array_like of int, shape (n,)
        Index of each atom into ``limits``.
    limits : array_like of float, shape (n_kinds, n_kinds)
        Minimum distances in Å, all periodic images included.
    max_sweeps : int
        Maximum number of sweeps before giving up.

    Returns
    -------
    ndarray of float64, shape (n, 3), or None
        None if some pair is still too close, or an atom to its own images.
    """
    moved = np.array(scaled, dtype=np.float64, order="C")
    done = _sweep(
        moved,  # the others as writable copies: one compiled version for all
        np.array(cell, dtype=np.float64, order="C"),
        np.array(kinds, dtype=np.int64),
        np.array(limits, dtype=np.float64, order="C"),
        max_sweeps,
    )
    return moved if done else None


@njit(cache=True)
def _sweep(
    scaled: NDArray[np.float64],
    cell: NDArray[np.float64],
    kinds: NDArray[np.int64],
    limits: NDArray[np.float64],
    max_sweeps: int,
) -> bool:
    n_atoms = scaled.shape[0]
    inverse = np.linalg.inv(cell)
    reduced, change = reduce_lattice(cell)
    to_reduced = inverse_of(change)
    cells = adjacent_cells(reduced)
    unit, own = reach_of(reduced, 1.0), (reduced[0] ** 2).sum()
    gap = np.empty(3)
    for _ in range(max_sweeps):
        clear = True
        for i in range(n_atoms):
            for j in range(i, n_atoms):
                limit = float(limits[kinds[i], kinds[j]])
                if i == j:
                    if own < limit * limit:
                        return False
                    continue
                for axis in range(3):
                    gap[axis] = (
                        (scaled[j, 0] - scaled[i, 0]) * to_reduced[0, axis]
                        + (scaled[j, 1] - scaled[i, 1]) * to_reduced[1, axis]
                        + (scaled[j, 2] - scaled[i, 2]) * to_reduced[2, axis]
                    )
                if is_beyond(unit, gap[0], gap[1], gap[2], limit):
                    continue
                x, y, z, square = nearest_image(reduced, cells, gap[0], gap[1], gap[2])
                if square >= limit * limit:
                    continue
                if square == 0.0:
                    return False
                clear = False
                half = 0.5 * (MARGIN * limit / np.sqrt(square) - 1.0)
                for axis in range(3):
                    change = half * (
                        x * inverse[0, axis] + y * inverse[1, axis] + z * inverse[2, axis]
                    )
                    scaled[i, axis] -= change
                    scaled[j, axis] += change
        if clear:
            return True
    return False
