"""A symmetric crystal as a sentence: space group, orbits, cell, free coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element, symbols_of
from nucleate.crystal.symmetry import symmetry_dataset
from nucleate.generate.layouts import Layout, build
from nucleate.generate.symmetric_cells import SHAPE_SIZE, shape_of
from nucleate.generate.wyckoff import (
    crystal_system,
    orbits,
    primitive_vectors,
    sites,
)
from nucleate.generate.wyckoff_language.descriptions import (
    changes,
    equivalents,
    locate,
    polar_axes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SYMPREC = (0.05, 0.01)
"""Å; the second is tried where the first finds no symmetry that can be written down."""

HOME = np.array([0.137, 0.283, 0.417])
"""Of the equal points of an orbit the one whose free coordinates are nearest to these is named."""


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """What a crystal is in its space group.

    Attributes
    ----------
    group : int
        Space group.
    numbers, counts : ndarray of int64, shape (n_elements,)
        Atomic numbers, in the order in which the elements are placed, and atoms of each in the
        primitive cell.
    kinds, positions : ndarray of int64, shape (n_orbits,)
        Element (index of ``numbers``) and Wyckoff position (index in the group) of each orbit;
        ascending in both.
    free : ndarray of float64, shape (n_orbits, 3)
        Free coordinates in [0, 1), 0 where an orbit has none.
    shape : ndarray of float64
        See :func:`~nucleate.generate.symmetric_cells.shape_of`.
    stretch : float
        Logarithm of the volume relative to the expected one.
    """

    group: int
    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]
    kinds: NDArray[np.int64]
    positions: NDArray[np.int64]
    free: NDArray[np.float64]
    shape: NDArray[np.float64]
    stretch: float

    @property
    def words(self) -> str:
        """The assignment as text, such as ``Sr a, Ti b, O c``."""
        table = sites(self.group)
        return ", ".join(
            name + " " + "".join(table[p].letter for p in self.positions[self.kinds == kind])
            for kind, name in enumerate(symbols_of(self.numbers))
        )


def usual_order(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices that sort elements from electropositive to electronegative."""
    symbols = symbols_of(numbers)
    known = [element(symbol).electronegativity or 0.0 for symbol in symbols]
    return np.lexsort([numbers, np.array(known)])


