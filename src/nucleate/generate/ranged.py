"""Random crystals within given ranges: symmetry operations, volume, minimum separations."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.symmetric import ATTEMPTS, ATTEMPTS_AT_ONE_SIZE, SymmetricGenerator
from nucleate.generate.symmetric_prior import positions
from nucleate.generate.wyckoff import N_SPACE_GROUPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.symmetric import _Content


class RangedGenerator(SymmetricGenerator):
    """Random crystals whose ingredients are equally likely within their ranges.

    The numbers of formula units and of symmetry operations are drawn first, each value with the
    same chance, then a space group with as many operations in its primitive cell, then an
    assignment to Wyckoff positions, all with the same chance. Nothing follows known structures but
    the shapes of the cells. P1 has one operation.

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    operations : (int, int)
        Smallest and largest number of operations.
    volume : (float, float)
        Range of the volume relative to the expected one, or to the one learned.
    """

    name = "random"

    def __init__(
        self, space: SearchSpace, *, operations: tuple[int, int], volume: tuple[float, float]
    ) -> None:
        super().__init__(space, exploration=1.0)
        self._operations = operations
        self._volume = volume
        self._ratio = space.start_ratio
        self._ranged: dict[int, _Content] = {}

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a random crystal, or None if none was found within the attempts of a draw."""
        allowed = [
            units
            for units in self.space.formula_units
            if max_formula_units is None or units <= max_formula_units
        ]
        units: int | None = None
        for attempt in range(ATTEMPTS if allowed else 0):
            if units is None or attempt % ATTEMPTS_AT_ONE_SIZE == 0:
                units = allowed[rng.integers(len(allowed))]
            candidate = self.attempt(units, rng=rng)
            if candidate is not None:
                return candidate
        return None

    def learn(self, separations: NDArray[np.float64], volume_per_atom: float) -> None:
        """Draw from now on with other minimum separations and another mean volume.

        Parameters
        ----------
        separations
            Å, shape (k, k) in the order of the elements of the composition. Never below the limits
            of the space; a crystal that cannot keep them is asked for shorter ones.
        volume_per_atom
            Å³. If it is so far outside the volumes of the space that hardly a crystal would be
            allowed, the nearest one is taken whose range is allowed.
        """
        self._usual = np.maximum(separations, self._limits)
        bounds = [
            edge / self.space.composition.volume_per_atom for edge in self.space.volume_bounds
        ]
        least, most = (edge / end for edge, end in zip(bounds, self._volume, strict=True))
        ratio = volume_per_atom / self.space.composition.volume_per_atom
        self._ratio = min(max(ratio, least), most) if least <= most else np.sqrt(least * most)

    def content(self, formula_units: int) -> _Content:
        """Return the chances of all space groups for a number of formula units."""
        if formula_units not in self._ranged:
            found = super().content(formula_units)
            low, high = self._operations
            orders = group_orders()
            fits = (found.flat_shares > 0.0) | (np.arange(orders.size) == 1)
            wanted = self.space.space_groups
            if wanted is not None:
                fits &= np.isin(np.arange(orders.size), sorted(wanted))
            fits &= (orders >= low) & (orders <= high)
            alike = np.bincount(orders[fits], minlength=int(orders.max()) + 1)
            shares = np.where(fits, 1.0 / np.maximum(alike[orders], 1), 0.0)
            flat = shares / max(shares.sum(), 1.0)
            self._ranged[formula_units] = replace(found, flat_shares=flat)
        return self._ranged[formula_units]

    def can_draw(self) -> bool:
        """Return whether any space group with operations in this range can hold the composition."""
        return any(self.content(units).flat_shares.any() for units in self.space.formula_units)

    @property
    def has_volume(self) -> bool:
        """Whether any volume of the range is one that the space allows."""
        small, large = (self._ratio * end for end in self._volume)
        expected = self.space.composition.volume_per_atom
        low, high = (edge / expected for edge in self.space.volume_bounds)
        return small < high and low < large

    def _stretch(self, rng: np.random.Generator) -> float:
        return float(self._ratio * rng.uniform(*self._volume))


@cache
def group_orders() -> NDArray[np.int64]:
    """Return the number of operations in the primitive cell of each group, shape (231,)."""
    places = positions()
    orders = [int(places.multiplicity[places.of(k)].max()) for k in range(1, N_SPACE_GROUPS + 1)]
    return np.array([0, *orders])
