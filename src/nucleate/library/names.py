"""Names for structures: structure type, Pearson symbol and nearest known compound.

Structures of one protostructure are compared by fingerprints in which the elements are replaced
by the numbers of their slots and the volume by 10 Å³ per atom.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import dropwhile
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import (
    DUPLICATE_DISTANCE,
    fingerprint,
    fingerprint_distance,
    fingerprint_distances,
)
from nucleate.library.geometry import NAMING_LADDER, describe_hands, expand
from nucleate.library.labels import matchings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.library.geometry import Description
    from nucleate.library.library import Library

NEW_TYPE_DISTANCE = 0.35
"""A structure farther than this from all of its protostructure is of a new type."""

_COMPARED = 12
_KEPT_FINGERPRINTS = 20_000


@dataclass(frozen=True, slots=True)
class NamedType:
    """A structure type with a common name; see the header of ``data/structure_types.csv``."""

    label: str
    formula: str
    mineral: str
    strukturbericht: str
    aflow: str
    example: str

    @property
    def title(self) -> str:
        """Prototype formula with mineral and Strukturbericht symbol, where there are any."""
        mineral = re.sub(r"^\((\w+)\) ", r"\1 ", self.mineral)  # "(Cubic) Perovskite"
        extra = ", ".join(word for word in (mineral, self.strukturbericht) if word)
        if not extra:
            return self.formula
        return f"{self.formula} [{extra}]" if "(" in extra else f"{self.formula} ({extra})"


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a crystal.

    Attributes
    ----------
    structure_type : str
        Name of the type, for example ``CaTiO3 (Perovskite, E2_1)``; the formula of the nearest
        compound where it has none; ``new type`` for a protostructure that neither the library
        nor the table of names has. A mirror image has the name of what it mirrors.
    label : str
        Protostructure.
    pearson : str
        Pearson symbol; rhombohedral ones count the primitive cell.
    space_group : int
        Number.
    aflow : str
        AFLOW label of the type, where it has a name.
    known : bool
        Whether the library holds this crystal: same formula, fingerprints within 0.04.
    nearest : str
        Identifier of the nearest known compound, of the same protostructure or that of the mirror
        image; empty where the library holds neither.
    nearest_formula : str
        Its formula.
    distance : float
        Fingerprint distance to it: of the crystals themselves if ``known``, else of both with
        their elements replaced by slots at equal volume; nan where there is none.
    """

    structure_type: str
    label: str
    pearson: str
    space_group: int
    aflow: str
    known: bool
    nearest: str
    nearest_formula: str
    distance: float

    @property
    def is_new(self) -> bool:
        """Whether no known structure has this type."""
        return self.structure_type == NEW_TYPE


NEW_TYPE = "new type"

TELLING = 75
"""Space group from which, tetragonal and higher, a label alone is enough for a name."""


def identify(library: Library, crystal: Crystal) -> Identity:
    """Return the names of a crystal; see :meth:`Library.identify`."""
    hands = _described(library, crystal)
    if not hands:
        return Identity(NEW_TYPE, "", "", 1, "", False, "", "", float("nan"))
    found = hands[0]
    proto = found.proto
    near, distance = _nearest_of_types(library, hands)
    is_near = near is not None and distance <= NEW_TYPE_DISTANCE
    named = None
    if is_near or near is None:
        named = next(filter(None, (_name(library, hand) for hand in hands)), None)
    title = NEW_TYPE
    if named is not None:
        title = named.title
    elif near is not None and is_near:
        title = library.entry(near).formula
    same, same_distance = _same_formula(library, crystal, found)
    known = same is not None and same_distance < DUPLICATE_DISTANCE
    if known:
        near, distance = same, same_distance
    entry = library.entry(near) if near is not None else None
    return Identity(
        structure_type=title,
        label=proto.label,
        pearson=proto.pearson,
        space_group=proto.number,
        aflow=named.aflow if named is not None else "",
        known=known,
        nearest=entry.name if entry else "",
        nearest_formula=entry.formula if entry else "",
        distance=float(distance),
    )


def _described(library: Library, crystal: Crystal) -> tuple[Description, ...]:
    """Return the hands of a crystal at the loosest tolerance that gives a known label.

    Where none does, those at the loosest.
    """
    first: tuple[Description, ...] = ()
    for symprec in NAMING_LADDER:
        hands = describe_hands(crystal, symprec)
        if any(_is_known(library, hand.proto.label) for hand in hands):
            return hands
        first = first or hands
    return first


def _is_known(library: Library, label: str) -> bool:
    return label in library.prototype_places or label in named_types()


def _nearest_of_types(library: Library, hands: Sequence[Description]) -> tuple[int | None, float]:
    """Return the nearest entry of the protostructures of a crystal and of its mirror image."""
    nearest = [_nearest_of_type(library, hand) for hand in hands]
    there = [item for item in nearest if item[0] is not None]
    return min(there, key=lambda item: item[1]) if there else nearest[0]


