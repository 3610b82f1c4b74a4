"""A library of known structures, read lazily from one file or several."""

from __future__ import annotations

from functools import cache, cached_property, lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.library.candidates import candidates
from nucleate.library.container import Container
from nucleate.library.entries import CELL_STEPS, POINT_STEPS, UNKNOWN_ENERGY
from nucleate.library.geometry import NAMING_LADDER, describe, describe_hands, expand
from nucleate.library.groups import Entry, Group, formula_of, hull_weights
from nucleate.library.hold_out import HoldOut
from nucleate.library.labels import Protostructure, counts_in
from nucleate.library.merge import merged
from nucleate.library.names import identify
from nucleate.library.ranking import weights_of
from nucleate.library.scaling import volume_ratio
from nucleate.reading import guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace
    from nucleate.library.merge import Arrays
    from nucleate.library.names import Identity
    from nucleate.library.similarity import Counts
    from nucleate.library.substitution import Proposal

SHIPPED = "shipped"
SHIPPED_LACKS = (
    "about 14,000 formulas that are kept for tests, SrO, MgO, Al2O3, LiCl and SrTiO3 among them"
)
"""What the shipped library leaves out, in words."""
SHIPPED_PATH = Path(__file__).parent / "data" / "known-structures.nlib"

LEAST_WEIGHT = 1e-4
"""Prior weight of a structure type that no entry votes for."""

_COMPOSITIONS_KEPT = 64


