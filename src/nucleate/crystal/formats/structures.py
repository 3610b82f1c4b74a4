"""What a reader returns, and the limits that every crystal from outside must keep."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Literal

import numpy as np

from nucleate.crystal.cells import cell_from_parameters
from nucleate.crystal.distances import is_solid_cell
from nucleate.crystal.elements import MAX_NUMBER
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal

    Info = Mapping[str, str | int | float | bool | NDArray[np.float64]]

LONGEST_VECTOR = 1e4
"""Å; a longer lattice vector is a mistake."""

SHORTEST_TRANSLATION = 0.6
"""Å; a shorter lattice translation is a mistake."""

SMALLEST_VOLUME_PER_ATOM = 0.1
"""Å³; less is denser than any matter of chemistry."""

MOST_ATOMS = 200_000
"""Atoms of one structure in a file."""

FARTHEST_COORDINATE = 1e6
"""Cells; beyond, a fractional coordinate has lost the digits of its place in the cell."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadStructure:
    """A crystal as its file gave it.

    Attributes
    ----------
    name : str
        Of the data block or frame; empty where the file gives none.
    crystal : Crystal
        What was read.
    fixed : ndarray of bool, shape (n_atoms, 3), or None
        True where the file fixes an atom along an axis (selective dynamics, ``move_mask``); None
        where it fixes nothing.
    fixed_along : {"lattice", "cartesian"}
        Whether the axes of ``fixed`` are the lattice vectors (POSCAR) or x, y, z (extxyz).
    notes : tuple of str
        What has to be reported about the reading, each once.
    info : mapping
        Values of the comment line of an extxyz frame, for example ``energy`` in eV.
    """

    name: str
    crystal: Crystal
    fixed: NDArray[np.bool_] | None = None
    fixed_along: Literal["lattice", "cartesian"] = "lattice"
    notes: tuple[str, ...] = ()
    info: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A structure of a file that cannot be used; the others of the file can.

    Attributes
    ----------
    name : str
        Of the data block or frame; empty where the file gives none.
    error : InputError
        Why.
    """

    name: str
    error: InputError


Item = ReadStructure | Unreadable


def printable(path: str | Path) -> str:
    """Return a path for messages: bytes that are not UTF-8 and control characters replaced."""
    text = os.fsencode(path).decode("utf-8", errors="replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def shortened(text: str, length: int = 60) -> str:
    """Return a quoted piece of a file for a message, cut to ``length`` characters."""
    return repr(text if len(text) <= length else text[: length - 3] + "...")


def guarded(read: Callable[[], ReadStructure], name: str = "") -> Item:
    """Return what ``read`` returns if it passes the limits, or why it cannot be used.

    Any other exception than :class:`InputError` is a fault of the reader, which the user sees as
    one sentence with its cause.
    """
    try:
        structure = read()
        problem = impossible(structure.crystal)
    except InputError as error:
        return Unreadable(name, error)
    except (MemoryError, RecursionError) as error:
        return Unreadable(name, InputError(f"it is too large to be read ({type(error).__name__})."))
    except Exception as error:  # noqa: BLE001 - files from outside must never end in a traceback
        return Unreadable(name, InputError(f"it cannot be read ({first_line(error)})."))
    if problem is not None:
        return Unreadable(structure.name or name, InputError(problem))
    return structure


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of its text, at most 200 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def impossible(crystal: Crystal) -> str | None:
    """Return why no crystal can be like this one, or None.

    The checks are quick for any numbers: they come before symmetry and neighbour lists.
    """
    if crystal.n_atoms == 0:
        return "it has no atoms."
    if crystal.n_atoms > MOST_ATOMS:
        return f"it has {crystal.n_atoms} atoms; at most {MOST_ATOMS} can be read."
    if crystal.numbers.min() < 1 or crystal.numbers.max() > MAX_NUMBER:
        return "it has an atom that is not an element from H to Lr."
    if not (np.isfinite(crystal.scaled).all() and np.isfinite(crystal.cell).all()):
        return "it has a coordinate that is not a number."
    if np.abs(crystal.scaled).max() > FARTHEST_COORDINATE:
        return f"it has an atom more than {FARTHEST_COORDINATE:g} cells away from the origin."
    return impossible_cell(crystal.cell, crystal.n_atoms)


def cell_from_file(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the cell with lengths a, b, c (Å) and angles alpha, beta, gamma (degrees).

    Raises
    ------
    InputError
        If no crystal has such a cell.
    """
    try:
        cell = cell_from_parameters(values[:3], values[3:])
    except ValueError as error:
        raise InputError(f"{error}.") from error
    problem = impossible_cell(cell, 1)
    if problem is not None:
        raise InputError(problem)
    return cell


def impossible_cell(cell: NDArray[np.float64], n_atoms: int) -> str | None:
    """Return why no crystal of ``n_atoms`` atoms has this cell (Å, finite), or None."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(cell, axis=1)
    if not isfinite(float(lengths.max())) or lengths.max() > LONGEST_VECTOR:
        return (
            f"its cell has a vector of {lengths.max():.4g} Å; the longest possible is "
            f"{LONGEST_VECTOR:g} Å. Check the scale of the cell."
        )
    if not is_solid_cell(cell):
        return "its cell has no volume. Give three lattice vectors."
    volume = abs(float(np.linalg.det(cell)))
    if volume < SMALLEST_VOLUME_PER_ATOM * n_atoms:
        return (
            f"its cell has {volume / n_atoms:.3g} Å³ per atom, which no matter has. Check the "
            "lattice vectors and their scale."
        )
    if repeats_within(cell, SHORTEST_TRANSLATION):
        return (
            f"its lattice repeats after {shortest_translation(cell):.3g} Å, less than any atom "
            "needs. Check the lattice vectors and their scale."
        )
    return None


def renamed(item: Item, name: str) -> Item:
    """Return the same item with another name."""
    return replace(item, name=name)


def repeats_within(cell: NDArray[np.float64], length: float) -> bool:
    """Return whether the lattice of a cell with a volume has a translation shorter than a length.

    No translation is shorter than the smallest distance between opposite faces of the cell, so
    the lattice is reduced only where that does not decide.

    Parameters
    ----------
    cell : ndarray of float64, shape (3, 3)
        Lattice vectors in Å as rows.
    length
        In Å.
    """
    least = 1.0 / float(np.linalg.norm(np.linalg.inv(cell), axis=0).max())
    return least < length and shortest_translation(cell) < length


def shortest_translation(cell: NDArray[np.float64]) -> float:
    """Return the length in Å of the shortest lattice translation of a cell with a volume."""
    from nucleate.crystal.periodic import reduce_lattice

    reduced, _ = reduce_lattice(cell.copy())
    return float(np.linalg.norm(reduced, axis=1).min())
