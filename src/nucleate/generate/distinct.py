"""One of each crystal, by their fingerprints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals

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
        Stop after this number.
    kinds
        What kind each is of.
    most_of_a_kind
        Take no more of a kind.
    """
    kept: list[int] = []
    taken: Counter[Hashable] = Counter()
    known = KnownCrystals()
    for place, crystal in enumerate(crystals):
        if most is not None and len(kept) >= most:
            break
        if kinds is not None and taken[kinds[place]] == most_of_a_kind:
            continue
        print_ = fingerprint(crystal)
        if known.matches(print_):
            continue
        known.add(place, print_)
        kept.append(place)
        if kinds is not None:
            taken[kinds[place]] += 1
    return kept
