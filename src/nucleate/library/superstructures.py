"""Ordered supercells: two elements of the target on one site of a known structure.

This takes over from merge-and-split where the orbits of the merged element cannot be divided in
the ratio of the two elements: it orders them in a supercell of two to four primitive cells.
"""

from __future__ import annotations

from itertools import permutations
from math import exp, gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.library.derived import Plan
from nucleate.library.orderings import MixedSites, orderings
from nucleate.library.ranking import rank
from nucleate.library.scaling import volume_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.library import Library

LARGEST_INDEX = 4
_PARENTS = 3
_ORDERINGS = 8
_MOST_SITES = 16
_TRUST = 1.0


def ordered_supercells(
    library: Library,
    elements: Sequence[int],
    counts: Sequence[int],
    hold_out: HoldOut,
    space: SearchSpace | None,
    least: float,
) -> Iterator[tuple[Plan, Crystal]]:
    """Yield ordered supercells of the prototypes of smaller compositions, and their plans.

    Parameters
    ----------
    library, elements, counts, hold_out
        As for :func:`nucleate.library.derived.merged_and_split`.
    space
        Its limit of atoms and formula units.
    least
        Parents with a smaller vote are left out.
    """
    limit = space.max_atoms if space is not None else 52
    parents = []
    for kept, given in permutations(range(len(elements)), 2):
        if elements[kept] > elements[given] and len(elements) > 1:
            continue  # both ways give the same sites: one of them is enough
        rest = [k for k in range(len(elements)) if k != given]
        smaller = [counts[k] + (counts[given] if k == kept else 0) for k in rest]
        unit = gcd(*smaller)
        likeness = exp(library.similarity[elements[kept], elements[given]] / 2.0)
        ranked = rank(
            library,
            [elements[k] for k in rest],
            [n // unit for n in smaller],
            hold_out,
            most=_PARENTS,
        )
        parents += [(item.vote * likeness * _TRUST, item, kept, given) for item in ranked]
    parents.sort(key=lambda parent: -parent[0])
    for vote, item, kept, given in parents[:_PARENTS]:
        if vote < least or not item.entries:
            continue
        number, coloured = item.entries[0]
        pair = int(elements[kept]), int(elements[given])
        shares = counts[kept], counts[given]
        yield from _ordered(library, number, coloured, pair, shares, vote, limit)


def _ordered(
    library: Library,
    number: int,
    coloured: tuple[int, ...],
    pair: tuple[int, int],
    shares: tuple[int, int],
    vote: float,
    limit: int,
) -> Iterator[tuple[Plan, Crystal]]:
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
        plan = Plan(vote / len(found), "ordered-supercell", number, ())
        yield (
            plan,
            ordering.crystal.replace(
                cell=ordering.crystal.cell * _swelling(ordering.crystal, pair) ** (1.0 / 3.0)
            ),
        )


def _swelling(crystal: Crystal, pair: tuple[int, int]) -> float:
    """Return the expected volume relative to that of the merged composition."""
    merged = np.where(crystal.numbers == pair[1], pair[0], crystal.numbers)
    return volume_ratio(crystal.numbers, merged)
