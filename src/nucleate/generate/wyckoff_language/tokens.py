"""Sentences as the tokens that the network reads.

A sequence is: one token for each element, BEGIN, GROUP, one ORBIT token for each orbit, CELL, and
one PLACE token for each orbit with free coordinates. What follows a token is predicted at it:
the group at BEGIN, the first orbit at GROUP, the next one at each ORBIT, the cell at the last
ORBIT, the coordinates of the first free orbit at CELL, those of the next one at each PLACE.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.symmetry import space_group_symbol
from nucleate.generate.symmetric_cells import SHAPE_SIZE
from nucleate.generate.symmetric_prior import positions as all_positions
from nucleate.generate.wyckoff import (
    N_SPACE_GROUPS,
    crystal_system,
    first_points,
    primitive_vectors,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = Any
"""Index of sequences: a number, a slice or an array; so are columns where they are Any."""

ELEMENT, BEGIN, GROUP, ORBIT, CELL, PLACE = range(1, 7)
SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "hexagonal", "cubic")
CENTRINGS = "PACFIR"
N_SCALARS = 6
N_FEATURES = 20
USUAL_LOG_ATOMS = 2.7
USUAL_LOG_VOLUME = 2.9
RIGHT_ANGLE = np.pi / 2


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Facts of all Wyckoff positions, in rows as in ``symmetric_prior.positions``.

    Attributes
    ----------
    origin : ndarray of float32, shape (1731, 3)
    directions : ndarray of float32, shape (1731, 3, 3)
        A point is ``origin + free @ directions`` in conventional coordinates.
    freedom, start : ndarray of int64
    features : ndarray of float32, shape (1731, 20)
        Multiplicity, freedom, order of the site symmetry, crystal system, centring.
    shape_size : ndarray of int64, shape (231,)
    system : ndarray of int64, shape (231,)
    """

    origin: NDArray[np.float32]
    directions: NDArray[np.float32]
    freedom: NDArray[np.int64]
    start: NDArray[np.int64]
    features: NDArray[np.float32]
    shape_size: NDArray[np.int64]
    system: NDArray[np.int64]


@cache
def places() -> Places:
    """Return the facts of all Wyckoff positions."""
    table = all_positions()
    size = table.multiplicity.size
    origin, directions = np.zeros((size, 3), np.float32), np.zeros((size, 3, 3), np.float32)
    features = np.zeros((size, N_FEATURES), np.float32)
    shape_size = np.zeros(N_SPACE_GROUPS + 1, np.int64)
    system = np.zeros(N_SPACE_GROUPS + 1, np.int64)
    for number in range(1, N_SPACE_GROUPS + 1):
        part, primitive = table.of(number), primitive_vectors(number)
        system[number] = SYSTEMS.index(crystal_system(number))
        shape_size[number] = SHAPE_SIZE[crystal_system(number)]
        rows = range(part.start, part.stop)
        for row, (first, free) in zip(rows, first_points(number), strict=True):
            origin[row] = first @ primitive
            directions[row, : len(free)] = free @ primitive
        features[part, 4 + system[number]] = 1.0
        features[part, 10 + CENTRINGS.index(space_group_symbol(number)[0])] = 1.0
    features[:, :4] = np.eye(4)[table.freedom]
    features[:, 16] = np.log(table.multiplicity)
    features[:, 17] = table.features[:, 3]
    return Places(origin, directions, table.freedom, table.start, features, shape_size, system)


@dataclass(slots=True, eq=False)
class Batch:
    """Sequences of tokens, padded with zeros on the right; arrays of shape (n, length) first.

    Attributes
    ----------
    kind, element, next_element, position, next_position, slot, step : ndarray of int64
        Kind of token; its element and that of the orbit that comes next; its Wyckoff position and
        that of the orbit whose place comes next, as rows of all positions plus 1; its element's
        place in the order; its orbit's. 0 where there is none.
    scalars : ndarray of float32, shape (n, length, 6)
        Logarithms of counts and what is left, size, expected volume.
    point : ndarray of float32, shape (n, length, 3)
        First point of an orbit, conventional coordinates.
    cell : ndarray of float32, shape (n, 6)
        Stretch and shape of the cell, in the scale of :func:`scaled_cell`.
    cell_size : ndarray of int64, shape (n,)
        How many of them the crystal system has.
    group : ndarray of int64, shape (n,)
    """

    kind: NDArray[np.int64]
    element: NDArray[np.int64]
    next_element: NDArray[np.int64]
    position: NDArray[np.int64]
    next_position: NDArray[np.int64]
    slot: NDArray[np.int64]
    step: NDArray[np.int64]
    scalars: NDArray[np.float32]
    point: NDArray[np.float32]
    cell: NDArray[np.float32]
    cell_size: NDArray[np.int64]
    group: NDArray[np.int64]

    @classmethod
    def empty(cls, n: int, length: int) -> Batch:
        """Return sequences without tokens."""
        whole = [np.zeros((n, length), np.int64) for _ in range(7)]
        return cls(
            *whole,
            scalars=np.zeros((n, length, N_SCALARS), np.float32),
            point=np.zeros((n, length, 3), np.float32),
            cell=np.zeros((n, 6), np.float32),
            cell_size=np.zeros(n, np.int64),
            group=np.zeros(n, np.int64),
        )


