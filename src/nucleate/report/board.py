"""The best structures of a run while it is in progress."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.library.library import SHIPPED
from nucleate.report.rows import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.search.record import Record, SearchUpdate

SHOWN = 8


class Board:
    """Keeps each distinct structure once, at its lowest enthalpy, and of those the best.

    Parameters
    ----------
    tiers : sequence of str
        Names of the tiers in the order of the ladder.
    shown : int
        How many structures are kept.
    libraries : sequence of str
        By which they are named.
    """

    def __init__(
        self, tiers: Sequence[str], *, shown: int = SHOWN, libraries: Sequence[str] = (SHIPPED,)
    ) -> None:
        self._libraries = tuple(libraries)
        self._depths = {name: depth for depth, name in enumerate(tiers)}
        self._shown = shown
        self._best: list[tuple[tuple[int, float], int, Row]] = []

    def add(self, record: Record, update: SearchUpdate) -> bool:
        """Take note of a finished record; return whether it is on the board now."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return False
        order = (-self._depths.get(tier, 0), relaxed.enthalpy_per_atom)
        original = record.number if update.duplicate_of is None else update.duplicate_of
        others = [item for item in self._best if item[1] != original]
        if any(item[1] == original and item[0] <= order for item in self._best):
            return False
        if len(others) == self._shown and order >= others[-1][0]:
            return False
        row = replace(Row.of_record(record, update), libraries=self._libraries)
        item = (order, original, row)
        self._best = sorted([*others, item], key=lambda entry: entry[0])[: self._shown]
        return True

    @property
    def rows(self) -> list[Row]:
        """The best structures, ranked, with their enthalpies above the best of the same tier."""
        lowest: dict[str, float] = {}
        rows: list[Row] = []
        for rank, ((_, enthalpy), _, row) in enumerate(self._best, start=1):
            above = enthalpy - lowest.setdefault(row.tier, enthalpy)
            rows.append(replace(row, rank=rank, above_best=above))
        return rows
