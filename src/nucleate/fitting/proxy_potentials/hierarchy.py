"""Ridge regression of pair curves as sums: of a class, of two families of elements, of the pair.

What many pairs have in common is learned by all of them, so that a rare pair departs from its
relatives only as far as its own data ask for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.potentials.basis import ANIONS, N_CLASSES, N_CONTEXTS, pair_class, pair_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.fitting.proxy_potentials.system import System

_ALKALI = frozenset((3, 11, 19, 37, 55))
_ALKALINE_EARTH = frozenset((4, 12, 20, 38, 56))
_RARE_EARTH = frozenset((21, 39, *range(57, 72)))
_POST_TRANSITION = frozenset((13, 31, 49, 50, 81, 82, 83))
_SEMIMETAL = frozenset((5, 6, 14, 15, 32, 33, 51, 52))


def family_of(number: int) -> int:
    """Return the family of an element; hydrogen, every anion former and noble gas is its own."""
    if number in ANIONS or number == 1:
        return 100 + number
    families = (_ALKALI, _ALKALINE_EARTH, _RARE_EARTH, _POST_TRANSITION, _SEMIMETAL)
    for label, members in enumerate(families):
        if number in members:
            return label
    if number >= 89:
        return len(families)
    if number in {*range(22, 31), *range(40, 49), *range(72, 81)}:
        return len(families) + 1
    return 100 + number


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """Maps shared and single curves to the coefficients of each pair.

    Attributes
    ----------
    class_of, family : ndarray of int64, shape (n_contexts * n_pairs,)
        Class and pair of families of each pair in each context.
    size : int
        Functions of a curve.
    """

    class_of: NDArray[np.int64]
    family: NDArray[np.int64]
    size: int

    @classmethod
    def create(cls, elements: Sequence[int], size: int) -> Hierarchy:
        """Return the hierarchy of all pairs of some elements."""
        n = len(elements)
        n_pairs = n * (n + 1) // 2
        class_of, family = (np.zeros((N_CONTEXTS, n_pairs), dtype=np.int64) for _ in range(2))
        seen: dict[tuple[int, ...], int] = {}
        for i in range(n):
            for j in range(i, n):
                row = pair_index(i, j, n)
                pair = tuple(sorted((family_of(elements[i]), family_of(elements[j]))))
                for context in range(N_CONTEXTS):
                    kind = pair_class(elements[i], elements[j])
                    class_of[context, row] = context * N_CLASSES + kind
                    family[context, row] = seen.setdefault((context, *pair), len(seen))
        return cls(class_of.ravel(), family.ravel(), size)

    @property
    def groups(self) -> tuple[tuple[NDArray[np.int64], int], ...]:
        """Index of each pair in each level (the pair itself first) and the number of curves."""
        n = len(self.family)
        return (
            (np.arange(n), n),
            (self.family, int(self.family.max()) + 1),
            (self.class_of, int(self.class_of.max()) + 1),
        )

    def coefficients(self, curves: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the coefficients of each pair (n_pairs, size), the sum over the levels."""
        return sum(
            (curve[index] for curve, (index, _) in zip(curves, self.groups, strict=True)),
            start=np.zeros((len(self.family), self.size)),
        )

    def collected(self, coefficients: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the transposed map: sums over the pairs of each curve."""
        out = []
        for index, count in self.groups:
            total = np.zeros((count, self.size))
            np.add.at(total, index, coefficients.reshape(-1, self.size))
            out.append(total)
        return out


def fit_curves(
    system: System, hierarchy: Hierarchy, *, ridge: float, shared: float, iterations: int = 150
) -> NDArray[np.float64]:
    """Return changes of the coefficients (n_contexts * n_pairs, size) by ridge regression.

    Parameters
    ----------
    system
        Rows and targets; its columns are coefficients of pairs only.
    hierarchy
        Levels of curves.
    ridge
        Penalty of the curve of a pair: of its size and of its second differences.
    shared
        Penalty of the curves of two families, relative to ``ridge``; a tenth of it for classes.
    iterations
        Limit of conjugate-gradient steps.
    """
    unknowns = len(hierarchy.family) * hierarchy.size
    penalties = [ridge, ridge * shared, 0.1 * ridge * shared]

    def normal(curves: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        forward = system.times(hierarchy.coefficients(curves).ravel())
        back = hierarchy.collected(system.transposed(forward, unknowns))
        return [b + p * (c + _bent(c)) for b, p, c in zip(back, penalties, curves, strict=True)]

    squares = hierarchy.collected(system.squared_columns(unknowns))
    diagonal = [s + 7.0 * p for s, p in zip(squares, penalties, strict=True)]
    left = hierarchy.collected(system.transposed(system.target.astype(np.float64), unknowns))
    found = [np.zeros_like(part) for part in left]
    scaled = [a / d for a, d in zip(left, diagonal, strict=True)]
    along, product = scaled, _dot(left, scaled)
    limit = 1e-8 * product
    for _ in range(iterations):
        image = normal(along)
        step = product / _dot(along, image)
        found = [f + step * a for f, a in zip(found, along, strict=True)]
        left = [f - step * i for f, i in zip(left, image, strict=True)]
        scaled = [a / d for a, d in zip(left, diagonal, strict=True)]
        new = _dot(left, scaled)
        if new < limit:
            break
        along = [s + (new / product) * a for s, a in zip(scaled, along, strict=True)]
        product = new
    return hierarchy.coefficients(found)


def _dot(a: Sequence[NDArray[np.float64]], b: Sequence[NDArray[np.float64]]) -> float:
    return float(sum(np.vdot(x, y) for x, y in zip(a, b, strict=True)))


def _bent(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    second = np.diff(curves, 2, axis=1)
    out = np.zeros_like(curves)
    out[:, :-2] += second
    out[:, 1:-1] -= 2.0 * second
    out[:, 2:] += second
    return out
