"""Neighbour graphs of crystals: the k nearest images, or all within a radius."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


def heights(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances between opposite faces of the cell in Å, shape (3,)."""
    return 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)


def within_radius(
    cell: NDArray[np.float64], scaled: NDArray[np.float64], centre: int, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the atoms within `radius` Å of atom `centre`: indices, image shifts, distances.

    `scaled` must be wrapped into [0, 1). The atom itself is left out, its images are not.
    """
    return _within_radius(cell, heights(cell), scaled, centre, radius)


@njit(cache=True)
def _within_radius(
    cell: NDArray[np.float64],
    height: NDArray[np.float64],
    scaled: NDArray[np.float64],
    centre: int,
    radius: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    reach = radius / height + 1e-9
    n_atoms = scaled.shape[0]
    room = 64
    atom = np.empty(room, np.int64)
    shift = np.empty((room, 3), np.int64)
    distance = np.empty(room, np.float64)
    found = 0
    limit = radius * radius
    origin = scaled[centre]
    for j in range(n_atoms):
        f0 = scaled[j, 0] - origin[0]
        f1 = scaled[j, 1] - origin[1]
        f2 = scaled[j, 2] - origin[2]
        for a in range(int(np.ceil(-reach[0] - f0)), int(np.floor(reach[0] - f0)) + 1):
            for b in range(int(np.ceil(-reach[1] - f1)), int(np.floor(reach[1] - f1)) + 1):
                for c in range(int(np.ceil(-reach[2] - f2)), int(np.floor(reach[2] - f2)) + 1):
                    square = 0.0
                    for axis in range(3):
                        x = (
                            (f0 + a) * cell[0, axis]
                            + (f1 + b) * cell[1, axis]
                            + (f2 + c) * cell[2, axis]
                        )
                        square += x * x
                    if square > limit or (j == centre and a == 0 and b == 0 and c == 0):
                        continue
                    if found == room:
                        room *= 2
                        atom = _grown(atom, room)
                        distance = _grown(distance, room)
                        larger = np.empty((room, 3), np.int64)
                        larger[:found] = shift
                        shift = larger
                    atom[found] = j
                    shift[found, 0] = a
                    shift[found, 1] = b
                    shift[found, 2] = c
                    distance[found] = np.sqrt(square)
                    found += 1
    return atom[:found], shift[:found], distance[:found]


@njit(cache=True)
def _grown(values: NDArray, room: int) -> NDArray:
    larger = np.empty(room, values.dtype)
    larger[: values.size] = values
    return larger


def nearest(
    cell: NDArray[np.float64],
    scaled: NDArray[np.float64],
    centres: NDArray[np.int64],
    count: int,
    r_max: float,
) -> tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.bool_]]:
    """Return the `count` nearest images around each centre, in order of distance.

    Where fewer than `count` lie within `r_max` Å the rest is padding (index of the centre,
    shift 0, mask False).

    Returns
    -------
    tuple of ndarray
        Atom indices (n, count), image shifts (n, count, 3) relative to the wrapped atoms, and
        the mask (n, count) of real neighbours.
    """
    volume = abs(np.linalg.det(cell)) / scaled.shape[0]
    start = min(r_max, 1.25 * (3.0 * count * volume / (4.0 * np.pi)) ** (1.0 / 3.0))
    return _nearest(cell, heights(cell), scaled, centres, count, start, r_max)


@njit(cache=True)
def _nearest(
    cell: NDArray[np.float64],
    height: NDArray[np.float64],
    scaled: NDArray[np.float64],
    centres: NDArray[np.int64],
    count: int,
    start: float,
    r_max: float,
) -> tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.bool_]]:
    n_centres = centres.size
    index = np.empty((n_centres, count), np.int32)
    shifts = np.zeros((n_centres, count, 3), np.int8)
    mask = np.zeros((n_centres, count), np.bool_)
    for row in range(n_centres):
        centre = centres[row]
        radius = start
        atom, shift, distance = _within_radius(cell, height, scaled, centre, radius)
        while atom.size < count and radius < r_max:
            radius = min(r_max, 1.25 * radius)
            atom, shift, distance = _within_radius(cell, height, scaled, centre, radius)
        order = np.argsort(distance)
        for k in range(count):
            if k < order.size:
                index[row, k] = atom[order[k]]
                shifts[row, k, 0] = shift[order[k], 0]
                shifts[row, k, 1] = shift[order[k], 1]
                shifts[row, k, 2] = shift[order[k], 2]
                mask[row, k] = True
            else:
                index[row, k] = centre
    return index, shifts, mask
