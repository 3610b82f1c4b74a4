"""How alike two elements are in known compounds: counts, and the tables made from them.

*Shared slot* counts how often two elements stand in the same slot of the same protostructure,
after Hautier, Fischer, Ehrlacher, Jain and Ceder, Inorg. Chem. 50, 656 (2011). *One swap* asks how
often two compounds whose formulas differ in one element have the same protostructure, after Glawe,
Sanna, Gross and Marques, New J. Phys. 18, 093011 (2016). Both count a formula once a prototype.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

SIZE = 104
"""Tables are indexed by atomic number."""

_SLOT_PRIOR = 2.0
_SWAP_PRIOR = 5.0
_PETTIFOR_ORDER = (
    "He Ne Ar Kr Xe Rn Fr Cs Rb K Na Li Ra Ba Sr Ca Eu Yb Lu Tm Y Er Ho Dy Tb Gd Sm Pm Nd Pr Ce La "
    "Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Zr Hf Ti Ta Nb V Cr Mo W Re Tc Os Ru Ir Rh Pt Pd "
    "Au Ag Cu Ni Co Fe Mn Mg Zn Cd Hg Be Al Ga In Tl Pb Sn Ge Si B C N P As Sb Bi Po Te Se S O At "
    "I Br Cl F H"
)
"""The modified Pettifor scale of Glawe et al. (2016)."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts over pairs of elements; those of several libraries may be added.

    Attributes
    ----------
    shared : ndarray of float32, shape (104, 104)
        Weight of pairs in the same slot; a prototype of m compounds gives each m - 1 of it.
    same, total : ndarray of float32, shape (104, 104)
        Pairs of compounds that differ in one element: of the same protostructure, and all.
    """

    shared: NDArray[np.float32]
    same: NDArray[np.float32]
    total: NDArray[np.float32]

    def __add__(self, other: Counts) -> Counts:
        """Return the sum."""
        return Counts(self.shared + other.shared, self.same + other.same, self.total + other.total)

    def table(self) -> NDArray[np.float64]:
        """Return the similarity, shape (104, 104): 0 for the same element, else mostly negative.

        The mean of the logarithms of both counts, each against a prior.
        """
        return (_shared_slot(self.shared) + np.log(swap_chances(self.same, self.total))) / 2.0


def count_shared(groups: Iterable[NDArray[np.integer]]) -> NDArray[np.float32]:
    """Return how often pairs of elements share a slot.

    Parameters
    ----------
    groups
        For each prototype the elements of its compounds, shape (n_compounds, n_slots).
    """
    counts = np.zeros((SIZE, SIZE))
    for elements in groups:
        if len(elements) < 2:
            continue
        for slot in elements.T:
            kinds, found = np.unique(slot, return_counts=True)
            pairs = np.outer(found, found) - np.diag(found)
            counts[np.ix_(kinds, kinds)] += pairs / (len(elements) - 1)
    return counts.astype(np.float32)


def count_swaps(
    compounds: Iterable[tuple[tuple[tuple[int, int], ...], str]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how often exchanges of one element keep the protostructure, and all of them.

    Parameters
    ----------
    compounds
        Formula as (atomic number, count) pairs, and protostructure label.
    """
    labels: dict[tuple[tuple[int, int], ...], set[str]] = defaultdict(set)
    for items, label in compounds:
        labels[tuple(sorted(items))].add(label)
    families: dict[object, list[tuple[int, set[str]]]] = defaultdict(list)
    for items, found in labels.items():
        for k, (z, count) in enumerate(items):
            families[items[:k] + items[k + 1 :], count].append((z, found))
    same, total = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for family in families.values():
        for k, (z, mine) in enumerate(family):
            for other, theirs in family[:k]:
                common = len(mine & theirs) / max(len(mine), len(theirs))
                total[z, other] += 1.0
                same[z, other] += common
    return (same + same.T).astype(np.float32), (total + total.T).astype(np.float32)


def _shared_slot(counts: NDArray[np.float32]) -> NDArray[np.float64]:
    pairs = counts.astype(np.float64)
    whole = max(pairs.sum(), 1.0)
    share = (pairs.sum(axis=1) + 1.0) / (whole + SIZE)
    expected = np.outer(share, share)
    prior = _SLOT_PRIOR * expected * SIZE
    odds = np.log((pairs + prior) / (whole * expected + prior))
    np.fill_diagonal(off := odds.copy(), -np.inf)
    best = np.maximum(np.diag(odds), off.max(axis=1))
    np.fill_diagonal(odds, best)
    return odds - (best[:, None] + best[None, :]) / 2.0


def swap_chances(same: NDArray[np.float32], total: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the chance that an exchange of two elements keeps the protostructure, (104, 104).

    Parameters
    ----------
    same, total
        As :func:`count_swaps` gives; where pairs are few, their distance in the modified Pettifor
        scale decides.
    """
    place = _pettifor()
    prior = np.clip(0.6 * np.exp(-np.abs(place[:, None] - place[None]) / 15.0), 0.02, None)
    kept = (same + _SWAP_PRIOR * prior) / (total + _SWAP_PRIOR)
    np.fill_diagonal(kept, 0.95)
    return kept


@cache
def _pettifor() -> NDArray[np.float64]:
    from nucleate.crystal.elements import element

    places = np.full(SIZE, 50.0)
    for place, symbol in enumerate(_PETTIFOR_ORDER.split()):
        places[element(symbol).number] = place
    return places