def scaled_cell(stretch: float, shape: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return stretch and shape as numbers of about 1, padded with zeros, shape (6,)."""
    result = np.zeros(6, np.float32)
    result[0] = 10.0 * stretch
    size = shape.size
    edges = min(size, 2)
    result[1 : 1 + edges] = 2.0 * shape[:edges]
    if size > 2:
        result[3 : 1 + size] = 4.0 * (shape[2:] - RIGHT_ANGLE)
    return result


def unscaled_cell(group: int, cell: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
    """Undo :func:`scaled_cell`."""
    size = int(places().shape_size[group])
    shape = np.asarray(cell[1 : 1 + size], np.float64) / 2.0
    if size > 2:
        shape[2:] = np.asarray(cell[3 : 1 + size], np.float64) / 4.0 + RIGHT_ANGLE
    return float(cell[0]) / 10.0, shape


def point_of(rows: NDArray[np.int64], free: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return first points of orbits, conventional coordinates in [0, 1), shape (n, 3)."""
    table = places()
    points = table.origin[rows] + np.einsum("oi,oij->oj", free, table.directions[rows])
    return (points % 1.0).astype(np.float32)


def common_scalars(counts: NDArray[np.int64], log_volume: float) -> NDArray[np.float32]:
    """Return the scalars that all tokens of a sentence share, shape (6,), the first two 0."""
    total = float(counts.sum())
    return np.array(
        [
            0.0,
            0.0,
            np.log(total) - USUAL_LOG_ATOMS,
            counts.size / 4.0 - 0.75,
            4.0 * (log_volume - USUAL_LOG_VOLUME),
            float(counts.max()) / total,
        ],
        np.float32,
    )


def write_elements(
    batch: Batch, rows: Rows, numbers: NDArray[np.int64], counts: NDArray[np.int64], volume: float
) -> int:
    """Write the tokens of the elements and BEGIN; return the column that comes next.

    ``volume`` is the logarithm of the expected volume in Å³ per atom.
    """
    size = numbers.size
    columns = slice(0, size)
    batch.kind[rows, columns] = ELEMENT
    batch.element[rows, columns] = numbers
    batch.slot[rows, columns] = np.arange(1, size + 1)
    batch.scalars[rows, :] = common_scalars(counts, volume)
    batch.scalars[rows, columns, 0] = np.log(counts)
    batch.scalars[rows, columns, 1] = counts / counts.sum()
    batch.kind[rows, size] = BEGIN
    return size + 1


def write_group(
    batch: Batch,
    rows: Rows,
    column: int,
    group: Any,
    numbers: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Write the token GROUP."""
    batch.kind[rows, column] = GROUP
    batch.group[rows] = group
    batch.next_element[rows, column] = numbers[0]
    batch.slot[rows, column] = 1
    batch.scalars[rows, column, 0] = np.log(counts[0])
    batch.scalars[rows, column, 1] = 1.0


def write_orbit(
    batch: Batch,
    rows: Rows,
    column: Any,
    step: Any,
    row: Any,
    element: Any,
    slot: Any,
    following: Any,
    rest: Any,
    of: Any,
) -> None:
    """Write a token ORBIT.

    Parameters
    ----------
    batch, rows, column
        Where.
    step
        Number of the orbit, from 1.
    row
        Its position, as a row of all positions.
    element, slot
        Its atomic number, and the place of the element in the order from 1.
    following
        Atomic number of the orbit that comes next, 0 after the last.
    rest, of
        Atoms of that element that are not placed yet, and all of them.
    """
    batch.kind[rows, column] = ORBIT
    batch.step[rows, column] = step
    batch.position[rows, column] = np.asarray(row) + 1
    batch.element[rows, column] = element
    batch.slot[rows, column] = slot
    batch.point[rows, column] = places().origin[row] % 1.0
    batch.next_element[rows, column] = following
    batch.scalars[rows, column, 0] = np.log(np.maximum(rest, 1))
    batch.scalars[rows, column, 1] = np.asarray(rest) / np.maximum(of, 1)


def write_cell(batch: Batch, rows: Rows, column: int, cell: NDArray[np.float32]) -> None:
    """Write the token CELL; the orbit to place next is for :func:`write_next`."""
    batch.kind[rows, column] = CELL
    batch.cell[rows] = cell


def write_place(
    batch: Batch, rows: Rows, column: Any, row: Any, element: Any, slot: Any, point: Any
) -> None:
    """Write a token PLACE: where an orbit is."""
    batch.kind[rows, column] = PLACE
    batch.position[rows, column] = np.asarray(row) + 1
    batch.element[rows, column] = element
    batch.slot[rows, column] = slot
    batch.point[rows, column] = point


def write_next(batch: Batch, rows: Rows, column: Any, step: Any, row: Any, element: Any) -> None:
    """Write into CELL or PLACE which orbit is placed next."""
    batch.step[rows, column] = step
    batch.next_position[rows, column] = np.asarray(row) + 1
    batch.next_element[rows, column] = element
