from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.blocks.blocks import Blocks, grid_for, grid_indices, slice_into_blocks
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from pathlib import Path


@st.composite
def triclinic_crystals(draw: st.DrawFn) -> Crystal:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_atoms = draw(st.integers(1, 60))
    while True:
        cell = rng.uniform(-1, 1, (3, 3)) * rng.uniform(1, 25, (3, 1))
        if abs(np.linalg.det(cell)) > 5:
            break
    scaled = rng.uniform(-2, 3, (n_atoms, 3))
    on_face = rng.random((n_atoms, 3)) < 0.2
    scaled[on_face] = rng.integers(-6, 12, on_face.sum()) / rng.choice([1, 2, 3, 4, 6, 7])
    return Crystal(rng.integers(1, 90, n_atoms), cell, scaled)


def same_modulo_lattice(a: Crystal, b: Crystal) -> bool:
    difference = a.scaled - b.scaled
    return bool(np.abs(difference - np.rint(difference)).max() < 1e-12)


@given(triclinic_crystals(), st.floats(0.8, 30.0))
@settings(max_examples=300, deadline=None)
def test_assemble_undoes_slicing_on_any_cell(crystal: Crystal, size: float) -> None:
    blocks = slice_into_blocks(crystal, size)
    again = blocks.assemble()
    assert np.array_equal(again.numbers, crystal.numbers)
    assert np.array_equal(again.cell, crystal.cell)
    assert same_modulo_lattice(again, crystal)
    assert blocks.local.min() >= 0.0
    assert blocks.local.max() < 1.0
    assert sum(module.numbers.size for module in blocks.modules) == crystal.n_atoms
    assert np.array_equal(blocks.assemble().scaled, again.scaled)


@given(triclinic_crystals(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_moving_sub_modules_back_restores_the_crystal(crystal: Crystal, seed: int) -> None:
    blocks = slice_into_blocks(crystal, 4.0)
    order = np.random.default_rng(seed).permutation(blocks.n_modules)
    moved = blocks.moved(order)
    assert np.array_equal(moved.occupancy[order], blocks.occupancy)
    assert same_modulo_lattice(moved.moved(np.argsort(order)).assemble(), crystal)


def test_every_published_structure_survives(shared_data: Path) -> None:
    import ase.io

    files = sorted((shared_data / "fuse2_paper_structures").glob("*.cif"))
    assert len(files) == 46
    for file in files:
        crystal = Crystal.from_ase(ase.io.read(file))
        assert same_modulo_lattice(slice_into_blocks(crystal).assemble(), crystal), file.name


def test_garnet_has_54_sub_modules() -> None:
    garnet = Composition.from_formula("Ca3Al2Si3O12")
    assert garnet.submodule_size == pytest.approx(4.24, abs=0.005)
    grid = grid_for([11.85, 11.85, 11.85], garnet.submodule_size)
    assert grid == (3, 3, 6)
    assert grid_indices(grid).shape == (54, 3)


def test_small_cells_have_at_least_one_sub_module_an_axis() -> None:
    assert grid_for([0.5, 9.0, 0.2], 4.0) == (1, 2, 1)
    assert grid_for([6.0, 2.0, 5.0], 4.0) == (2, 1, 3)


def test_default_size_is_that_of_the_composition() -> None:
    crystal = Crystal([11, 17], np.diag([4.0, 6.0, 9.0]), [[0, 0, 0], [0.5, 0.5, 0.5]])
    size = Composition.from_formula("NaCl").submodule_size
    assert slice_into_blocks(crystal).grid == grid_for([4.0, 6.0, 9.0], size)


def test_sub_modules_hold_their_atoms() -> None:
    crystal = Crystal(
        [11, 17, 8], np.diag([8.0, 4.0, 4.0]), [[0.25, 0.0, 0.5], [0.75, 0.5, 0.75], [0.5, 0, 0]]
    )
    blocks = slice_into_blocks(crystal, 4.0)
    assert blocks.grid == (2, 1, 2)
    first, second, third, fourth = blocks.modules
    assert first.numbers.size == 0
    assert second.numbers.tolist() == [8]
    assert third.numbers.tolist() == [11]
    np.testing.assert_allclose(third.local, [[0.5, 0.0, 0.0]])
    np.testing.assert_allclose(fourth.local, [[0.5, 0.5, 0.5]])


def test_blocks_are_frozen_and_checked() -> None:
    crystal = Crystal([11, 17], np.eye(3) * 5, [[0, 0, 0], [0.5, 0.5, 0.5]])
    blocks = slice_into_blocks(crystal, 4.0)
    with pytest.raises(ValueError, match="read-only"):
        blocks.local[0, 0] = 0.3
    with pytest.raises(ValueError, match="permutation"):
        blocks.moved([0] * blocks.n_modules)
    with pytest.raises(ValueError, match="positive"):
        slice_into_blocks(crystal, 0.0)
    with pytest.raises(ValueError, match="outside"):
        Blocks((1, 1, 1), np.eye(3), np.array([1]), np.zeros((1, 3)), np.array([1]))
    with pytest.raises(ValueError, match="shapes"):
        Blocks((1, 1, 1), np.eye(3), np.array([1]), np.zeros((2, 3)), np.array([0]))
