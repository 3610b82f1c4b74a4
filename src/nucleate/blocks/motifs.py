"""The eight motifs: ways to fill a sub-module with one to four atoms."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SITE_NAMES = "AXDY"

SITES: NDArray[np.float64] = np.array(
    [[0.0, 0.0, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.5], [0.0, 0.5, 0.5]]
)
"""Sites of a sub-module as fractions of its edges: A (the origin), X, D, Y."""
SITES.setflags(write=False)

MOTIFS: tuple[tuple[int, ...], ...] = tuple(
    (0, *others) for n_others in range(4) for others in combinations((1, 2, 3), n_others)
)
"""The subsets of ``SITES`` that hold the origin site: A, AX, AD, AY, AXD, AXY, ADY, AXDY."""


def motif_name(motif: tuple[int, ...]) -> str:
    """Return the letters of a motif's sites, for example ``AXD``."""
    return "".join(SITE_NAMES[site] for site in motif)
