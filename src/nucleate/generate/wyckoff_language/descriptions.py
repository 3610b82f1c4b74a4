"""Equal descriptions of a crystal: other origins and axes, other points of the same orbit.

All maps act on rows of fractional coordinates of the primitive cell, ``x -> x @ W + s``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.generate.wyckoff import crystal_system, operations, orbits, primitive_vectors, sites
from nucleate.library.labels import relabelings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nucleate.generate.wyckoff import Orbit

LAST_MONOCLINIC = 15

GRID = 24
"""Discrete shifts of the origin are multiples of 1/24 in the primitive basis."""

_GENERIC = np.array([0.13719, 0.28347, 0.41731])
_NEAR = np.array(list(product(range(-2, 3), repeat=3)), dtype=np.float64)
_SAME = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class FreeMaps:
    """Affine maps of the free coordinates of one position: ``u -> u @ linear[m] + shift[m]``.

    Attributes
    ----------
    linear : ndarray of float64, shape (n_maps, freedom, freedom)
    shift : ndarray of float64, shape (n_maps, freedom)
    """

    linear: NDArray[np.float64]
    shift: NDArray[np.float64]

    def all(self, free: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all images of free coordinates in [0, 1), shape (n_maps, freedom)."""
        return (free @ self.linear + self.shift) % 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """The discrete changes of origin and axes of a space group, the identity first.

    Attributes
    ----------
    positions : ndarray of int64, shape (n_changes, n_positions)
        What each Wyckoff position becomes.
    linear : ndarray of float64, shape (n_changes, n_positions, 3, 3)
    shift : ndarray of float64, shape (n_changes, n_positions, 3)
        What the free coordinates become: ``u @ linear + shift``, padded with zeros.
    axes : ndarray of int64, shape (n_changes, 3)
        New conventional axis k is the old axis ``axes[k]``, up to its sign.
    """

    positions: NDArray[np.int64]
    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    axes: NDArray[np.int64]


@cache
def polar_axes(number: int) -> NDArray[np.bool_]:
    """Return along which conventional axes the origin is arbitrary, shape (3,)."""
    primitive = primitive_vectors(number)
    inverse = np.linalg.inv(primitive)
    turned = inverse @ operations(number)[0] @ primitive
    return np.all(np.abs(turned - np.eye(3)) < _SAME, axis=(0, 2))


@cache
def equivalents(number: int) -> tuple[FreeMaps, ...]:
    """Return, for each position, the free coordinates that give the same orbit."""
    found = []
    for orbit in orbits(number):
        point = orbit.origin + _GENERIC[: len(orbit.directions)] @ orbit.directions
        linear, shift = [], []
        for k, cell in _hits(orbit, point):
            matrix, offset = _free_map(orbit, orbit, np.eye(3), np.zeros(3), k, cell)
            linear.append(matrix)
            shift.append(offset)
        unique = np.unique(
            np.round(
                [np.append(a.ravel(), b % 1.0) for a, b in zip(linear, shift, strict=True)], 9
            ),
            axis=0,
        )
        size = len(orbit.directions)
        unique[:, size * size :] %= 1.0
        unique = np.unique(unique, axis=0).astype(np.float64)
        found.append(
            FreeMaps(
                unique[:, : size * size].reshape(len(unique), size, size), unique[:, size * size :]
            )
        )
    return tuple(found)


@cache
def changes(number: int) -> Changes:
    """Return the discrete changes of origin and axes of a space group.

    Continuous shifts along polar axes are not among them. In triclinic and monoclinic cells the
    axes stay, up to inversion.
    """
    rows = []
    for matrix, shift in _normaliser(number):
        rows.append(_effect(number, matrix, shift))
    rows.sort(key=lambda row: not row[4])
    return Changes(*(np.array([row[k] for row in rows]) for k in range(4)))


