"""Which elements sit on which Wyckoff positions of a space group, and crystals built from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import symbols_of
from nucleate.generate.symmetric_cells import SHAPE_SIZE, cell_of
from nucleate.generate.wyckoff import Orbit, crystal_system, orbits, primitive_vectors, sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAME_POINT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The orbits of a crystal without its cell and free coordinates.

    Attributes
    ----------
    group : int
        Space group.
    words : str
        The assignment as text, such as ``Sr a, Ti b, O c``.
    numbers : ndarray of int64, shape (n_elements,)
        Atomic numbers of the elements.
    kinds : ndarray of int64, shape (n_orbits,)
        Element of each orbit, as an index of ``numbers``; in the order of placement.
    start : ndarray of int64, shape (n_orbits + 1,)
        Atoms of orbit o are ``start[o]:start[o + 1]``.
    parts : tuple of Orbit
        The orbits' points.
    """

    group: int
    words: str
    numbers: NDArray[np.int64]
    kinds: NDArray[np.int64]
    start: NDArray[np.int64]
    parts: tuple[Orbit, ...]

    @property
    def n_atoms(self) -> int:
        """Atoms in the primitive cell."""
        return int(self.start[-1])

    @property
    def freedom(self) -> NDArray[np.int64]:
        """Free coordinates of each orbit, shape (n_orbits,)."""
        return np.array([len(orbit.directions) for orbit in self.parts], dtype=np.int64)

    @property
    def shape_size(self) -> int:
        """Free shape parameters of the cell."""
        return SHAPE_SIZE[crystal_system(self.group)]


def layout_of(
    group: int,
    occupied: NDArray[np.int64],
    numbers: NDArray[np.int64],
    sizes: NDArray[np.float64],
) -> Layout:
    """Return the layout of an assignment.

    The orbits come in the order in which they are best placed: the least free ones first, then
    large atoms.

    Parameters
    ----------
    group
        Space group.
    occupied
        Orbits of each element on each position, shape (n_elements, n_positions).
    numbers
        Atomic numbers of the elements.
    sizes
        What makes an element large, shape (n_elements,).
    """
    found = sites(group)
    chosen = sorted(
        (
            (int(kind), int(position))
            for kind, position in np.argwhere(occupied)
            for _ in range(occupied[kind, position])
        ),
        key=lambda item: (found[item[1]].freedom, -sizes[item[0]], *item),
    )
    parts = tuple(orbits(group)[position] for _, position in chosen)
    start = np.concatenate([[0], np.cumsum([len(orbit.rotations) for orbit in parts])])
    words = ", ".join(
        name + " " + "".join(found[k].letter * int(row[k]) for k in np.flatnonzero(row))
        for name, row in zip(symbols_of(numbers), occupied, strict=True)
    )
    return Layout(
        group, words, numbers, np.array([kind for kind, _ in chosen], np.int64), start, parts
    )


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A crystal made from a layout.

    Attributes
    ----------
    crystal : Crystal
        In its reduced cell, atoms sorted by element.
    orbit : ndarray of int64, shape (n_atoms,)
        First atom of the orbit of each of its atoms.
    free : ndarray of float64, shape (n_orbits, 3)
        Free coordinates taken; those an orbit does not have are 0.
    """

    crystal: Crystal
    orbit: NDArray[np.int64]
    free: NDArray[np.float64]


@dataclass(slots=True)
class Effort:
    """How much work building was, the same on every machine.

    Attributes
    ----------
    pairs : int
        Pairs of atoms compared.
    """

    pairs: int = 0


def build(
    layout: Layout,
    shape: NDArray[np.float64],
    volume: float,
    limits: NDArray[np.float64],
    rolls: NDArray[np.float64],
    *,
    effort: Effort | None = None,
) -> Built | None:
    """Build a crystal, each orbit at the first of its tries without a short contact.

    Parameters
    ----------
    layout
        The orbits.
    shape
        Of the conventional cell, see :func:`~nucleate.generate.symmetric_cells.shape_of`.
    volume
        Of the primitive cell in Å³.
    limits
        Minimum distances in Å, shape (n_elements, n_elements).
    rolls
        Free coordinates to try, shape (n_orbits, n_tries, 3).
    effort
        Is increased by this work; every pair of a crystal that has all its orbits counts once
        more, for the checks of the whole.

    Returns
    -------
    Built or None
        None if no cell has this shape, an orbit finds no place, or the crystal has a smaller
        cell.
    """
    from nucleate.crystal.lattice import reduce_lattice
    from nucleate.generate.symmetric_placement import has_translation, place

    try:
        conventional = cell_of(layout.group, shape)
    except ValueError:
        return None
    cell = primitive_vectors(layout.group) @ conventional
    cell *= (volume / abs(np.linalg.det(cell))) ** (1.0 / 3.0)
    reduced, change = reduce_lattice(np.ascontiguousarray(cell))
    placed, scaled, taken, pairs = place(
        reduced, layout.kinds, layout.start, *_stacked(layout, change), limits, rolls
    )
    if effort is not None:
        effort.pairs += int(pairs) + (layout.n_atoms**2 if placed == len(layout.parts) else 0)
    if placed < len(layout.parts):
        return None
    numbers = np.repeat(layout.numbers[layout.kinds], np.diff(layout.start))
    if has_translation(numbers, scaled, SAME_POINT):
        return None
    order = np.argsort(numbers, kind="stable")
    if np.linalg.det(reduced) < 0.0:
        reduced, scaled = -reduced, -scaled
    _, first, member = np.unique(
        np.repeat(np.arange(len(layout.parts)), np.diff(layout.start))[order],
        return_index=True,
        return_inverse=True,
    )
    free = rolls[np.arange(len(layout.parts)), taken]
    free = np.where(np.arange(3) < layout.freedom[:, None], free % 1.0, 0.0)
    crystal = Crystal(numbers[order], reduced, scaled[order]).wrapped()
    return Built(crystal, first[member], free)


def _stacked(
    layout: Layout, change: NDArray[np.float64]
) -> tuple[
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
]:
    """Return freedom, origins, directions, rotations and translations in the reduced cell.

    ``change`` times the primitive vectors gives the reduced ones.
    """
    parts = layout.parts
    inverse = np.rint(np.linalg.inv(change))
    freedom = layout.freedom
    directions = np.zeros((len(parts), 3, 3))
    for o, orbit in enumerate(parts):
        directions[o, : freedom[o]] = orbit.directions @ inverse
    return (
        freedom,
        np.array([orbit.origin for orbit in parts]) @ inverse,
        directions,
        change @ np.concatenate([orbit.rotations for orbit in parts]) @ inverse,
        np.concatenate([orbit.translations for orbit in parts]) @ inverse,
    )
