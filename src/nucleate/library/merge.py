"""One library out of several files; a single file stays unread until its columns are needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.library.entries import UNKNOWN_ENERGY, UNKNOWN_FLAG, Columns
from nucleate.library.identifiers import each_once
from nucleate.library.labels import Protostructure
from nucleate.library.similarity import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.library.container import Container


class Arrays:
    """The columns of a library file, each read on first use.

    Parameters
    ----------
    file : Container
        An open library file.

    Attributes
    ----------
    remark : str
        What has to be said of the entries, a sentence; empty where there is nothing.
    """

    def __init__(self, file: Container) -> None:
        self._file = file
        self.remark = ""

    @cached_property
    def labels(self) -> list[str]:
        """See :class:`nucleate.library.entries.Columns`, as for those below."""
        return self._file.text("labels")

    @cached_property
    def names(self) -> list[str]:
        """Identifiers."""
        return self._file.text("names")

    @cached_property
    def orbits(self) -> NDArray[np.int16]:
        """Orbits of each prototype."""
        return self._file.array("orbits")

    @cached_property
    def starts(self) -> NDArray[np.int32]:
        """First entry of each prototype."""
        return self._file.array("starts")

    @cached_property
    def elements(self) -> NDArray[np.uint8]:
        """Elements of the slots."""
        return self._file.array("elements")

    @cached_property
    def above_hull(self) -> NDArray[np.int16]:
        """Energies above the hull, meV/atom."""
        return self._file.array("above_hull")

    @cached_property
    def in_icsd(self) -> NDArray[np.int8]:
        """ICSD flags."""
        return self._file.array("in_icsd")

    @cached_property
    def cells(self) -> NDArray[np.int32]:
        """Conventional cells."""
        return self._file.array("cells")

    @cached_property
    def points(self) -> NDArray[np.uint16]:
        """Points of the orbits."""
        return self._file.array("points")

    @cached_property
    def counts(self) -> Counts:
        """Counts over pairs of elements."""
        return Counts(*(self._file.array(name) for name in ("shared", "swap_same", "swap_total")))

    def columns(self) -> Columns:
        """Return all columns."""
        return Columns(**{name: getattr(self, name) for name in Columns.__dataclass_fields__})


class MergedArrays(Arrays):
    """The columns of several files together, in memory.

    Where two files hold the same formula in the same coloured protostructure, the entry lower
    above the hull is kept, the earlier file's if that does not decide. An energy or ICSD flag that
    it lacks is taken from the other. Where an identifier stands for different structures, that of
    the earlier file keeps it and the others get the name of their file before it.
    """

    def __init__(self, columns: Columns, counts: Counts, remark: str) -> None:
        self.remark = remark
        for name in Columns.__dataclass_fields__:
            self.__dict__[name] = getattr(columns, name)
        self.__dict__["counts"] = counts


def merged(files: list[Container], names: Sequence[str]) -> Arrays:
    """Return the columns of one file, or of several as one.

    Parameters
    ----------
    files
        Open library files.
    names
        What they are called.
    """
    parts = [Arrays(file) for file in files]
    if len(parts) == 1:
        return parts[0]
    counts = parts[0].counts
    for part in parts[1:]:
        counts = counts + part.counts
    columns, remark = _joined([part.columns() for part in parts], names)
    return MergedArrays(columns, counts, remark)


def _joined(parts: list[Columns], files: Sequence[str]) -> tuple[Columns, str]:
    chunks: dict[str, list[tuple[Any, ...]]] = {}
    for place, part in enumerate(parts):
        for label, chunk in _chunks(part, place):
            chunks.setdefault(label, []).append(chunk)
    keys = {label: (Protostructure.from_label(label).counts, label) for label in chunks}
    labels = sorted(chunks, key=keys.__getitem__)
    blocks = [_unique(chunks[label]) for label in labels]
    sizes = [len(block[1]) for block in blocks]
    elements, energy, icsd, old, cells, points, sources = (
        [block[k] for block in blocks] for k in range(7)
    )
    names, remark = _told_apart([str(name) for part in old for name in part],
                                np.concatenate(sources), files)  # fmt: skip
    joined = Columns(
        labels=labels,
        orbits=np.array([block[5].shape[1] for block in blocks], dtype=np.int16),
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        elements=np.concatenate([block.ravel() for block in elements]),
        above_hull=np.concatenate(energy),
        in_icsd=np.concatenate(icsd),
        names=names,
        cells=np.concatenate(cells),
        points=np.concatenate([block.reshape(-1, 3) for block in points]),
    )
    return joined, remark


def _told_apart(
    names: list[str], sources: NDArray[np.integer], files: Sequence[str]
) -> tuple[list[str], str]:
    """Return names that stand for one entry each, and a sentence on those that were changed."""
    order = np.argsort(sources, kind="stable")
    found, changed = each_once(names, [files[int(source)] for source in sources], order.tolist())
    if not changed:
        return found, ""
    number, name, new = len(changed), names[changed[0]], found[changed[0]]
    keeper, other = (files[int(sources[place])] for place in (found.index(name), changed[0]))
    many = "1 identifier stands" if number == 1 else f"{number} identifiers stand"
    return found, (
        f"{many} for different structures in several libraries, {name} the first: that of {keeper} "
        f"keeps it, that of {other} is called {new}."
    )


def _chunks(part: Columns, source: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Return for each prototype elements, energies, flags, names, cells, points and source."""
    found = []
    element = point = 0
    for place, label in enumerate(part.labels):
        rows = slice(int(part.starts[place]), int(part.starts[place + 1]))
        size = rows.stop - rows.start
        slots = len(label.split("_")) - 3
        orbits = int(part.orbits[place])
        elements = part.elements[element : element + size * slots].reshape(size, slots)
        points = part.points[point : point + size * orbits].reshape(size, orbits, 3)
        element += size * slots
        point += size * orbits
        found.append(
            (
                label,
                (
                    elements,
                    part.above_hull[rows],
                    part.in_icsd[rows],
                    np.array(part.names[rows], dtype=object),
                    part.cells[rows],
                    points,
                    np.full(size, source),
                ),
            )
        )
    return found


def _unique(chunks: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    if len(chunks) == 1:
        return chunks[0]
    joined = tuple(np.concatenate(column) for column in zip(*chunks, strict=True))
    energy = joined[1].astype(float)
    energy[joined[1] == UNKNOWN_ENERGY] = 30.0
    order = np.argsort(energy, kind="stable")
    _, first, which = np.unique(joined[0][order], axis=0, return_index=True, return_inverse=True)
    keep = order[first]
    places = np.argsort(keep)
    columns = [column[keep[places]] for column in joined]
    for k, unknown in ((1, UNKNOWN_ENERGY), (2, UNKNOWN_FLAG)):
        columns[k] = _first_known(joined[k][order], which.ravel(), unknown)[places]
    return tuple(columns)


def _first_known(
    values: NDArray[np.integer], which: NDArray[np.integer], unknown: int
) -> NDArray[np.integer]:
    """Return the first value of each entry that is known, in the order of the entries."""
    found = np.full(int(which.max()) + 1, unknown, dtype=values.dtype)
    known = np.flatnonzero(values != unknown)
    entries, first = np.unique(which[known], return_index=True)
    found[entries] = values[known[first]]
    return found
