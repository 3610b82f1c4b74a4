"""One of each crystal, by their fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.fingerprint import (
    DUPLICATE_DISTANCE,
    fingerprint,
    fingerprint_distances,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal


def distinct(crystals: Sequence[Crystal], *, most: int | None = None) -> list[int]:
    """Return the places of the crystals that repeat none before them.

    Parameters
    ----------
    crystals
        Of one composition, the best first.
    most
        Stop after so many.
    """
    kept: list[int] = []
    rows = np.empty((0, 0), dtype=np.float32)
    for place, crystal in enumerate(crystals):
        if most is not None and len(kept) >= most:
            break
        print_ = fingerprint(crystal)
        if kept and fingerprint_distances(print_, rows[: len(kept)]).min() < DUPLICATE_DISTANCE:
            continue
        if len(kept) == len(rows):
            grown = np.empty((max(64, 2 * len(rows)), print_.size), dtype=np.float32)
            grown[: len(kept)] = rows[: len(kept)] if kept else 0.0
            rows = grown
        rows[len(kept)] = print_
        kept.append(place)
    return kept
