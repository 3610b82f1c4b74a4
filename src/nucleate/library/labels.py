"""Protostructure labels: space group and Wyckoff letters by element, whatever the origin.

A protostructure is what is left of a crystal when the elements become A, B, C, ... and the numbers
(cell and free coordinates) are forgotten. The same crystal described from another origin or with
other axes has other Wyckoff letters; the label is the least of all such descriptions, under the
affine normaliser of the space group (``data/wyckoff_relabelings.txt``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby, islice, permutations, product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_CENTRED = {"A": "C", "B": "C"}
_SYSTEMS = ((2, "a"), (15, "m"), (74, "o"), (142, "t"), (194, "h"), (230, "c"))
_ENANTIOMORPHS = (
    *((76, 78), (91, 95), (92, 96), (144, 145), (151, 153), (152, 154)),
    *((169, 170), (171, 172), (178, 179), (180, 181), (212, 213)),
)
_PARTNERS = {a: b for pair in _ENANTIOMORPHS for a, b in (pair, pair[::-1])}
_COUNTS = re.compile(r"[A-Z](\d*)")
_LETTERS = re.compile(r"(\d*)([A-Za-z])")

Slot = tuple[int, str]
"""Atoms of an element in the reduced formula, and the Wyckoff letters of its orbits, sorted."""


@dataclass(frozen=True, slots=True)
class Protostructure:
    """A space group and the Wyckoff letters of each slot (one slot an element).

    Attributes
    ----------
    number : int
        Space-group number.
    slots : tuple of (int, str)
        For each slot its count in the reduced formula and the letters of its orbits; ascending.
    """

    number: int
    slots: tuple[Slot, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Counts of the anonymous formula, ascending: (2, 3) for A2B3."""
        return tuple(count for count, _ in self.slots)

    @property
    def orbit_counts(self) -> tuple[int, ...]:
        """Number of orbits of each slot."""
        return tuple(len(letters) for _, letters in self.slots)

    @property
    def multiplicities(self) -> tuple[tuple[int, ...], ...]:
        """Atoms of each orbit of each slot in the primitive cell."""
        return _multiplicities_of(self)

    @property
    def n_atoms(self) -> int:
        """Atoms in the primitive cell."""
        return _n_atoms_of(self)

    @property
    def anonymous(self) -> str:
        """Anonymous formula, for example ``A2B3``."""
        return anonymous_formula(self.counts)

    @property
    def pearson(self) -> str:
        """Pearson symbol, for example ``oP12``; rhombohedral ones count the primitive cell."""
        return pearson_symbol(self.number, self.n_atoms)

    @property
    def label(self) -> str:
        """Label such as ``AB2_oP12_62_c_2c``; slots in ascending order of count and letters."""
        words = [_compressed(letters) for _, letters in self.slots]
        return "_".join([self.anonymous, self.pearson, str(self.number), *words])

    @classmethod
    def from_label(cls, label: str) -> Protostructure:
        """Undo :attr:`label`.

        Raises
        ------
        ValueError
            If it is no such label.
        """
        try:
            formula, _, number, *words = label.split("_")
            slots = tuple(zip(counts_in(formula), map(_expanded, words), strict=True))
            return cls(int(number), slots)
        except ValueError as error:
            raise ValueError(f"{label!r} is not a protostructure label") from error


def counts_in(formula: str) -> tuple[int, ...]:
    """Return the counts of an anonymous formula: (2, 3) for A2B3."""
    return tuple(int(count or 1) for count in _COUNTS.findall(formula))


def canonical(number: int, slots: list[Slot]) -> tuple[Protostructure, tuple[int, ...]]:
    """Return the protostructure of these slots, and which slot stands in each of its places.

    Parameters
    ----------
    number
        Space-group number.
    slots
        Count and letters for each element. Slots that nothing tells apart keep their order.

    Examples
    --------
    >>> canonical(225, [(1, "b"), (1, "a")])[0].label
    'AB_cF8_225_a_b'
    """
    best: tuple[Slot, ...] | None = None
    best_order: tuple[int, ...] = ()
    for table in _relabelings_of(number, _used(slots)):
        new = [(count, "".join(sorted(letters.translate(table)))) for count, letters in slots]
        order = tuple(sorted(range(len(new)), key=lambda k: (new[k], k)))
        key = tuple(new[k] for k in order)
        if best is None or key < best:
            best, best_order = key, order
    assert best is not None
    return Protostructure(number, best), best_order


def mirror_image(label: str) -> str:
    """Return the label of the mirror image, which differs in the 22 enantiomorphic space groups.

    The inversion takes the standard setting of such a group to that of its partner, each Wyckoff
    position to one of the same letter or one that another origin makes it.

    Raises
    ------
    ValueError
        If it is no label.

    Examples
    --------
    >>> mirror_image("AB2_hP9_152_a_c"), mirror_image("AB_cF8_225_a_b")
    ('AB2_hP9_154_a_c', 'AB_cF8_225_a_b')
    """
    proto = Protostructure.from_label(label)
    if proto.number not in _PARTNERS:
        return label
    return canonical(_PARTNERS[proto.number], list(proto.slots))[0].label


