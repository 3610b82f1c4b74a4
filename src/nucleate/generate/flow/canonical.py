"""One description of each crystal, so that its likelihood is a property of the crystal."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.generate.flow.cells import niggli

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHOLE = np.array(list(product((-1, 0, 1), repeat=3)), dtype=np.float64)

ALIKE = 2e-3
"""Metrics are the same within this share of the square of the longest edge."""

STEPS_OF_AN_EDGE = 500
"""Fractional coordinates are compared in multiples of 1/500."""


def canonical(crystal: Crystal) -> Crystal:
    """Return a crystal in its Niggli cell, whatever its axes, origin, order or handedness were.

    A metric with equal edges or right angles has several Niggli bases, and each has its inverse.
    Of all of them, with every atom of the rarest element as the origin, that one is taken in which
    the sorted coordinates come first. A crystal and its mirror image have the same description, as
    the flow does not tell them apart.

    Raises
    ------
    ValueError
        If the cell has no volume, or no Niggli cell is found.
    """
    reduced = niggli(crystal)
    numbers = reduced.numbers
    kinds, sizes = np.unique(numbers, return_counts=True)
    rare = np.flatnonzero(numbers == kinds[sizes.argmin()])
    best, key = reduced, None
    for matrix in _same_cells(reduced.cell):
        scaled = reduced.scaled @ np.linalg.inv(matrix)
        for origin in rare:
            moved = (scaled - scaled[origin]) % 1.0
            steps = np.rint(moved * STEPS_OF_AN_EDGE).astype(np.int64) % STEPS_OF_AN_EDGE
            order = np.lexsort([*steps.T[::-1], numbers])
            own = steps[order].ravel().tolist()
            if key is None or own < key:
                best, key = Crystal(numbers, matrix @ reduced.cell, moved[order]), own
    return best


def _same_cells(cell: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the changes of basis that leave the metric of a reduced cell as it is."""
    metric = cell @ cell.T
    tolerance = ALIKE * float(metric.diagonal().max())
    squares = np.einsum("ni,ij,nj->n", _WHOLE, metric, _WHOLE)
    rows = [_WHOLE[np.abs(squares - edge) < tolerance] for edge in metric.diagonal()]
    found = [np.array(matrix) for matrix in product(*rows)]
    return [
        matrix
        for matrix in found
        if abs(abs(np.linalg.det(matrix)) - 1.0) < 0.5
        and np.abs(matrix @ metric @ matrix.T - metric).max() < tolerance
    ]