class Library:
    """Known structures by anonymous formula; build it with :meth:`load`.

    Parameters
    ----------
    arrays : Arrays
        Columns, read when they are asked for.
    headers : list of dict
        Header of each file.
    """

    def __init__(self, arrays: Arrays, headers: list[dict[str, Any]]) -> None:
        self._arrays = arrays
        self.headers = headers
        self._groups: dict[tuple[int, ...], Group] = {}
        self._weights: dict[object, dict[tuple[str, tuple[int, ...]], float]] = {}
        self.fingerprints: dict[int, NDArray[np.float32]] = {}

    @classmethod
    def load(cls, names: Sequence[str | Path] = (SHIPPED,)) -> Library:
        """Open library files; ``shipped`` stands for the one of the package.

        Raises
        ------
        InputError
            If a file is missing, cut short, no library or of another version.
        """
        shown = ", ".join(map(str, names))
        with guarded(f"library: {shown}", "Build or download it again."):
            paths = [path_of(name) for name in names]
            return _read(tuple((path, *_version(path)) for path in paths))

    def __len__(self) -> int:
        return int(self._arrays.starts[-1])

    @property
    def remark(self) -> str:
        """What has to be said of libraries that were joined; empty where there is nothing."""
        return self._arrays.remark

    @cached_property
    def elements(self) -> frozenset[int]:
        """Atomic numbers that occur in any entry."""
        return frozenset(np.unique(self._arrays.elements).tolist())

    @property
    def labels(self) -> list[str]:
        """Labels of all protostructures, those of an anonymous formula together."""
        return self._arrays.labels

    @cached_property
    def similarity(self) -> NDArray[np.float64]:
        """How alike elements are, shape (104, 104): 0 for the same, else mostly negative."""
        return self.counts.table()

    @cached_property
    def counts(self) -> Counts:
        """The counts over pairs of elements behind :attr:`similarity`."""
        return self._arrays.counts

    @cached_property
    def prototype_places(self) -> dict[str, int]:
        """Number of each protostructure by its label."""
        return {label: place for place, label in enumerate(self.labels)}

    def group(self, counts: Sequence[int]) -> Group | None:
        """Return the entries whose reduced formula has these counts, or None."""
        key = tuple(sorted(counts))
        if key not in self._places:
            return None
        if key not in self._groups:
            self._groups[key] = self._make_group(key)
        return self._groups[key]

    def group_keys(self) -> list[tuple[int, ...]]:
        """Return the counts of all anonymous formulas."""
        return list(self._places)

    def entry(self, number: int) -> Entry:
        """Return an entry by its number."""
        proto, elements = self._slots(number)
        energy = int(self._arrays.above_hull[number])
        flag = int(self._arrays.in_icsd[number])
        return Entry(
            name=self._arrays.names[number],
            formula=formula_of(elements, proto.counts),
            proto=proto,
            elements=elements,
            above_hull=None if energy == UNKNOWN_ENERGY else energy / 1000.0,
            in_icsd=None if flag < 0 else bool(flag),
        )

    def names(self, first: int, end: int) -> list[str]:
        """Return the identifiers of the entries from ``first`` up to before ``end``."""
        return self._arrays.names[first:end]

    def entries_of(self, formula_counts: dict[int, int]) -> list[int]:
        """Return the numbers of the entries of a composition, lowest above the hull first.

        Parameters
        ----------
        formula_counts
            Count in the reduced formula by atomic number.
        """
        group = self.group(tuple(formula_counts.values()))
        if group is None:
            return []
        counts = np.array(sorted(formula_counts.values()))
        wanted = np.zeros(256, dtype=np.int64)
        wanted[list(formula_counts)] = list(formula_counts.values())
        rows = np.flatnonzero(np.all(wanted[group.elements] == counts, axis=1)) + group.first
        energy = self._arrays.above_hull[rows].astype(float)
        energy[energy == UNKNOWN_ENERGY] = 30.0
        return [int(row) for row in rows[np.argsort(energy, kind="stable")]]

    def within(self, elements: Sequence[int]) -> list[int]:
        """Return the numbers of the entries that have no other elements than these, in order."""
        wanted = np.zeros(256, dtype=bool)
        wanted[list(elements)] = True
        found: list[int] = []
        for counts, (first, last, start) in self._places.items():
            entry, stop = (int(self._arrays.starts[place]) for place in (first, last))
            stretch = self._arrays.elements[start : start + len(counts) * (stop - entry)]
            inside = wanted[stretch.reshape(-1, len(counts))].all(axis=1)
            found += (np.flatnonzero(inside) + entry).tolist()
        return sorted(found)

    def known_structures(self, composition: Composition) -> list[Entry]:
        """Return the entries of a composition, lowest above the hull first."""
        counts = dict(zip(composition.elements, composition.counts.values(), strict=True))
        return [self.entry(number) for number in self.entries_of(counts)]

    def labels_of(self, crystal: Crystal) -> frozenset[str]:
        """Return the protostructure labels of a crystal and of the entries of its composition."""
        found = (describe(crystal, (symprec,)) for symprec in NAMING_LADDER)
        own = self.known_structures(Composition.from_numbers(crystal.numbers))
        return frozenset(item.proto.label for item in (*filter(None, found), *own))

    def raw_geometry(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return conventional cell (6,) and orbit points (n, 3) of an entry."""
        place = self._prototype_of(number)
        size = int(self._arrays.orbits[place])
        start = int(self._orbit_starts[place]) + size * (number - int(self._arrays.starts[place]))
        points = self._arrays.points[start : start + size] / POINT_STEPS
        return self._arrays.cells[number] / CELL_STEPS, points

    def crystal(
        self, number: int, elements: Sequence[int] | None = None, *, scale_volume: bool = True
    ) -> Crystal:
        """Return an entry's primitive cell, with other elements in its slots if given.

        Parameters
        ----------
        number
            The entry.
        elements
            Atomic number for each slot of its protostructure.
        scale_volume
            Multiply the volume by the ratio of the expected volumes of both compositions.
        """
        proto, own = self._slots(number)
        cell, points = self.raw_geometry(number)
        box, scaled, orbit_of = expand(proto.number, cell, points)
        slot_of = np.repeat(np.arange(len(own)), proto.orbit_counts)[orbit_of]
        new = own if elements is None else tuple(int(z) for z in elements)
        crystal = Crystal(np.array(new)[slot_of], box, scaled)
        if elements is None or not scale_volume:
            return crystal
        old = np.array(own)[slot_of]
        return crystal.replace(cell=box * volume_ratio(crystal.numbers, old) ** (1.0 / 3.0))

    def candidates(
        self,
        composition: Composition,
        space: SearchSpace | None = None,
        *,
        known: str = "all",
        most: int = 100,
        prototypes: frozenset[str] = frozenset(),
        derived: bool = True,
    ) -> list[Proposal]:
        """Return candidate structures of a composition, the most likely first.

        Parameters
        ----------
        composition
            The target.
        space
            Candidates that it rejects for their size or contacts are left out.
        known
            Which entries may be used: see :class:`nucleate.library.hold_out.HoldOut`.
        most
            Number of candidates.
        prototypes
            Labels of the target's protostructures, for ``known = "no-prototype"``; by default
            those of the library's own entries of this composition.
        derived
            Whether prototypes are also derived from others.

        Raises
        ------
        InputError
            If ``known`` is not one of the hold-outs.
        """
        hold_out = self.hold_out(composition, known, prototypes)
        return candidates(self, composition, hold_out, space=space, most=most, derived=derived)

    def weight(
        self,
        crystal: Crystal,
        *,
        known: str = "all",
        prototypes: frozenset[str] = frozenset(),
        floor: float = LEAST_WEIGHT,
    ) -> float:
        """Return the prior weight of a crystal's structure type for its composition.

        The share of the vote of its coloured prototype, between ``floor`` and 1; ``floor`` for a
        type that no allowed entry has. The label is taken at 0.1, 0.03 and 0.01 Å, also that of
        the mirror image, and the largest weight counts.
        """
        composition = Composition.from_numbers(crystal.numbers)
        shares = self._shares(composition, known, prototypes)
        best = floor
        for symprec in NAMING_LADDER:
            for found in describe_hands(crystal, symprec):
                best = max(best, shares.get((found.proto.label, found.elements), floor))
        return best

    def identify(self, crystal: Crystal) -> Identity:
        """Return structure type, Pearson symbol and nearest known compound of a crystal.

        Raises
        ------
        ValueError
            If the crystal has no atoms or its cell no volume.
        """
        return identify(self, crystal)

    def _shares(
        self, composition: Composition, known: str, prototypes: frozenset[str]
    ) -> dict[tuple[str, tuple[int, ...]], float]:
        key = frozenset(composition.items), known, prototypes
        if key not in self._weights:
            hold_out = self.hold_out(composition, known, prototypes)
            counts = [count for _, count in composition.items]
            if len(self._weights) >= _COMPOSITIONS_KEPT:
                self._weights.clear()
            self._weights[key] = weights_of(self, composition.elements, counts, hold_out)
        return self._weights[key]

    def hold_out(
        self, composition: Composition, known: str, prototypes: frozenset[str] = frozenset()
    ) -> HoldOut:
        """Return the filter for a composition, with the labels of its own entries if none given."""
        if known == "no-prototype" and not prototypes:
            own = self.known_structures(composition)
            prototypes = frozenset(entry.proto.label for entry in own)
        return HoldOut.of(known, composition, prototypes)

    @cached_property
    def _places(self) -> dict[tuple[int, ...], tuple[int, int, int]]:
        """First and last prototype, and first element, of each anonymous formula."""
        places: dict[tuple[int, ...], tuple[int, int, int]] = {}
        proto = element = 0
        for formula, run in groupby(self.labels, key=lambda label: label.split("_", 1)[0]):
            counts = counts_in(formula)
            last = proto + len(list(run))
            places[counts] = proto, last, element
            element += len(counts) * int(self._arrays.starts[last] - self._arrays.starts[proto])
            proto = last
        return places

    @cached_property
    def _orbit_starts(self) -> NDArray[np.int64]:
        sizes = self._arrays.orbits.astype(np.int64) * np.diff(self._arrays.starts)
        return np.concatenate([[0], np.cumsum(sizes)])

    def _make_group(self, key: tuple[int, ...]) -> Group:
        first, last, element = self._places[key]
        starts = self._arrays.starts[first : last + 1].astype(np.int64)
        size = int(starts[-1] - starts[0])
        elements = self._arrays.elements[element : element + size * len(key)]
        above_hull = self._arrays.above_hull[starts[0] : starts[-1]]
        return Group(
            first=int(starts[0]),
            prototypes=[_prototype(label) for label in self.labels[first:last]],
            starts=starts - starts[0],
            elements=elements.reshape(size, len(key)),
            weights=hull_weights(above_hull),
        )

    def _prototype_of(self, number: int) -> int:
        return int(np.searchsorted(self._arrays.starts, number, side="right")) - 1

    def _slots(self, number: int) -> tuple[Protostructure, tuple[int, ...]]:
        proto = _prototype(self.labels[self._prototype_of(number)])
        group = self.group(proto.counts)
        assert group is not None
        return proto, tuple(int(z) for z in group.elements[number - group.first])


_prototype = cache(Protostructure.from_label)


def path_of(name: str | Path) -> Path:
    """Return the file of a library; ``shipped`` stands for the one of the package."""
    return SHIPPED_PATH if name == SHIPPED else Path(name)


def _version(path: Path) -> tuple[int, int]:
    """Return what changes with the content of a file; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4)
def _read(files: tuple[tuple[Path, int, int], ...]) -> Library:
    """Open library files; those that were opened before in this process are not read again."""
    opened = [Container(path) for path, _, _ in files]
    names = [SHIPPED if file.path == SHIPPED_PATH else file.path.stem for file in opened]
    return Library(merged(opened, names), [file.header for file in opened])
