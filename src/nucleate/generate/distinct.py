"""One of each crystal, by their fingerprints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import (
    DUPLICATE_DISTANCE,
    fingerprint,
    fingerprint_distances,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from nucleate.crystal.crystal import Crystal


def distinct(
    crystals: Sequence[Crystal],
    *,
    most: int | None = None,
    kinds: Sequence[Hashable] | None = None,
    most_of_a_kind: int | None = None,
) -> list[int]:
    """Return the places of the crystals that repeat none before them.

    Parameters
    ----------
    crystals
        Of one composition, the best first.
    most
        Stop after so many.
    kinds
        What kind each is of.
    most_of_a_kind
        Take no more of a kind.
    """
    kept: list[int] = []
    taken: Counter[Hashable] = Counter()
    rows = np.empty((0, 0), dtype=np.float32)
    for place, crystal in enumerate(crystals):
        if most is not None and len(kept) >= most:
            break
        if kinds is not None and taken[kinds[place]] == most_of_a_kind:
            continue
        print_ = fingerprint(crystal)
        if kept and fingerprint_distances(print_, rows[: len(kept)]).min() < DUPLICATE_DISTANCE:
            continue
        if len(kept) == len(rows):
            grown = np.empty((max(64, 2 * len(rows)), print_.size), dtype=np.float32)
            grown[: len(kept)] = rows[: len(kept)] if kept else 0.0
            rows = grown
        rows[len(kept)] = print_
        kept.append(place)
        if kinds is not None:
            taken[kinds[place]] += 1
    return kept
