"""The entries of a library as columns, sorted by protostructure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.distances import shortest_distance
from nucleate.crystal.formats.structures import Unreadable, impossible
from nucleate.library.geometry import Description, describe
from nucleate.library.identifiers import each_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

UNKNOWN_ENERGY = -32768
"""In the column of energies above the hull: not known."""

UNKNOWN_FLAG = -1
"""In the column of ICSD flags: not known."""

POINT_STEPS = 65536
CELL_STEPS = 10000

_NAMED = 5
_LARGEST_VOLUME = 250.0
_SHORTEST_CONTACT = 0.7


@dataclass(frozen=True, slots=True)
class Known:
    """A known compound as it is read from a source.

    Attributes
    ----------
    name : str
        Its identifier, for example ``mp-4163``.
    crystal : Crystal
    above_hull : float or None
        eV/atom, where known.
    in_icsd : bool or None
        Whether it is in the ICSD, where known.
    file : str
        Name of the file or folder that it is from; empty where there is none.
    shared_name : str
        Its identifier in the source where another structure has that too; else empty.
    has_deuterium : bool
        Whether its hydrogen is deuterium in the source.
    """

    name: str
    crystal: Crystal
    above_hull: float | None = None
    in_icsd: bool | None = None
    file: str = ""
    shared_name: str = ""
    has_deuterium: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Entries as columns; those of a protostructure stand together, prototypes by formula.

    Attributes
    ----------
    labels : list of str
        Protostructures, those of an anonymous formula next to each other.
    orbits : ndarray of int16, shape (n_prototypes,)
        Orbits of each prototype.
    starts : ndarray of int32, shape (n_prototypes + 1,)
        First entry of each prototype.
    elements : ndarray of uint8, shape (n_slots,)
        Elements of all entries in the order of their slots, one entry after the other.
    above_hull : ndarray of int16, shape (n_entries,)
        meV/atom; ``UNKNOWN_ENERGY`` where not known.
    in_icsd : ndarray of int8, shape (n_entries,)
        1 yes, 0 no, -1 not known.
    names : list of str
        Identifiers.
    cells : ndarray of int32, shape (n_entries, 6)
        Conventional cell in 1e-4 Å and 1e-4 degrees.
    points : ndarray of uint16, shape (n_orbits, 3)
        Fractional coordinates in 1/65536 of a point of each orbit.
    """

    labels: list[str]
    orbits: NDArray[np.int16]
    starts: NDArray[np.int32]
    elements: NDArray[np.uint8]
    above_hull: NDArray[np.int16]
    in_icsd: NDArray[np.int8]
    names: list[str]
    cells: NDArray[np.int32]
    points: NDArray[np.uint16]


@dataclass
class LeftOut:
    """Why entries of a source are not in the library, and how many.

    Attributes
    ----------
    unreadable : int
        Entries that cannot be read or used, such as disordered ones.
    unlabelled, empty_space, overlapping : int
        Structures without a protostructure, with too much space, and with too short a contact.
    repeated : int
        Entries of which another one has the same formula and coloured protostructure.
    first : list of str
        Names and reasons of the first that are unreadable.
    """

    unreadable: int = 0
    unlabelled: int = 0
    empty_space: int = 0
    overlapping: int = 0
    repeated: int = 0
    first: list[str] = field(default_factory=list)

    def note(self, reason: str) -> None:
        """Count an entry that cannot be used; the reason begins with its name."""
        self.unreadable += 1
        if len(self.first) < _NAMED:
            self.first.append(reason)

    def counts(self) -> dict[str, int]:
        """Return the numbers by reason."""
        return {key: value for key, value in asdict(self).items() if key != "first"}


