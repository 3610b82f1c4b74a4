"""Ordered supercells: two elements of the target on one site of a known structure.

This takes over from merge-and-split where the orbits of the merged element cannot be divided in
the ratio of the two elements: it orders them in a supercell of two to four primitive cells.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.library.derived import Branch, Plan
from nucleate.library.orderings import MixedSites, orderings
from nucleate.library.scaling import volume_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.derived import Merge
    from nucleate.library.library import Library
    from nucleate.library.ranking import Coloured

LARGEST_INDEX = 4
_PARENTS = 3
_ORDERINGS = 8
_MOST_SITES = 16


def ordered_supercells(
    library: Library,
    elements: Sequence[int],
    counts: Sequence[int],
    pairs: Iterable[Merge],
    space: SearchSpace | None,
) -> Iterator[Branch]:
    """Yield ordered supercells of the prototypes of smaller compositions.

    Parameters
    ----------
    library, elements, counts, pairs
        As for :func:`nucleate.library.derived.merged_and_split`.
    space
        Its limit of atoms.
    """
    limit = space.max_atoms if space is not None else 52
    parents = [
        (item.vote * pair.likeness, item, pair)
        for pair in pairs
        if elements[pair.kept] < elements[pair.given]  # both ways give the same sites
        for item in islice(pair.ballot.ranked(), _PARENTS)
    ]
    parents.sort(key=lambda parent: -parent[0])
    for vote, item, pair in parents[:_PARENTS]:
        kinds = int(elements[pair.kept]), int(elements[pair.given])
        shares = counts[pair.kept], counts[pair.given]
        yield Branch(vote, partial(_ordered, library, item, kinds, shares, vote, limit))


def _ordered(
    library: Library,
    item: Coloured,
    pair: tuple[int, int],
    shares: tuple[int, int],
    vote: float,
    limit: int,
) -> Iterator[Plan]:
    if not item.entries:
        return
    number, coloured = item.entries[0]
    parent = library.crystal(number, coloured)
    sites = np.flatnonzero(parent.numbers == pair[0])
    whole = shares[0] + shares[1]
    least = whole // gcd(whole, len(sites) * shares[1])
    if least > LARGEST_INDEX or len(sites) * least > _MOST_SITES:
        return
    amounts = {z: len(sites) * share / whole for z, share in zip(pair, shares, strict=True)}
    found = orderings(
        parent,
        [MixedSites(tuple(int(s) for s in sites), amounts)],
        max_atoms=limit,
        most=_ORDERINGS,
        least_index=max(least, 1),
        largest_index=min(2 * least, LARGEST_INDEX) if least > 1 else 2,
    )
    for ordering in found:
        crystal = ordering.crystal
        swollen = crystal.replace(cell=crystal.cell * _swelling(crystal, pair) ** (1.0 / 3.0))
        yield Plan(vote / len(found), "ordered-supercell", number, (), crystal=swollen)


def _swelling(crystal: Crystal, pair: tuple[int, int]) -> float:
    """Return the expected volume relative to that of the merged composition."""
    merged = np.where(crystal.numbers == pair[1], pair[0], crystal.numbers)
    return volume_ratio(crystal.numbers, merged)
