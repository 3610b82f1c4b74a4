"""Walls below the shortest distances that were learned, where a fit knows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.contacts import shortest_contact

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.surrogate.descriptors import Layout

FRACTION = 0.95
"""Of the shortest distance learned, at which a wall begins."""


class ShortestDistances:
    """The shortest distance of every pair of elements among the crystals taken in."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.table = np.full((layout.n_elements,) * 2, np.inf)

    def take(self, crystal: Crystal) -> None:
        """Take in the distances of a crystal below 4 Å."""
        from nucleate.crystal.periodic import neighbour_list

        kinds = self._layout.kinds(crystal.numbers)
        pairs, distances = neighbour_list(np.array(crystal.cell), np.array(crystal.scaled), 4.0)
        np.minimum.at(self.table, (kinds[pairs[:, 0]], kinds[pairs[:, 1]]), distances)
        self.table = np.minimum(self.table, self.table.T)

    def walls(self) -> NDArray[np.float64]:
        """Return where the wall of each pair begins, in Å, shape (n_elements, n_elements).

        That is 0.95 of the shortest distance learned, and at most the shortest contact that the
        two elements make in known structures.
        """
        elements = self._layout.elements
        contacts = np.array([[shortest_contact(a, b) for b in elements] for a in elements])
        return np.minimum(FRACTION * self.table, contacts)
