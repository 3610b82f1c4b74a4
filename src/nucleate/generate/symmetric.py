"""Random crystals in space groups 2 to 230, built from Wyckoff positions in primitive cells."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.cells import cell_from_parameters, reduced_cell
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.generate.wyckoff import crystal_system, orbits, primitive_vectors, sites, symbol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace

ORBIT_WEIGHT = 0.25
"""Weight of each orbit of an assignment: real crystals are made of few, large orbits."""

SMOOTHING = 40.0
"""Structures added to the count of every space group, so that rare ones are drawn too."""

ASSIGNMENTS = 60
"""Assignments tried in a draw."""

CELLS = 3
"""Cells tried for an assignment."""

PLACES = 12
"""Sets of free coordinates tried for an orbit."""

BUDGET_S = 5.0
"""Wall time of a draw; the attempts end long before it unless the machine stalls."""

VOLUME_SPREAD = 0.12
"""Standard deviation of the logarithm of the volume about the expected one."""

SHAPE_SPREAD = 0.35
"""Standard deviation of the logarithm of each cell edge."""


@dataclass(frozen=True, slots=True, eq=False)
class _Compatible:
    """Space groups that hold a number of formula units, with their chances."""

    numbers: NDArray[np.int64]
    chances: NDArray[np.float64]


class SymmetricGenerator:
    """An endless source of random symmetric crystals.

    Formula units are drawn first, small numbers more often; then a space group that can hold them
    in its primitive cell, as often as it occurs among known crystals; then an assignment of the
    elements to Wyckoff positions by exact weighted sampling; then a cell of about the expected
    volume and one set of free coordinates for each orbit, such that no two atoms come too close.

    Parameters
    ----------
    space : SearchSpace
        What is allowed.
    """

    name = "symmetric"

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._compatible: dict[int, _Compatible] = {}

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a random crystal, or None if none was found within the attempts of a draw."""
        allowed = [
            units
            for units in self._space.formula_units
            if max_formula_units is None or units <= max_formula_units
        ]
        if not allowed:
            return None
        weights = 1.0 / np.sqrt(np.array(allowed, dtype=np.float64))
        deadline = time.monotonic() + BUDGET_S
        for _ in range(ASSIGNMENTS):
            units = int(rng.choice(allowed, p=weights / weights.sum()))
            groups = self._groups(units)
            if groups.numbers.size == 0:
                continue
            group = int(rng.choice(groups.numbers, p=groups.chances))
            assignment = self._assignment(units, group, rng=rng)
            for _ in range(CELLS):
                crystal = self._crystal(units, group, assignment, rng=rng)
                if crystal is not None:
                    detail = {
                        "space_group": symbol(group),
                        "space_group_number": group,
                        "formula_units": units,
                    }
                    return Candidate(crystal, Origin(self.name, detail=detail))
            if time.monotonic() > deadline:
                return None
        return None

    def _counts(self, units: int) -> NDArray[np.int64]:
        counts = self._space.composition.counts
        return np.array([counts[name] * units for name in counts], dtype=np.int64)

    def _groups(self, units: int) -> _Compatible:
        if units not in self._compatible:
            from nucleate.generate.wyckoff_counting import log_total

            counts = self._counts(units)
            numbers, chances = [], []
            for number in range(2, 231):
                multiplicity, fixed, weights = _positions(number, counts.size)
                if np.isfinite(log_total(counts, multiplicity, fixed, weights)):
                    numbers.append(number)
                    chances.append(_frequency()[number] + SMOOTHING)
            share = np.array(chances, dtype=np.float64)
            self._compatible[units] = _Compatible(
                np.array(numbers, dtype=np.int64), share / share.sum() if numbers else share
            )
        return self._compatible[units]

    def _assignment(
        self, units: int, group: int, *, rng: np.random.Generator
    ) -> list[tuple[int, int]]:
        """Return (atomic number, position) of each orbit, large atoms first."""
        from nucleate.generate.wyckoff_counting import draw

        counts = self._counts(units)
        multiplicity, fixed, weights = _positions(group, counts.size)
        size = counts.size * (1 + multiplicity.size) + int(counts.sum())
        orbits_of = draw(counts, multiplicity, fixed, weights, rng.random(size))
        chosen = [
            (element(name).number, position)
            for row, name in zip(orbits_of, self._space.composition.counts, strict=True)
            for position in np.repeat(np.arange(row.size), row)
        ]
        return sorted(
            chosen,
            key=lambda item: (
                sites(group)[item[1]].freedom,
                -element(item[0]).covalent_radius,
                item[1],
            ),
        )

    def _crystal(
        self, units: int, group: int, assignment: list[tuple[int, int]], *, rng: np.random.Generator
    ) -> Crystal | None:
        space = self._space
        n_atoms = units * space.composition.n_atoms
        expected = space.composition.volume_per_atom * n_atoms
        volume = expected * float(np.exp(rng.normal(0.05, VOLUME_SPREAD)))
        cell = primitive_vectors(group) @ random_cell(group, rng=rng)
        cell *= (volume / abs(np.linalg.det(cell))) ** (1.0 / 3.0)
        cell = np.ascontiguousarray(cell)
        numbers = np.zeros(0, dtype=np.int64)
        scaled = np.zeros((0, 3))
        for number, position in assignment:
            orbit = orbits(group)[position]
            freedom = orbit.directions.shape[0]
            for _ in range(PLACES if freedom else 1):
                points = orbit.points(rng.random(freedom))
                more_numbers = np.append(numbers, np.full(len(points), number))
                more = np.ascontiguousarray(np.vstack([scaled, points]))
                if space.contact_rejection(more_numbers, cell, more) != "contact":
                    numbers, scaled = more_numbers, more
                    break
            else:
                return None
        order = np.argsort(numbers, kind="stable")
        crystal = reduced_cell(Crystal(numbers[order], cell, scaled[order])).wrapped()
        return None if space.rejection(crystal) is not None else crystal


def random_cell(number: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random conventional cell of a space group's crystal system, of any volume.

    Rows are the lattice vectors; edges are log-normal and angles stay away from flat cells.
    """
    a, b, c = np.exp(rng.normal(0.0, SHAPE_SPREAD, 3))
    match crystal_system(number):
        case "triclinic":
            angles = rng.uniform(65.0, 115.0, 3)
            return cell_from_parameters((a, b, c), angles)
        case "monoclinic":
            return cell_from_parameters((a, b, c), (90.0, rng.uniform(90.0, 125.0), 90.0))
        case "orthorhombic":
            return np.diag([a, b, c])
        case "tetragonal":
            return np.diag([a, a, c * np.exp(rng.normal(0.1, SHAPE_SPREAD))])
        case "hexagonal":
            c *= np.exp(rng.normal(0.2, SHAPE_SPREAD))
            return cell_from_parameters((a, a, c), (90.0, 90.0, 120.0))
        case _:
            return np.eye(3)


@cache
def _positions(
    number: int, n_elements: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    found = sites(number)
    multiplicity = np.array([site.multiplicity for site in found], dtype=np.int64)
    fixed = np.array([site.freedom == 0 for site in found])
    return multiplicity, fixed, np.full((n_elements, len(found)), ORBIT_WEIGHT)


@cache
def _frequency() -> dict[int, int]:
    text = (files("nucleate.generate") / "data" / "space_groups.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {int(row["number"]): int(row["count"]) for row in csv.DictReader(lines)}
