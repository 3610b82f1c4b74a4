"""Compiled search for fingerprints near to one, among many that are packed."""

from __future__ import annotations

import numpy as np
from numba import njit

VOLUME, NORM, LEVEL, GROUP, VALUE = range(5)
"""Columns of the keys: ln(volume per atom), norm of the shape, size of a level, group, value."""


@njit(cache=True, nogil=True)
def near_rows(
    keys, marks, codes, size, shape, mark, volume, norm, weight, within, group, value, value_within
):
    """Return places and distances of the rows nearer than ``within``.

    Volumes, values, norms and a few projections of the shapes (``marks``), which bound a distance
    from below, spare most of the comparisons; of the others most end after a few values.
    """
    places, distances = [0 for _ in range(0)], [0.0 for _ in range(0)]
    for row in range(size):
        strain = weight * (keys[row, VOLUME] - volume)
        if abs(strain) >= within:
            continue
        if keys[row, GROUP] == group and abs(keys[row, VALUE] - value) >= value_within:
            continue
        scale = 0.5 * (keys[row, NORM] ** 2 + norm**2)
        most = (within**2 - strain**2) * scale
        if 0.999 * (keys[row, NORM] - norm) ** 2 >= most:
            continue
        square = 0.0
        for column in range(mark.size):
            gap = marks[row, column] - mark[column]
            square += gap * gap
        if 0.999 * square >= most:
            continue
        level = keys[row, LEVEL]
        square = 0.0
        for column in range(shape.size):
            gap = level * codes[row, column] - shape[column]
            square += gap * gap
            if square >= most:
                break
        if square < most:
            places.append(row)
            distances.append(np.sqrt(square / scale + strain**2))
    return np.array(places, dtype=np.int64), np.array(distances, dtype=np.float64)