@cache
def position_changes(number: int) -> NDArray[np.int64]:
    """Return the distinct rows of ``changes(number).positions``, shape (n, n_positions).

    They are read from a table where there is one. That of the affine normalisers has more in
    triclinic and monoclinic groups, whose axes stay here.
    """
    if number > LAST_MONOCLINIC:
        return relabelings(number)
    return np.unique(changes(number).positions, axis=0)


def locate(number: int, position: int, point: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return free coordinates with which a position's orbit has a point nearest to this one.

    None where no point of the orbit comes within 0.05 of it in fractional coordinates.
    """
    orbit = orbits(number)[position]
    best, free = 0.05, None
    for rotation, translation in zip(orbit.rotations, orbit.translations, strict=True):
        directions = orbit.directions @ rotation
        off = point - translation - orbit.origin @ rotation
        off = off - np.rint(off) + _NEAR
        inside = off @ np.linalg.pinv(directions) if len(directions) else np.zeros((len(off), 0))
        gap = np.abs(off - inside @ directions).max(axis=1)
        nearest = int(gap.argmin())
        if gap[nearest] < best:
            best, free = float(gap[nearest]), inside[nearest] % 1.0
            if best < _SAME:
                break
    return free


def _hits(orbit: Orbit, point: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Return the operations and lattice vectors that put a point of the orbit's form here."""
    off = point - orbit.translations - orbit.origin @ orbit.rotations
    whole = np.rint(off)
    off -= whole
    if len(orbit.directions) == 0:
        for k in np.flatnonzero(np.all(np.abs(off) < _SAME, axis=1)):
            yield int(k), whole[k]
        return
    across = _across(orbit)
    gaps = (off[:, None] @ across) + _NEAR @ across
    for k, row in np.argwhere(np.all(np.abs(gaps) < _SAME, axis=2)):
        yield int(k), whole[k] - _NEAR[row]


@cache
def _inverses(orbit: Orbit) -> NDArray[np.float64]:
    """Return what gives the free coordinates of each point, shape (multiplicity, 3, freedom).

    The pseudo-inverse of its directions, which is expensive and needed for every lattice vector.
    """
    return np.asarray(np.linalg.pinv(orbit.directions @ orbit.rotations), dtype=np.float64)


@cache
def _across(orbit: Orbit) -> NDArray[np.float64]:
    """Return what takes the free directions of each point off a row, shape (multiplicity, 3, 3)."""
    return np.eye(3) - _inverses(orbit) @ (orbit.directions @ orbit.rotations)


def _free_map(
    source: Orbit,
    target: Orbit,
    matrix: NDArray[np.float64],
    shift: NDArray[np.float64],
    operation: int,
    cell: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how free coordinates change where ``x @ matrix + shift`` meets a target's point."""
    rotation, translation = target.rotations[operation], target.translations[operation]
    size = len(target.directions)
    if size == 0:
        return np.zeros((len(source.directions), 0)), np.zeros(0)
    inverse = _inverses(target)[operation]
    off = source.origin @ matrix + shift - translation - target.origin @ rotation - cell
    return source.directions @ matrix @ inverse, off @ inverse


def _effect(
    number: int, matrix: NDArray[np.float64], shift: NDArray[np.float64]
) -> tuple[Any, ...]:
    table, places = sites(number), orbits(number)
    positions = np.zeros(len(places), np.int64)
    linear, offset = np.zeros((len(places), 3, 3)), np.zeros((len(places), 3))
    for k, source in enumerate(places):
        size = table[k].freedom
        point = (source.origin + _GENERIC[:size] @ source.directions) @ matrix + shift
        kind = (table[k].multiplicity, size)
        for other, target in enumerate(places):
            if (table[other].multiplicity, table[other].freedom) != kind:
                continue
            hit = next(_hits(target, point), None)
            if hit is not None:
                positions[k] = other
                linear[k, :size, :size], offset[k, :size] = _free_map(
                    source, target, matrix, shift, *hit
                )
                break
        else:
            raise ValueError(f"space group {number}: no position for {point}")
    primitive = primitive_vectors(number)
    turned = np.linalg.inv(primitive) @ matrix @ primitive
    axes = np.abs(np.rint(turned)).argmax(axis=0)
    identity = bool(np.allclose(matrix, np.eye(3)) and np.allclose(shift, 0.0))
    return positions, linear, offset, axes, identity


def _axes_changes(number: int) -> list[NDArray[np.float64]]:
    """Return the isometries of the conventional cell, up to its edge lengths, in its basis."""
    system = crystal_system(number)
    if system in ("triclinic", "monoclinic"):
        return [np.eye(3), -np.eye(3)]
    signs = [np.diag(s) for s in product((1.0, -1.0), repeat=3)]
    if system == "hexagonal":
        turn = np.array([[1.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        flip = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        planar = [np.linalg.matrix_power(turn, k) for k in range(6)]
        planar += [matrix @ flip for matrix in planar]
        return [np.rint(matrix @ np.diag([1, 1, s])) for matrix in planar for s in (1, -1)]
    orders = list(permutations(range(3)))
    if system == "tetragonal":
        orders = [order for order in orders if order[2] == 2]
    return [np.eye(3)[list(order)] @ sign for order in orders for sign in signs]


def _normaliser(number: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return one change of each coset of the space group in the normaliser, as far as discrete."""
    rotations = operations(number)[0]
    primitive = primitive_vectors(number)
    inverse = np.linalg.inv(primitive)
    known = {tuple(np.rint(r).astype(int).ravel()): k for k, r in enumerate(rotations)}
    seen: set[tuple[int, ...]] = set()
    found = []
    for conventional in _axes_changes(number):
        matrix = primitive @ conventional @ inverse
        if not np.allclose(matrix, np.rint(matrix)):
            continue
        matrix = np.rint(matrix)
        if tuple(matrix.astype(int).ravel()) in seen:
            continue
        turned = np.rint(np.linalg.inv(matrix) @ rotations @ matrix).astype(int)
        images = [known.get(tuple(row.ravel())) for row in turned]
        if any(image is None for image in images):
            continue
        seen |= {tuple(np.rint(r @ matrix).astype(int).ravel()) for r in rotations}
        shifts = _origins(number, matrix, np.array(images, dtype=np.int64))
        found += [(matrix, shift) for shift in _discrete(number, shifts)]
    return found


def _origins(
    number: int, matrix: NDArray[np.float64], images: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the shifts on the grid that normalise the group, none of them along polar axes."""
    rotations, translations = operations(number)
    axes = np.arange(GRID) / GRID
    grid = np.stack(np.meshgrid(axes, axes, axes, indexing="ij"), -1).reshape(-1, 3)
    moved = (grid @ primitive_vectors(number))[:, polar_axes(number)]
    grid = grid[np.all(np.abs(moved) < _SAME, axis=1)]
    for k, image in enumerate(images):
        gap = translations[k] @ matrix + grid - grid @ rotations[image] - translations[image]
        grid = grid[np.all(np.abs(gap - np.rint(gap)) < _SAME, axis=1)]
    return grid


def _discrete(number: int, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shifts without what is arbitrary along polar axes, each once, zero first."""
    polar = polar_axes(number)
    if not polar.any():
        return shifts
    primitive = primitive_vectors(number)
    inverse = np.linalg.inv(primitive)
    lattice = _NEAR @ primitive
    unique: dict[tuple[float, ...], NDArray[Any]] = {}
    for shift in shifts:
        straight: NDArray[np.float64] = np.where(polar, 0.0, shift @ primitive)
        images = np.where(polar, 0.0, straight + lattice) % 1.0
        key = min(tuple(np.round(row, 4) % 1.0) for row in images)
        unique.setdefault(key, straight @ inverse)
    return np.array(list(unique.values()))
