"""Wyckoff positions of the 230 space groups as affine maps in the primitive cell.

Fractional coordinates are rows: a point ``x`` of the conventional cell is ``x @ inv(P)`` in the
primitive one, whose vectors are ``P @ conventional_cell`` (rows of ``P``: the primitive vectors in
units of the conventional ones).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nucleate.crystal.symmetry import space_group_symbol

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_SPACE_GROUPS = 230

CrystalSystem = Literal[
    "triclinic", "monoclinic", "orthorhombic", "tetragonal", "hexagonal", "cubic"
]

_PRIMITIVE = {
    "P": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "A": ((1, 0, 0), (0, 1 / 2, 1 / 2), (0, -1 / 2, 1 / 2)),
    "C": ((1 / 2, 1 / 2, 0), (-1 / 2, 1 / 2, 0), (0, 0, 1)),
    "F": ((0, 1 / 2, 1 / 2), (1 / 2, 0, 1 / 2), (1 / 2, 1 / 2, 0)),
    "I": ((-1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (1 / 2, 1 / 2, -1 / 2)),
    "R": ((2 / 3, 1 / 3, 1 / 3), (-1 / 3, 1 / 3, 1 / 3), (-1 / 3, -2 / 3, 1 / 3)),
}
_TERM = re.compile(r"([+-]?)(\d+(?:/\d+)?)?([xyz])?")
_GENERIC = np.array([0.13719, 0.28347, 0.41731])


@dataclass(frozen=True, slots=True)
class Site:
    """What counting needs to know of a Wyckoff position.

    Attributes
    ----------
    letter : str
        Wyckoff letter (``A`` follows ``z``).
    site_symmetry : str
        Oriented symbol of the site-symmetry group.
    multiplicity : int
        Atoms of one orbit in the primitive cell.
    freedom : int
        Number of free coordinates; an orbit without any can be occupied once.
    """

    letter: str
    site_symmetry: str
    multiplicity: int
    freedom: int


@dataclass(frozen=True, slots=True, eq=False)
class Orbit:
    """The points of a Wyckoff position in fractional coordinates of the primitive cell.

    Attributes
    ----------
    origin : ndarray of float64, shape (3,)
        First point where all free coordinates are 0.
    directions : ndarray of float64, shape (freedom, 3)
        Its change with each free coordinate.
    rotations : ndarray of float64, shape (multiplicity, 3, 3)
    translations : ndarray of float64, shape (multiplicity, 3)
        Point k of the orbit is ``first @ rotations[k] + translations[k]``; the first is the
        identity.
    """

    origin: NDArray[np.float64]
    directions: NDArray[np.float64]
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]

    def points(self, free: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the orbit's points, shape (multiplicity, 3), for the given free coordinates."""
        return (self.origin + free @ self.directions) @ self.rotations + self.translations


def crystal_system(number: int) -> CrystalSystem:
    """Return the system whose cell a space group has; trigonal groups use hexagonal axes."""
    systems: tuple[tuple[int, CrystalSystem], ...] = (
        (2, "triclinic"),
        (15, "monoclinic"),
        (74, "orthorhombic"),
        (142, "tetragonal"),
        (194, "hexagonal"),
        (N_SPACE_GROUPS, "cubic"),
    )
    for last, system in systems:
        if 1 <= number <= last:
            return system
    raise ValueError(f"there is no space group {number}")


@cache
def primitive_vectors(number: int) -> NDArray[np.float64]:
    """Return the primitive vectors in units of the conventional ones, shape (3, 3)."""
    return np.array(_PRIMITIVE[space_group_symbol(number)[0]], dtype=np.float64)


