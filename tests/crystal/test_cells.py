from __future__ import annotations

import moyopy
import numpy as np
import pytest
from ase.cell import Cell
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nucleate.crystal.cells import cell_from_parameters, reduced_cell
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.formats.structures import repeats_within, shortest_translation
from strategies import cells, crystals, in_another_cell, unimodular


@given(cells())
def test_cell_from_parameters_agrees_with_ase(cell: np.ndarray) -> None:
    parameters = Cell(cell).cellpar()
    built = cell_from_parameters(parameters[:3], parameters[3:])
    np.testing.assert_allclose(Cell(built).cellpar(), parameters, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(built, Cell.new(parameters).array, rtol=1e-7, atol=1e-7)
    assert np.linalg.det(built) > 0


@pytest.mark.parametrize(
    ("lengths", "angles"),
    [
        ([1, 1, 0], [90, 90, 90]),
        ([1, 1, -2], [90, 90, 90]),
        ([1, 1, np.nan], [90, 90, 90]),
        ([1, 1, 1], [90, 90, 0]),
        ([1, 1, 1], [90, 90, 180]),
        ([1, 1, 1], [150, 150, 150]),
        ([1, 1, 1], [60, 60, 120]),
        ([1, 1, 1], [30, 60, 120]),
        ([1, 1], [90, 90, 90]),
    ],
)
def test_impossible_cells_are_refused(lengths: list[float], angles: list[float]) -> None:
    with pytest.raises(ValueError):
        cell_from_parameters(lengths, angles)


@settings(max_examples=80)
@given(crystals(max_atoms=6), unimodular(steps=8))
def test_reduction_keeps_the_crystal(crystal: Crystal, change: np.ndarray) -> None:
    crystal = in_another_cell(crystal, change)
    reduced = reduced_cell(crystal)
    assert np.linalg.det(reduced.cell) == pytest.approx(crystal.volume, rel=1e-6)
    assert np.array_equal(reduced.numbers, crystal.numbers)
    assert np.all((reduced.scaled >= 0) & (reduced.scaled < 1))
    np.testing.assert_allclose(  # the same lattice
        whole := reduced.cell @ np.linalg.inv(crystal.cell), np.rint(whole), atol=1e-6
    )
    moved = (reduced.positions - crystal.positions) @ np.linalg.inv(crystal.cell)
    np.testing.assert_allclose(moved, np.rint(moved), atol=1e-6)
    assert moyopy.is_minkowski_reduced(reduced.cell.tolist())
    assert np.all(np.diff(reduced.lengths) > -1e-9)


def test_reduction_repairs_a_hopeless_cell() -> None:
    cell = np.diag([3.0, 4.0, 5.0])
    skewed = np.array([[1, 0, 0], [200, 1, 0], [-300, 77, 1]]) @ cell
    crystal = Crystal(np.array([14]), skewed, np.array([[0.3, 0.3, 0.3]]))
    np.testing.assert_allclose(reduced_cell(crystal).lengths, [3.0, 4.0, 5.0])


def test_reduction_needs_a_volume() -> None:
    with pytest.raises(ValueError, match="no volume"):
        reduced_cell(Crystal(np.array([14]), np.zeros((3, 3)), np.zeros((1, 3))))


@settings(max_examples=80)
@given(cells(), unimodular(steps=8), st.floats(0.2, 8.0))
def test_a_lattice_repeats_within_its_shortest_translation(cell, change, length) -> None:
    skewed = change @ cell
    shortest = shortest_translation(skewed)
    assume(abs(shortest - length) > 1e-9)  # either may be rounded
    assert repeats_within(skewed, length) == (shortest < length)