def expected_volume(numbers: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    """Return the expected volume of a cell in Å³."""
    atoms = np.repeat(numbers, counts)
    return float(Composition.from_numbers(atoms).volume_per_atom * atoms.size)


def sentence_of(crystal: Crystal) -> Sentence | None:
    """Return the canonical sentence of a crystal, None where its symmetry cannot be written down.

    Examples
    --------
    >>> from ase.build import bulk
    >>> sentence_of(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))).words
    'Na a, Cl b'
    """
    for symprec in SYMPREC:
        data = symmetry_dataset(crystal, symprec)
        raw = None if data is None else _raw(crystal, data)
        if raw is not None:
            return described(raw)
    return None


def described(
    raw: Sentence, *, order: NDArray[np.int64] | None = None, rng: np.random.Generator | None = None
) -> Sentence:
    """Return another description of the same crystal: the canonical one, or a random equal one.

    The discrete changes of origin and axes are tried; those win for which the list of elements and
    positions comes first. Among equal ones the cell with the least edge ratios and the orbits
    nearest to home decide, or ``rng``.

    Parameters
    ----------
    raw
        Any description.
    order
        Of the elements, as indices of ``raw.numbers``; None takes :func:`usual_order`.
    rng
        Chooses among equally good origins where it is given.
    """
    order = usual_order(raw.numbers) if order is None else order
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    kinds = rank[raw.kinds]
    table = changes(raw.group)
    moved = table.positions[:, raw.positions]
    keys = np.sort(kinds * 64 + moved, axis=1)
    best = np.lexsort(keys.T[::-1])[0]
    tied = np.flatnonzero(np.all(keys == keys[best], axis=1))
    base = replace(raw, numbers=raw.numbers[order], counts=raw.counts[order], kinds=kinds)
    if rng is not None:
        return _changed(base, int(rng.choice(tied)))
    made = [_changed(base, int(change)) for change in tied]
    return min(made, key=_preference)


def crystal_of(sentence: Sentence, limits: NDArray[np.float64] | None = None) -> Crystal | None:
    """Return the crystal of a sentence in its reduced cell, atoms sorted by element.

    Parameters
    ----------
    sentence
        What to build.
    limits
        Minimum distances in Å, shape (n_elements, n_elements); None asks for none.

    Returns
    -------
    Crystal or None
        None where a contact is too short, no cell has this shape, or the crystal has a smaller
        primitive cell.
    """
    parts = tuple(orbits(sentence.group)[p] for p in sentence.positions)
    sizes = [len(orbit.rotations) for orbit in parts]
    layout = Layout(
        sentence.group,
        sentence.words,
        sentence.numbers,
        sentence.kinds,
        np.concatenate([[0], np.cumsum(sizes)]),
        parts,
    )
    n = sentence.numbers.size
    volume = expected_volume(sentence.numbers, sentence.counts) * float(np.exp(sentence.stretch))
    least = np.full((n, n), 1e-3) if limits is None else limits
    built = build(layout, sentence.shape, volume, least, sentence.free[:, None, :])
    return None if built is None else built.crystal


def _raw(crystal: Crystal, data: Any) -> Sentence | None:
    """Return the sentence of moyopy's analysis, in its origin; None if the two do not agree."""
    group, cell = int(data.number), data.std_cell
    conventional = Crystal(np.array(cell.numbers), np.array(cell.basis), np.array(cell.positions))
    basis = np.array(data.prim_std_cell.basis)
    letters = {site.letter: k for k, site in enumerate(sites(group))}
    own = primitive_vectors(group) @ conventional.cell  # moyopy has another one for C
    points = np.array(data.prim_std_cell.positions, np.float64) @ basis @ np.linalg.inv(own)
    primitive = np.array(data.prim_std_cell.numbers)
    numbers, counts = np.unique(primitive, return_counts=True)
    kinds, positions, free = [], [], []
    for atom in np.unique(data.orbits):
        place = letters[data.wyckoffs[atom]]
        found = locate(group, place, points[data.mapping_std_prim[atom]])
        if found is None:
            return None
        kinds.append(int(np.searchsorted(numbers, crystal.numbers[atom])))
        positions.append(place)
        free.append(np.append(found, np.zeros(3 - found.size)))
    held = np.array([sites(group)[p].multiplicity for p in positions])
    if not np.array_equal(np.bincount(kinds, held, numbers.size), counts):
        return None
    parameters = [*conventional.lengths.tolist(), *conventional.angles.tolist()]
    volume = abs(float(np.linalg.det(basis)))
    return Sentence(
        group,
        numbers,
        counts,
        np.array(kinds, np.int64),
        np.array(positions, np.int64),
        np.array(free),
        shape_of(group, parameters),
        float(np.log(volume / expected_volume(numbers, counts))),
    )


def _changed(raw: Sentence, change: int) -> Sentence:
    """Return the sentence after a change of origin and axes, each orbit named by its home point."""
    table, places = changes(raw.group), orbits(raw.group)
    positions = table.positions[change, raw.positions]
    free = np.einsum("oi,oij->oj", raw.free, table.linear[change, raw.positions])
    free += table.shift[change, raw.positions]
    rows = np.lexsort([positions, raw.kinds])
    kinds, positions, free = raw.kinds[rows], positions[rows], free[rows]
    polar = polar_axes(raw.group)
    if polar.any():
        primitive = primitive_vectors(raw.group)
        first = places[positions[0]]
        point = first.origin + free[0, : len(first.directions)] @ first.directions
        back = -np.where(polar, point @ primitive, 0.0) @ np.linalg.inv(primitive)
        for o, position in enumerate(positions):
            directions = places[position].directions
            free[o, : len(directions)] += back @ np.linalg.pinv(directions)
    free = np.array([_home(raw.group, p, u) for p, u in zip(positions, free, strict=True)])
    rows = np.lexsort([*np.round(free.T[::-1], 4), positions, kinds])
    if polar.any():  # the first orbit is the origin
        rows = np.concatenate([[0], rows[rows != 0]])
    return replace(
        raw,
        kinds=kinds,
        positions=positions,
        free=free[rows],
        shape=_turned_shape(raw, table.axes[change]),
    )


def _home(group: int, position: int, free: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the free coordinates of the equal point that is nearest to home."""
    size = sites(group)[position].freedom
    if size == 0:
        return np.zeros(3)
    images = equivalents(group)[position].all(free[:size])
    images[images > 1.0 - 1e-9] = 0.0
    off = images - HOME[:size]
    off -= np.rint(off)
    nearest = np.round(np.sum(off**2, axis=1), 6).argmin()
    return np.append(images[nearest], np.zeros(3 - size))


def _turned_shape(raw: Sentence, axes: NDArray[np.int64]) -> NDArray[np.float64]:
    if crystal_system(raw.group) != "orthorhombic":
        return raw.shape
    logs = np.array([0.0, *raw.shape])[axes]
    return logs[1:] - logs[0]


def _preference(sentence: Sentence) -> tuple[float, ...]:
    size = SHAPE_SIZE[crystal_system(sentence.group)]
    edges = sentence.shape[: min(size, 2)]
    ratios = np.sum(np.maximum(-np.diff([0.0, *edges]), 0.0))
    off = sentence.free - HOME
    off = np.where(sentence.free == 0.0, 0.0, off - np.rint(off))
    return (round(float(ratios), 3), *np.round(np.abs(off), 3).ravel().tolist())
