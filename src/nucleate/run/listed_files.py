"""Crystals of files for a series: read one by one, checked, counted."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.constraints import along_lattice
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.formats.structures import ReadStructure
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.formats.structures import Item

SAMPLES, LARGEST_SAMPLE = 4, 40
"""Structures whose compression is found out for a series, and the atoms that they have at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class FileCrystal:
    """A structure of a file.

    Attributes
    ----------
    file, name : str
        Where it is from.
    crystal : Crystal or InputError
        The structure, or what is wrong with it.
    fixed : ndarray of bool, shape (n_atoms, 3), or None
        True for each fractional coordinate that must stay; the cell then stays too.
    """

    file: str
    name: str
    crystal: Crystal | InputError
    fixed: NDArray[np.bool_] | None = None


def read_files(paths: Iterable[str | Path]) -> list[FileCrystal]:
    """Return all structures of some files, in order.

    Raises
    ------
    InputError
        If a file cannot be opened, or nothing that can be read is in any of them.
    """
    return list(checked(iter_files(paths)))


def iter_files(paths: Iterable[str | Path], *, with_notes: bool = True) -> Iterator[FileCrystal]:
    """Yield the structures of some files one by one, and log what has to be said of each file."""
    from nucleate.crystal.files import iter_structures

    for path in paths:
        notes: dict[str, None] = {}
        for item in iter_structures(path):
            notes |= dict.fromkeys(_notes(item))
            yield _file_crystal(path, item)
        for note in notes if with_notes else ():
            _log.warning("%s: %s", path, note)


def checked(items: Iterable[FileCrystal]) -> Iterator[FileCrystal]:
    """Yield structures; raise the error of the first where none of them can be read."""
    first: InputError | None = None
    stream = iter(items)
    for item in stream:
        if not isinstance(item.crystal, InputError):
            yield item
            break
        first = first or item.crystal
        yield item
    else:
        if first is not None:
            raise first
    yield from stream


class Files:
    """The structures of files, read again whenever they are gone through: none is kept.

    Parameters
    ----------
    paths : sequence of str or Path
        Files and folders, which must not change meanwhile.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._paths = tuple(paths)
        self._is_noted = False

    def __iter__(self) -> Iterator[FileCrystal]:
        with_notes, self._is_noted = not self._is_noted, True
        yield from checked(iter_files(self._paths, with_notes=with_notes))


def _file_crystal(path: str | Path, item: Item) -> FileCrystal:
    if not isinstance(item, ReadStructure):
        return FileCrystal(str(path), item.name, item.error)
    return FileCrystal(str(path), item.name, item.crystal, held(item))


def _notes(item: Item) -> list[str]:
    """Return what has to be reported about the reading of a structure."""
    if not isinstance(item, ReadStructure):
        return []
    notes = list(item.notes)
    fixed = held(item)
    if fixed is not None:
        notes.append("atoms are fixed; they stay where they are, and so does the cell.")
        if item.fixed is not None and not np.array_equal(fixed, item.fixed):
            notes.append(
                "atoms are fixed along x, y or z, which are no lattice directions here; "
                "they are held along all three."
            )
    return notes


def held(item: ReadStructure) -> NDArray[np.bool_] | None:
    """Return the fractional coordinates that a file fixes, shape (n_atoms, 3); None if none."""
    if item.fixed is None or not item.fixed.any():
        return None
    return (
        item.fixed
        if item.fixed_along == "lattice"
        else along_lattice(item.fixed, item.crystal.cell)
    )


def fixed_of(items: Iterable[FileCrystal]) -> dict[int, NDArray[np.bool_]]:
    """Return the fixed coordinates of the structures that have some, by their place."""
    return {place: item.fixed for place, item in enumerate(items) if item.fixed is not None}


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of structures that have been gone through once.

    Attributes
    ----------
    number, n_good : int
        Structures, and those of them that can be read.
    digest : str
        What changes when any structure does.
    fixed : dict of int to ndarray of bool, shape (n_atoms, 3)
        The fixed coordinates, by place.
    samples : tuple of Crystal
        The first small ones of a few compositions.
    """

    number: int
    n_good: int
    digest: str
    fixed: dict[int, NDArray[np.bool_]]
    samples: tuple[Crystal, ...] = ()


def survey_of(items: Iterable[FileCrystal]) -> Survey:
    """Go through structures once, keeping none."""
    total, fixed, number, n_good = hashlib.sha256(), {}, 0, 0
    samples: dict[str, Crystal] = {}
    for place, item in enumerate(items):
        number += 1
        if not isinstance(item.crystal, Crystal):
            total.update(b"broken")
            continue
        n_good += 1
        if len(samples) < SAMPLES and item.crystal.n_atoms <= LARGEST_SAMPLE:
            samples.setdefault(item.crystal.reduced_formula, item.crystal)
        for array in (item.crystal.numbers, item.crystal.cell, item.crystal.scaled):
            total.update(array.tobytes())
        if item.fixed is not None:
            fixed[place] = item.fixed
            total.update(b"fixed" + item.fixed.tobytes())
    return Survey(number, n_good, total.hexdigest()[:16], fixed, tuple(samples.values()))
