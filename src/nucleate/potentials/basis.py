"""The form of a proxy pair potential: B-splines in ln(r/d0) on a wall, times a taper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HARD_ANIONS = frozenset((8, 9, 17, 35, 53))
ANIONS = HARD_ANIONS | {7, 16, 34}
SEMIMETALS = frozenset((1, 5, 6, 14, 15, 32, 33, 51, 52))
CONTEXTS = ("oxide or halide", "other compound", "metallic")
N_CONTEXTS = len(CONTEXTS)
METALLIC = CONTEXTS.index("metallic")
N_CLASSES = 6


@dataclass(frozen=True, slots=True)
class Basis:
    """Cubic B-splines on equidistant knots in ln(r/d0), tapered at the outer end.

    Attributes
    ----------
    start, spacing : float
        First knot and distance of the knots in ln(r/d0).
    size : int
        Number of functions.
    taper_start, cutoff : float
        Å.
    wall_height, wall_steepness : float
        The fixed wall is ``height exp(-steepness (r/d0 - 0.6))``.
    """

    start: float = float(np.log(0.6))
    spacing: float = 0.09
    size: int = 30
    taper_start: float = 5.5
    cutoff: float = 7.5
    wall_height: float = 0.3
    wall_steepness: float = 20.0

    def functions(self, ratio: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return every B-spline at ``r/d0``, shape (n, size); constant beyond the knots."""
        low, high = 1e-9, self.size - 3 - 1e-9
        t = np.clip((np.log(ratio) - self.start) / self.spacing, low, high)
        k = t.astype(np.int64)
        s = t - k
        pieces = ((1 - s) ** 3, 3 * s**3 - 6 * s**2 + 4, -3 * s**3 + 3 * s**2 + 3 * s + 1, s**3)
        out = np.zeros((ratio.size, self.size))
        rows = np.arange(ratio.size)
        for offset, piece in enumerate(pieces):
            out[rows, k + offset] = piece / 6.0
        return out

    def wall(self, ratio: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the fixed repulsive wall."""
        return self.wall_height * np.exp(-self.wall_steepness * (ratio - 0.6))


def context_of(numbers: NDArray[np.int64]) -> int:
    """Return 0 with O or a halogen, 1 with N, S or Se only, 2 for metals and intermetallics."""
    present = {int(z) for z in np.unique(numbers)}
    return 0 if present & HARD_ANIONS else 1 if present & ANIONS else 2


def element_type(number: int) -> int:
    """Return 0 for a metal, 1 for a semimetal, hydrogen or carbon, 2 for an anion former."""
    return 2 if number in ANIONS else 1 if number in SEMIMETALS else 0


def pair_class(a: int, b: int) -> int:
    """Return the class of a pair (0..5) from the types of its elements."""
    low, high = sorted((element_type(a), element_type(b)))
    return low * 3 - low * (low - 1) // 2 + high - low


def pair_index(i: int, j: int, n_elements: int) -> int:
    """Return the row of an unordered pair of element positions in a library."""
    low, high = (i, j) if i <= j else (j, i)
    return low * n_elements - low * (low - 1) // 2 + high - low
