"""Expected volume of a composition from per-element volumes fitted on real structures."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from nucleate.crystal.elements import data_rows

if TYPE_CHECKING:
    from collections.abc import Mapping


def expected_volume(counts: Mapping[str, float]) -> float:
    """Return the expected volume in Å³ of so many atoms of each element.

    Parameters
    ----------
    counts
        Atoms of each element, for example ``{"Ca": 3, "Ti": 2, "O": 7}``.
    """
    table = _volumes()
    return sum(table[symbol] * count for symbol, count in counts.items())


@cache
def _volumes() -> dict[str, float]:
    return {row["symbol"]: float(row["volume_A3"]) for row in data_rows("volumes.csv")}