def _nearest_of_type(library: Library, found: Description) -> tuple[int | None, float]:
    """Return the nearest of the most similar entries of a protostructure."""
    members = _members(library, found)
    if members is None:
        return None, float("nan")
    first, elements = members
    autos = matchings(found.proto)
    table = library.similarity
    scores = np.stack(
        [table[np.array(found.elements)[list(auto)], elements].sum(axis=1) for auto in autos]
    ).max(axis=0)
    chosen = np.argsort(-scores, kind="stable")[:_COMPARED] + first
    return _nearest(library, found, [int(number) for number in chosen])


def _members(library: Library, found: Description) -> tuple[int, NDArray[np.uint8]] | None:
    """Return the first entry of a protostructure, and the elements of all its entries."""
    place = library.prototype_places.get(found.proto.label)
    group = library.group(found.proto.counts)
    if place is None or group is None:
        return None
    local = next(k for k, proto in enumerate(group.prototypes) if proto == found.proto)
    start, end = int(group.starts[local]), int(group.starts[local + 1])
    return group.first + start, group.elements[start:end]


def _nearest(
    library: Library, found: Description, numbers: Sequence[int]
) -> tuple[int | None, float]:
    if not numbers:
        return None, float("nan")
    stack = np.stack([_anonymous_of(library, number) for number in numbers])
    distances = np.full(len(numbers), np.inf)
    for auto in matchings(found.proto):
        print_ = _anonymous(found, auto)
        distances = np.minimum(distances, fingerprint_distances(print_, stack))
    best = int(np.argmin(distances))
    return numbers[best], float(distances[best])


def _same_formula(
    library: Library, crystal: Crystal, found: Description
) -> tuple[int | None, float]:
    """Return the nearest entry of the same composition, those of the same label first."""
    composition = Composition.from_numbers(crystal.numbers)
    counts = dict(zip(composition.elements, composition.counts.values(), strict=True))
    numbers = library.entries_of(counts)
    numbers.sort(key=lambda number: library.entry(number).proto != found.proto)
    print_ = fingerprint(crystal)
    best: int | None = None
    least = float("inf")
    for number in numbers[:_COMPARED]:
        distance = fingerprint_distance(print_, fingerprint(library.crystal(number)))
        if distance < least:
            best, least = number, distance
        if least < DUPLICATE_DISTANCE:
            break
    return best, least


def _name(library: Library, found: Description) -> NamedType | None:
    """Return the named type of the crystal's protostructure that is nearest to it.

    Where the library has no member of the protostructure, its only named type, unless the symmetry
    is so low that the label says too little of the geometry.
    """
    types = named_types().get(found.proto.label, ())
    if not types:
        return None
    members = _members(library, found)
    if members is None:
        return types[0] if len(types) == 1 and found.proto.number >= TELLING else None
    first, elements = members
    names = library.names(first, first + len(elements))
    numbers = {name: first + k for k, name in enumerate(names)}
    best, least = None, NEW_TYPE_DISTANCE
    for named in types:
        if named.example in numbers:
            distance = _nearest(library, found, [numbers[named.example]])[1]
        else:
            distance = NEW_TYPE_DISTANCE - 1e-9 if len(types) == 1 else float("inf")
        if distance < least:
            best, least = named, distance
    return best


@cache
def named_types() -> dict[str, tuple[NamedType, ...]]:
    """Return the structure types with names, by protostructure label."""
    path = files("nucleate.library") / "data" / "structure_types.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    table: dict[str, tuple[NamedType, ...]] = {}
    for row in csv.DictReader(dropwhile(lambda line: line.startswith("#"), lines)):
        named = NamedType(**row)
        table[named.label] = (*table.get(named.label, ()), named)
    return table


def anonymous_fingerprint(
    number: int,
    cell: NDArray[np.float64],
    points: NDArray[np.float64],
    slot_of_orbit: NDArray[np.integer],
) -> NDArray[np.float32]:
    """Return the fingerprint with slots for elements, at 10 Å³ per atom."""
    box, scaled, orbit_of = expand(number, cell, points)
    volume = abs(np.linalg.det(box)) / len(scaled)
    slots = slot_of_orbit[orbit_of].astype(np.int64) + 1
    crystal = Crystal(slots, box * (10.0 / volume) ** (1.0 / 3.0), scaled)
    return fingerprint(crystal)


def _anonymous(found: Description, auto: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the fingerprint in which slot ``auto[k]`` counts as slot k."""
    place = np.argsort(auto)
    slots = np.repeat(place, found.proto.orbit_counts)
    return anonymous_fingerprint(found.proto.number, found.cell, found.points, slots)


def _anonymous_of(library: Library, number: int) -> NDArray[np.float32]:
    if number not in library.fingerprints:
        if len(library.fingerprints) >= _KEPT_FINGERPRINTS:
            library.fingerprints.clear()
        proto = library.entry(number).proto
        cell, points = library.raw_geometry(number)
        slots = np.repeat(np.arange(len(proto.slots)), proto.orbit_counts)
        library.fingerprints[number] = anonymous_fingerprint(proto.number, cell, points, slots)
    return library.fingerprints[number]
