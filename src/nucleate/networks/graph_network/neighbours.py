"""Neighbour graphs of crystals: the k nearest images, or all within a radius."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.crystal.images import ALL, OTHERS, image_table, images_within

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
    reach = radius / height
    table = image_table(reach)
    room = 64
    atom = np.empty(room, np.int64)
    shift = np.empty((room, 3), np.int64)
    distance = np.empty(room, np.float64)
    found = 0
    for j in range(scaled.shape[0]):
        gap0 = scaled[j, 0] - scaled[centre, 0]
        gap1 = scaled[j, 1] - scaled[centre, 1]
        gap2 = scaled[j, 2] - scaled[centre, 2]
        which = OTHERS if j == centre else ALL
        n = images_within(cell, reach, gap0, gap1, gap2, radius, which, table)
        while found + n > room:
            room *= 2
            atom, distance = _grown(atom, room), _grown(distance, room)
            larger = np.empty((room, 3), np.int64)
            larger[:found] = shift[:found]
            shift = larger
        for m in range(n):
            atom[found] = j
            for k in range(3):
                shift[found, k] = int(table[m, k])
            distance[found] = np.sqrt(table[m, 6])
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
