"""Cells, grids and space groups to scan, where none were given."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from nucleate.crystal.cells import cell_from_parameters
from nucleate.errors import InputError
from nucleate.exact.grid import check_cell, fitting_shape, operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nucleate.crystal.composition import Composition
    from nucleate.exact.grid import Grid

System = Literal["triclinic", "monoclinic", "orthorhombic", "tetragonal", "hexagonal", "cubic"]

LIKELY_GROUPS = (
    225, 221, 227, 139, 194, 62, 166, 136, 141, 123, 129, 14, 12, 15, 63, 2, 167, 148, 191, 216,
    140, 164, 186, 60, 61, 74, 71, 87, 127, 206, 193, 205, 33, 36, 55, 57, 64, 1,
)  # fmt: skip
"""Space groups in which inorganic crystals are often found, the most likely first."""

SPACING = (0.8, 1.4)
"""Å between neighbouring points along each vector: what the scan allows."""

TARGETS = (0.95, 1.1, 1.25)
"""Å between points that the scan aims at."""

VOLUME_FACTORS = (1.0, 0.92, 1.08)
_TETRAGONAL = (*(float(x) for x in np.geomspace(0.45, 4.2, 11)), 5.25, 6.6, 8.2)
_ORTHORHOMBIC = tuple(
    (b, c) for b, c in product(np.geomspace(0.4, 2.5, 7).tolist(), repeat=2) if 0.15 < b * c < 6.5
)
_MONOCLINIC = (95.0, 105.0, 115.0)
_TRICLINIC = (
    (1.0, 1.0, 90.0),
    (1.0, 1.4, 90.0),
    (1.0, 0.7, 90.0),
    (1.0, 1.0, 60.0),
    (1.0, 1.6, 120.0),
)


@dataclass(frozen=True, slots=True)
class Task:
    """One grid in one cell under one space group.

    Attributes
    ----------
    formula_units : int
        In the cell.
    space_group : int
        Number.
    parameters : tuple of float
        a, b, c in Å and alpha, beta, gamma in degrees.
    shape : tuple of int
        Points along each vector.
    rank : int
        Place of group and cell in the order of what is likely.
    """

    formula_units: int
    space_group: int
    parameters: tuple[float, ...]
    shape: tuple[int, int, int]
    rank: int = 0

    @property
    def name(self) -> str:
        """Name that says what it is, the same in every run."""
        sizes = "x".join(f"{value:.3f}" for value in self.parameters[:3])
        angles = ",".join(f"{value:g}" for value in self.parameters[3:])
        points = "x".join(str(count) for count in self.shape)
        return f"Z{self.formula_units} G{self.space_group} {sizes} {angles} {points}"

    @property
    def cell_key(self) -> tuple[tuple[float, ...], tuple[int, int, int]]:
        """What the pair tables depend on."""
        return self.parameters, self.shape

    def grid(self) -> Grid:
        """Return cell and points."""
        from nucleate.exact.grid import Grid

        cell = cell_from_parameters(self.parameters[:3], self.parameters[3:])
        return Grid(cell, self.shape)


def crystal_system(number: int) -> System:
    """Return the system of the standard cell; trigonal groups have hexagonal axes."""
    for last, system in zip((2, 15, 74, 142, 194), System.__args__, strict=False):  # type: ignore[attr-defined]
        if number <= last:
            return system
    return "cubic"


def centring(number: int) -> int:
    """Return the lattice points in the standard cell of a group."""
    rotations, _ = operations(number)
    return int((rotations == np.eye(3, dtype=np.int64)).all(axis=(1, 2)).sum())


def shapes_of(number: int) -> Iterator[tuple[float, ...]]:
    """Yield b/a, c/a and three angles in degrees for the cells of a group."""
    match crystal_system(number):
        case "cubic":
            yield 1.0, 1.0, 90.0, 90.0, 90.0
        case "tetragonal":
            yield from ((1.0, c, 90.0, 90.0, 90.0) for c in _TETRAGONAL)
        case "hexagonal":
            yield from ((1.0, c, 90.0, 90.0, 120.0) for c in _TETRAGONAL)
        case "orthorhombic":
            yield from ((b, c, 90.0, 90.0, 90.0) for b, c in _ORTHORHOMBIC)
        case "monoclinic":
            yield from (
                (b, c, 90.0, beta, 90.0) for b, c in _ORTHORHOMBIC[::3] for beta in _MONOCLINIC
            )
        case _:
            for b, c, angle in _TRICLINIC:
                yield b, c, 90.0, 90.0, angle
            yield 1.0, 1.0, 60.0, 60.0, 60.0


def tasks_of(
    composition: Composition,
    *,
    max_atoms: int,
    groups: Sequence[int] = LIKELY_GROUPS,
    volume_factors: Sequence[float] = VOLUME_FACTORS,
    spacing: tuple[float, float] = SPACING,
    max_points: int = 5000,
    wanted: Callable[[int, int], bool] = lambda *_: True,
) -> list[Task]:
    """Return the tasks of a scan, without cells that hold more atoms than allowed.

    Parameters
    ----------
    composition
        What to place.
    max_atoms
        In the primitive cell.
    groups
        Space groups, the likely ones first.
    volume_factors
        On the expected volume.
    spacing
        Å, least and largest distance of points along each vector.
    max_points
        Points of a grid.
    wanted
        Which space groups and formula units, as numbers.

    Raises
    ------
    InputError
        If not even one formula unit fits.
    """
    composition.allowed_formula_units(max_atoms)
    tasks: dict[str, Task] = {}
    for rank, number in enumerate(groups):
        points = centring(number)
        most = max_atoms * points // composition.n_atoms
        for units in range(points, most + 1, points):  # whole formula units in the primitive cell
            if not wanted(number, units):
                continue
            volume = composition.volume_per_atom * composition.n_atoms * units
            for factor, shape in product(volume_factors, shapes_of(number)):
                parameters = _parameters(volume * factor, shape)
                for grid in _grids(number, parameters, spacing, max_points):
                    task = Task(units, number, parameters, grid, rank)
                    tasks.setdefault(task.name, task)
    if not tasks:
        raise InputError(
            f"no grid with {spacing[0]} to {spacing[1]} Å between points fits the space groups "
            f"{list(groups)}. Allow more atoms (--max-atoms) or other groups (--space-group)."
        )
    return list(tasks.values())


def _parameters(volume: float, shape: tuple[float, ...]) -> tuple[float, ...]:
    b, c, *angles = shape
    unit = abs(float(np.linalg.det(cell_from_parameters((1.0, b, c), angles))))
    a = (volume / unit) ** (1.0 / 3.0)
    return (round(a, 3), round(a * b, 3), round(a * c, 3), *angles)


def _grids(
    number: int, parameters: tuple[float, ...], spacing: tuple[float, float], max_points: int
) -> Iterator[tuple[int, int, int]]:
    lengths = np.array(parameters[:3])
    seen: set[tuple[int, ...]] = set()
    for target in TARGETS:
        shape = fitting_shape(number, tuple(lengths / target))
        steps = lengths / np.array(shape)
        inside = spacing[0] <= steps.min() and steps.max() <= spacing[1]
        if shape not in seen and inside and np.prod(shape) <= max_points:
            seen.add(shape)
            yield shape[0], shape[1], shape[2]


def given_task(
    composition: Composition,
    parameters: Sequence[float],
    number: int,
    *,
    formula_units: int | None = None,
    shape: tuple[int, int, int] | None = None,
) -> list[Task]:
    """Return the tasks of a cell that was given.

    Parameters
    ----------
    composition
        What to place.
    parameters
        a, b, c in Å and three angles in degrees.
    number
        Space group.
    formula_units
        In the cell; by default what the expected volume says.
    shape
        Points along each vector; by default some near 1 Å apart.

    Raises
    ------
    InputError
        If the cell is not one of the group, or the numbers make no cell.
    """
    try:
        cell = cell_from_parameters(parameters[:3], parameters[3:])
    except ValueError as error:
        raise InputError(
            f"--cell = {list(parameters)}: {error}. Give a b c alpha beta gamma."
        ) from error
    check_cell(number, cell)
    volume = abs(float(np.linalg.det(cell)))
    expected = volume / (composition.volume_per_atom * composition.n_atoms)
    units = formula_units or max(1, round(expected))
    key = tuple(float(value) for value in parameters)
    shapes = [shape] if shape else list(_grids(number, key, (0.7, 1.6), 20_000))
    if not shapes:
        raise InputError(
            f"--cell = {list(parameters)}: no grid with 0.7 to 1.6 Å between points fits space "
            f"group {number}. Give one with --grid."
        )
    return [Task(units, number, key, s) for s in shapes]
