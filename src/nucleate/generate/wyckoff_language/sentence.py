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
    nearest to home decide, or ``rng``. In polar groups so do they among the orbits that may be the
    origin.

    Parameters
    ----------
    raw
        Any description.
    order
        Of the elements, as indices of ``raw.numbers``; None takes :func:`usual_order`.
    rng
        Chooses among equally good origins where it is given.
    """
    base, tied = _first(raw, usual_order(raw.numbers) if order is None else order)
    if rng is not None:
        made = _changed(base, int(rng.choice(tied)))
        return made[int(rng.integers(len(made)))] if len(made) > 1 else made[0]
    return min((item for change in tied for item in _changed(base, int(change))), key=_preference)


def equal_descriptions(raw: Sentence) -> list[Sentence]:
    """Return the descriptions among which :func:`described` chooses, each once, the best first."""
    base, tied = _first(raw, usual_order(raw.numbers))
    made = [item for change in tied for item in _changed(base, int(change))]
    unique: list[Sentence] = []
    for item in sorted(made, key=_preference):
        if not any(is_same(item, other) for other in unique):
            unique.append(item)
    return unique


def changed(raw: Sentence) -> list[list[Sentence]]:
    """Return the descriptions after each change of :func:`~.descriptions.changes`.

    Where the origin along polar axes is free there are several, one for each choice of it.
    """
    return [_changed(raw, change) for change in range(len(changes(raw.group).axes))]


def is_same(one: Sentence, other: Sentence, tolerance: float = 1e-3) -> bool:
    """Return whether two sentences of the same elements are equal within a tolerance."""
    if not np.array_equal(one.positions, other.positions):
        return False
    off = one.free - other.free
    return bool(
        np.allclose(one.shape, other.shape, atol=tolerance)
        and np.all(np.abs(off - np.rint(off)) < tolerance)
    )


def in_usual_order(sentence: Sentence) -> Sentence:
    """Return a sentence with its elements from electropositive to electronegative."""
    order = usual_order(sentence.numbers)
    kinds = np.argsort(order)[sentence.kinds]
    rows = np.argsort(kinds, kind="stable")
    return replace(
        sentence,
        numbers=sentence.numbers[order],
        counts=sentence.counts[order],
        kinds=kinds[rows],
        positions=sentence.positions[rows],
        free=sentence.free[rows],
    )


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


def _first(raw: Sentence, order: NDArray[np.int64]) -> tuple[Sentence, NDArray[np.int64]]:
    """Return a sentence with its elements in this order, and the changes that make it come first.

    They are those for which the list of elements and positions comes first.
    """
    kinds = np.argsort(order)[raw.kinds]
    moved = changes(raw.group).positions[:, raw.positions]
    keys = np.sort(kinds * 64 + moved, axis=1)
    best = np.lexsort(keys.T[::-1])[0]
    tied = np.flatnonzero(np.all(keys == keys[best], axis=1))
    base = replace(raw, numbers=raw.numbers[order], counts=raw.counts[order], kinds=kinds)
    return base, tied


def _changed(raw: Sentence, change: int) -> list[Sentence]:
    """Return the sentences after a change of origin and axes, each orbit named by its home point.

    Along polar axes the first orbit is the origin. Where several are of its element and position,
    and where an orbit has points at several heights, each of them may be.
    """
    table = changes(raw.group)
    positions = table.positions[change, raw.positions]
    free = np.einsum("oi,oij->oj", raw.free, table.linear[change, raw.positions])
    free += table.shift[change, raw.positions]
    rows = np.lexsort([positions, raw.kinds])
    kinds, positions, free = raw.kinds[rows], positions[rows], free[rows]
    made = []
    for origin, back in _origins(raw.group, kinds, positions, free):
        moved = free.copy()
        if back is not None:
            for o, position in enumerate(positions):
                directions = orbits(raw.group)[position].directions
                moved[o, : len(directions)] += back @ np.linalg.pinv(directions)
        moved = np.array([_home(raw.group, p, u) for p, u in zip(positions, moved, strict=True)])
        rows = np.lexsort([*np.round(moved.T[::-1], 4), positions, kinds])
        if back is not None:
            moved = np.where(np.abs(moved) < 1e-9, 0.0, moved)
            rows = np.concatenate([[origin], rows[rows != origin]])
        made.append(
            replace(
                raw,
                kinds=kinds,
                positions=positions,
                free=moved[rows],
                shape=_turned_shape(raw, table.axes[change]),
            )
        )
    return made


def _origins(
    group: int,
    kinds: NDArray[np.int64],
    positions: NDArray[np.int64],
    free: NDArray[np.float64],
) -> list[tuple[int, NDArray[np.float64] | None]]:
    """Return the orbits that may be the origin along polar axes, with the shift that makes them so.

    Without polar axes there is one entry, without a shift.
    """
    polar = polar_axes(group)
    if not polar.any():
        return [(0, None)]
    primitive = primitive_vectors(group)
    inverse = np.linalg.inv(primitive)
    first = orbits(group)[positions[0]]
    size = len(first.directions)
    found: list[tuple[int, NDArray[np.float64] | None]] = []
    for origin in np.flatnonzero((kinds == kinds[0]) & (positions == positions[0])):
        points = first.origin + equivalents(group)[positions[0]].all(free[origin, :size]) @ (
            first.directions
        )
        heights = np.where(polar, points @ primitive, 0.0)
        _, unlike = np.unique(np.round(heights, 4) % 1.0, axis=0, return_index=True)
        backs = np.array(-heights[np.sort(unlike)] @ inverse, np.float64)
        found.extend((int(origin), back) for back in backs)
    return found


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
