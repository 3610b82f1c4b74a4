"""Formulas as chemists write them: the most electropositive element first."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

_SEQUENCE = (
    "Rn Xe Kr Ar Ne He Fr Cs Rb K Na Li Ra Ba Sr Ca Mg Be "
    "Lr No Md Fm Es Cf Bk Cm Am Pu Np U Pa Th Ac "
    "Lu Yb Tm Er Ho Dy Tb Gd Eu Sm Pm Nd Pr Ce La Y Sc "
    "Hf Zr Ti Ta Nb V W Mo Cr Re Tc Mn Os Ru Fe Ir Rh Co Pt Pd Ni Au Ag Cu Hg Cd Zn "
    "Tl In Ga Al B Pb Sn Ge Si C Bi Sb As P N H Po Te Se S O At I Br Cl F"
)
"""Table VI of the IUPAC recommendations of 2005 (doi:10.1515/9783110884258), reversed."""

_PLACES = {symbol: place for place, symbol in enumerate(_SEQUENCE.split())}


def chemical_order(symbols: Iterable[str]) -> list[str]:
    """Return element symbols from the most electropositive to the most electronegative.

    Examples
    --------
    >>> chemical_order(["O", "Sr", "Ti"])
    ['Sr', 'Ti', 'O']
    """
    return sorted(symbols, key=lambda symbol: _PLACES[symbol])


def chemical_ranks(numbers: ArrayLike) -> NDArray[np.int64]:
    """Return the order that puts atoms in chemical order, those of an element as they stand.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n_atoms,).
    """
    numbers = np.asarray(numbers, dtype=np.int64)
    places = {z: _PLACES[element(int(z)).symbol] for z in np.unique(numbers).tolist()}
    return np.argsort([places[z] for z in numbers.tolist()], kind="stable")


def counts_of(numbers: ArrayLike) -> dict[str, int]:
    """Return how many atoms of each element there are, in chemical order.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n_atoms,).
    """
    unique, counts = np.unique(np.asarray(numbers, dtype=np.int64), return_counts=True)
    found = {element(int(z)).symbol: int(n) for z, n in zip(unique, counts, strict=True)}
    return {symbol: found[symbol] for symbol in chemical_order(found)}


def formula_text(counts: Mapping[str, int]) -> str:
    """Return a formula, its elements in the order given; a count of 1 is left out."""
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in counts.items())


def reduced(counts: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Return the counts of one formula unit and the number of formula units."""
    units = gcd(*counts.values()) or 1
    return {symbol: count // units for symbol, count in counts.items()}, units