def collect(
    source: Iterable[Known | Unreadable],
) -> tuple[list[tuple[Known, Description]], LeftOut]:
    """Label the compounds of a source and keep one of each formula and coloured protostructure.

    The one lowest above the hull is kept; one without an energy counts as 30 meV/atom. An energy
    or ICSD flag that it lacks is that of the lowest of its equals that has one. Structures
    that cannot be read, without a volume, of more than 250 Å³ per atom or with a contact below
    0.7 Å are left out. An identifier that another structure has already gets the name of its file
    before it, and a number where that is not enough. A line break in an identifier becomes a
    space.
    """
    left_out = LeftOut()
    equals: dict[tuple[str, tuple[int, ...]], list[tuple[Known, Description]]] = {}
    for item in source:
        if isinstance(item, Unreadable):
            left_out.note(str(item.error))
            continue
        known = replace(item, name=" ".join(item.name.splitlines()))
        found = _labelled(known, left_out)
        if found is None:
            continue
        equals.setdefault((found.proto.label, found.elements), []).append((known, found))
    left_out.repeated = sum(len(group) - 1 for group in equals.values())
    return _named_once([_lowest(group) for group in equals.values()]), left_out


def _named_once(entries: Sequence[tuple[Known, Description]]) -> list[tuple[Known, Description]]:
    """Return entries that no identifier stands for twice."""
    old = [known.name for known, _ in entries]
    names, _ = each_once(old, [known.file for known, _ in entries])
    return [
        (known if name == known.name else replace(known, name=name, shared_name=known.name), found)
        for name, (known, found) in zip(names, entries, strict=True)
    ]


def _lowest(equals: Sequence[tuple[Known, Description]]) -> tuple[Known, Description]:
    """Return the entry lowest above the hull, with what is known of its equals."""
    ranked = sorted(equals, key=lambda item: _rank(item[0]))
    energies = (known.above_hull for known, _ in ranked if known.above_hull is not None)
    flags = (known.in_icsd for known, _ in ranked if known.in_icsd is not None)
    known, found = ranked[0]
    return replace(known, above_hull=next(energies, None), in_icsd=next(flags, None)), found


def _rank(known: Known) -> float:
    return 0.03 if known.above_hull is None else known.above_hull


def to_columns(entries: Sequence[tuple[Known, Description]]) -> Columns:
    """Return the entries as columns, in their canonical order."""

    def key(item: tuple[Known, Description]) -> tuple[object, ...]:
        known, found = item
        return found.proto.counts, found.proto.label, found.elements, known.name

    ordered = sorted(entries, key=key)
    labels: list[str] = []
    orbits: list[int] = []
    starts: list[int] = []
    for place, (_, found) in enumerate(ordered):
        if not labels or labels[-1] != found.proto.label:
            labels.append(found.proto.label)
            orbits.append(sum(found.proto.orbit_counts))
            starts.append(place)
    flags = {None: UNKNOWN_FLAG, False: 0, True: 1}
    return Columns(
        labels=labels,
        orbits=np.array(orbits, dtype=np.int16),
        starts=np.array([*starts, len(ordered)], dtype=np.int32),
        elements=np.array([z for _, found in ordered for z in found.elements], dtype=np.uint8),
        above_hull=np.array([_milli(known.above_hull) for known, _ in ordered], dtype=np.int16),
        in_icsd=np.array([flags[known.in_icsd] for known, _ in ordered], dtype=np.int8),
        names=[known.name for known, _ in ordered],
        cells=_stacked([np.rint(found.cell * CELL_STEPS) for _, found in ordered], 6, np.int32),
        points=_stacked(
            [np.rint(found.points * POINT_STEPS) % POINT_STEPS for _, found in ordered],
            3,
            np.uint16,
        ),
    )


def _labelled(known: Known, left_out: LeftOut) -> Description | None:
    crystal = known.crystal
    problem = impossible(crystal)
    if problem is not None:
        left_out.note(f"{known.name}: {problem}")
        return None
    if crystal.volume_per_atom > _LARGEST_VOLUME:
        left_out.empty_space += 1
        return None
    if shortest_distance(crystal) < _SHORTEST_CONTACT:
        left_out.overlapping += 1
        return None
    found = describe(crystal)
    if found is None:
        left_out.unlabelled += 1
        return None
    return found


def _milli(energy: float | None) -> int:
    if energy is None or not np.isfinite(energy):
        return UNKNOWN_ENERGY
    return int(np.clip(round(energy * 1000.0), -32767, 32767))


def _stacked(rows: list[np.ndarray], width: int, dtype: type) -> np.ndarray:
    return np.concatenate(
        [row.reshape(-1, width) for row in rows] or [np.empty((0, width))]
    ).astype(dtype)