@lru_cache(maxsize=4096)
def automorphisms(proto: Protostructure) -> tuple[tuple[int, ...], ...]:
    """Return the permutations of the slots that another origin or other axes give.

    The identity is the first. Slots that nothing tells apart keep their order, so that colourings
    of, say, two slots on the same letters stay different.
    """
    slots = proto.slots
    identity = tuple(range(len(slots)))
    found = {identity}
    for table in _relabelings_of(proto.number, _used(slots)):
        new = [(count, "".join(sorted(letters.translate(table)))) for count, letters in slots]
        if sorted(new) != sorted(slots):
            continue
        places: dict[Slot, list[int]] = {}
        for k, slot in enumerate(slots):
            places.setdefault(slot, []).append(k)
        found.add(tuple(places[slot].pop(0) for slot in new))
    return (identity, *sorted(found - {identity}))


@lru_cache(maxsize=4096)
def matchings(proto: Protostructure, most: int = 24) -> tuple[tuple[int, ...], ...]:
    """Return the automorphisms, and those with like slots exchanged, a bounded number of them.

    The label does not tell slots on the same letters apart, so that two crystals of one structure
    type can hold their slots in another order.
    """
    like = [tuple(run) for run in like_slots(proto)]
    found: dict[tuple[int, ...], None] = {}
    exchanges = islice(product(*(permutations(run) for run in like)), most)
    for exchange in exchanges:
        mapping = {
            a: b
            for run, new in zip(like, exchange, strict=True)
            for a, b in zip(run, new, strict=True)
        }
        for auto in automorphisms(proto):
            found[tuple(mapping[k] for k in auto)] = None
    return tuple(islice(found, most))


def like_slots(proto: Protostructure) -> list[list[int]]:
    """Return the places of the slots with the same count and letters."""
    runs: dict[Slot, list[int]] = {}
    for place, slot in enumerate(proto.slots):
        runs.setdefault(slot, []).append(place)
    return list(runs.values())


def anonymous_formula(counts: tuple[int, ...]) -> str:
    """Return the anonymous formula of ascending counts, for example ``AB2C4``."""
    return "".join(
        f"{chr(ord('A') + k)}{count if count > 1 else ''}" for k, count in enumerate(counts)
    )


def pearson_symbol(number: int, primitive_atoms: int) -> str:
    """Return the Pearson symbol; rhombohedral symbols count the atoms of the primitive cell.

    Examples
    --------
    >>> pearson_symbol(225, 2), pearson_symbol(167, 10)
    ('cF8', 'hR10')
    """
    from moyopy import SpaceGroupType

    system = next(letter for last, letter in _SYSTEMS if number <= last)
    centring = SpaceGroupType(number).hm_short[0]
    points = {"P": 1, "R": 1, "F": 4}.get(centring, 2)
    return f"{system}{_CENTRED.get(centring, centring)}{primitive_atoms * points}"


@cache
def multiplicities(number: int) -> dict[str, int]:
    """Return the atoms of each Wyckoff position in the primitive cell."""
    sizes, words = _table()[number]
    return dict(zip(words[0], sizes, strict=True))


@lru_cache(maxsize=32768)
def _n_atoms_of(proto: Protostructure) -> int:
    return sum(sum(orbits) for orbits in proto.multiplicities)


@lru_cache(maxsize=32768)
def _multiplicities_of(proto: Protostructure) -> tuple[tuple[int, ...], ...]:
    table = multiplicities(proto.number)
    return tuple(tuple(table[letter] for letter in letters) for _, letters in proto.slots)


@lru_cache(maxsize=8192)
def _relabelings_of(number: int, used: str) -> tuple[dict[int, str], ...]:
    """Return the distinct translation tables of the letters in use, the identity first."""
    _, words = _table()[number]
    distinct = dict.fromkeys(
        tuple(word[words[0].index(letter)] for letter in used) for word in words
    )
    return tuple({ord(a): b for a, b in zip(used, row, strict=True)} for row in distinct)


@cache
def relabelings(number: int) -> NDArray[np.int64]:
    """Return what the Wyckoff positions become by each change of origin or axes.

    The affine normaliser of the space group permutes them; positions are numbered in the order of
    their letters.

    Returns
    -------
    ndarray of int64, shape (n_changes, n_positions)
        The identity is the first.
    """
    _, words = _table()[number]
    place = {letter: k for k, letter in enumerate(words[0])}
    return np.array([[place[letter] for letter in word] for word in words], dtype=np.int64)


@cache
def _table() -> dict[int, tuple[tuple[int, ...], tuple[str, ...]]]:
    path = files("nucleate.library") / "data" / "wyckoff_relabelings.txt"
    table = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            number, sizes, *words = line.split()
            table[int(number)] = tuple(map(int, sizes.split(","))), tuple(words)
    return table


def _used(slots: Iterable[Slot]) -> str:
    return "".join(sorted(set("".join(letters for _, letters in slots))))


def _compressed(letters: str) -> str:
    parts = ((letter, len(list(run))) for letter, run in groupby(letters))
    return "".join(f"{count if count > 1 else ''}{letter}" for letter, count in parts)


def _expanded(word: str) -> str:
    if not re.fullmatch(r"(\d*[A-Za-z])+", word):
        raise ValueError(word)
    return "".join(letter * int(count or 1) for count, letter in _LETTERS.findall(word))
