from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from pymatgen.core import Element

from nucleate.crystal.crystal import Crystal
from strategies import crystals


@given(crystals())
def test_round_trips_through_other_packages(crystal: Crystal) -> None:
    for again in (
        Crystal.from_ase(crystal.to_ase()),
        Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions),
    ):
        np.testing.assert_array_equal(again.numbers, crystal.numbers)
        np.testing.assert_array_equal(again.cell, crystal.cell)
        np.testing.assert_allclose(again.scaled, crystal.scaled, atol=1e-10)
    again = Crystal.from_dict(json.loads(json.dumps(crystal.to_dict())))
    np.testing.assert_array_equal(again.scaled, crystal.scaled)
    np.testing.assert_array_equal(again.cell, crystal.cell)


@settings(max_examples=20)
@given(crystals())
def test_round_trip_through_pymatgen(crystal: Crystal) -> None:
    again = Crystal.from_pymatgen(crystal.to_pymatgen())
    np.testing.assert_array_equal(again.numbers, crystal.numbers)
    np.testing.assert_array_equal(again.cell, crystal.cell)
    np.testing.assert_array_equal(again.scaled, crystal.scaled)


def iupac_formula(crystal: Crystal) -> str:
    """Return the formula by pymatgen's table of the IUPAC order."""
    counts = Counter(Element.from_Z(int(number)) for number in crystal.numbers)
    ordered = sorted(counts, key=lambda item: item.iupac_ordering)
    return "".join(f"{item.symbol}{counts[item] if counts[item] > 1 else ''}" for item in ordered)


@given(crystals())
def test_geometry_agrees_with_ase(crystal: Crystal) -> None:
    atoms = crystal.to_ase()
    np.testing.assert_allclose(crystal.positions, atoms.positions, atol=1e-9)
    assert crystal.volume == pytest.approx(atoms.get_volume())
    assert crystal.volume_per_atom == pytest.approx(atoms.get_volume() / len(atoms))
    np.testing.assert_allclose([*crystal.lengths, *crystal.angles], atoms.cell.cellpar())
    assert crystal.formula == iupac_formula(crystal)


def test_arrays_are_frozen_copies() -> None:
    scaled = np.zeros((1, 3))
    crystal = Crystal(np.array([8]), np.eye(3), scaled)
    scaled[0, 0] = 0.5
    assert crystal.scaled[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        crystal.scaled[0, 0] = 0.5


def test_wrapping() -> None:
    points = np.array([[-0.25, 1.0, 2.5], [-1e-18, 0.999, 0.0]])
    wrapped = Crystal(np.array([8, 8]), np.eye(3), points).wrapped().scaled
    np.testing.assert_allclose(wrapped, [[0.75, 0.0, 0.5], [0.0, 0.999, 0.0]])
    assert np.all(wrapped < 1.0)


@pytest.mark.parametrize("shape", [(2, 3), (1, 2), (3,)])
def test_shapes_must_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shapes"):
        Crystal(np.array([8]), np.eye(3), np.zeros(shape))


def test_positions_need_a_cell_with_volume() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        Crystal.from_positions([8], np.zeros((3, 3)), [[1.0, 0.0, 0.0]])