@cache
def sites(number: int) -> tuple[Site, ...]:
    """Return the Wyckoff positions of a space group from ``a`` to the general one."""
    points = round(1.0 / np.linalg.det(primitive_vectors(number)))
    return tuple(
        Site(letter, site_symmetry, multiplicity // points, len(set(coordinates) & set("xyz")))
        for letter, multiplicity, site_symmetry, coordinates in _table()[number]
    )


@cache
def first_points(number: int) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
    """Return origin (3,) and free directions (freedom, 3) of the first point of each position.

    They are in the primitive basis, in the order of :func:`sites`.
    """
    to_primitive = np.linalg.inv(primitive_vectors(number))
    found = []
    for row in _table()[number]:
        matrix, shift = _parse(row[3])
        directions = matrix[np.any(matrix != 0.0, axis=1)] @ to_primitive
        found.append((shift @ to_primitive, directions))
    return tuple(found)


@cache
def orbits(number: int) -> tuple[Orbit, ...]:
    """Return the orbit of each Wyckoff position, in the order of :func:`sites`."""
    rotations, translations = operations(number)
    result = []
    for (origin, directions), site in zip(first_points(number), sites(number), strict=True):
        first = origin + _GENERIC[: len(directions)] @ directions
        images = np.einsum("i,kij->kj", first, rotations) + translations
        keep = _distinct(images)
        if len(keep) != site.multiplicity:
            raise ValueError(f"space group {number}{site.letter}: {len(keep)} points in the orbit")
        result.append(Orbit(origin, directions, rotations[keep], translations[keep]))
    return tuple(result)


@cache
def operations(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the operations of a space group modulo the translations of the primitive cell.

    Returns
    -------
    rotations : ndarray of float64, shape (order, 3, 3)
    translations : ndarray of float64, shape (order, 3)
        A row ``x`` of fractional coordinates of the primitive cell goes to
        ``x @ rotations[k] + translations[k]``. The first is the identity.
    """
    from moyopy import Setting, operations_from_number

    found = operations_from_number(number, setting=Setting.standard())
    primitive = primitive_vectors(number)
    inverse = np.linalg.inv(primitive)
    unique: dict[tuple[int, ...], tuple[NDArray[Any], NDArray[Any]]] = {}
    for rotation, translation in zip(found.rotations, found.translations, strict=True):
        turned = np.rint(primitive @ np.array(rotation, dtype=np.float64).T @ inverse)
        key = tuple(int(value) for value in turned.ravel())
        if key not in unique:
            shift = np.array(translation) @ inverse
            unique[key] = turned, shift - np.floor(shift + 1e-9)
    rotations = np.array([pair[0] for pair in unique.values()])
    translations = np.array([pair[1] for pair in unique.values()])
    first = int(np.argmax((rotations == np.eye(3)).all(axis=(1, 2))))
    order = [first, *(k for k in range(len(rotations)) if k != first)]
    return rotations[order], translations[order]


def _distinct(points: NDArray[np.float64]) -> list[int]:
    keep: list[int] = []
    for k, point in enumerate(points):
        gap = points[keep] - point
        gap -= np.rint(gap)
        if not np.any(np.all(np.abs(gap) < 1e-6, axis=1)):
            keep.append(k)
    return keep


def _parse(coordinates: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the change of the point with x, y and z (rows) and the point at 0, 0, 0."""
    matrix = np.zeros((3, 3))
    shift = np.zeros(3)
    for axis, text in enumerate(coordinates.split(",")):
        for sign, factor, variable in _TERM.findall(text):
            if not factor and not variable:
                continue
            value = float(Fraction(factor or "1")) * (-1.0 if sign == "-" else 1.0)
            if variable:
                matrix["xyz".index(variable), axis] = value
            else:
                shift[axis] = value
    return matrix, shift


@cache
def _table() -> dict[int, list[tuple[str, int, str, str]]]:
    text = (files("nucleate.generate") / "data" / "wyckoff.txt").read_text(encoding="utf-8")
    table: dict[int, list[tuple[str, int, str, str]]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        number, letter, multiplicity, site_symmetry, coordinates = line.split()
        row = (letter, int(multiplicity), site_symmetry, coordinates)
        table.setdefault(int(number), []).append(row)
    return table
