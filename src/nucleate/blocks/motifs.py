"""The sites of the eight motifs: ways to fill a sub-module with one to four atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SITES: NDArray[np.float64] = np.array(
    [[0.0, 0.0, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.5], [0.0, 0.5, 0.5]]
)
"""Sites of a sub-module as fractions of its edges: A (the origin), X, D, Y.

The motifs are the subsets that hold A: A, AX, AD, AY, AXD, AXY, ADY, AXDY.
"""
SITES.setflags(write=False)
