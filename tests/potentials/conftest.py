from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.potentials.force_field import Buckingham, ForceField, pair_key

if TYPE_CHECKING:
    from pathlib import Path

CHARGES = {"Sr": 2.0, "Ti": 4.0, "Y": 3.0, "O": -2.0}
TERMS = {
    ("O", "Sr"): (1952.39, 0.33685, 19.22),
    ("O", "Ti"): (4590.7279, 0.261, 0.0),
    ("O", "O"): (1388.77, 0.36262, 175.0),
    ("O", "Y"): (23000.0, 0.24203, 0.0),
}


@pytest.fixture(scope="session")
def oxides() -> ForceField:
    terms = {pair_key(*pair): Buckingham(*values, 1.2, 12.0) for pair, values in TERMS.items()}
    return ForceField(CHARGES, terms)


@pytest.fixture(scope="session")
def gulp(shared_data: Path) -> dict:
    return json.loads((shared_data / "gulp_reference.json").read_text())


def crystal_of(symbols: list[str], cell: np.ndarray, scaled: np.ndarray) -> Crystal:
    return Crystal(np.array([element(symbol).number for symbol in symbols]), cell, scaled)


def distorted_oxide(seed: int, *, n_units: int = 1) -> Crystal:
    """SrTiO3-like atoms in a strongly oblique cell with random displacements."""
    rng = np.random.default_rng(seed)
    scaled = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    cell = 4.0 * (np.eye(3) + 0.08 * rng.normal(size=(3, 3)))
    scaled = scaled + 0.03 * rng.normal(size=scaled.shape)
    symbols = ["Sr", "Ti", "O", "O", "O"]
    crystal = crystal_of(symbols, cell, scaled)
    return supercell(crystal, np.diag([n_units, 1, 1]))


def supercell(crystal: Crystal, matrix: np.ndarray) -> Crystal:
    """Return the supercell with rows ``matrix @ cell`` (an independent construction)."""
    size = round(abs(np.linalg.det(matrix)))
    span = np.abs(matrix).sum() + 1
    grid = np.stack(np.meshgrid(*[np.arange(-span, span + 1)] * 3, indexing="ij"), -1).reshape(
        -1, 3
    )
    inverse = np.linalg.inv(matrix)
    inside = grid @ inverse
    keep = np.all((inside > -1e-9) & (inside < 1 - 1e-9), axis=1)
    points = inside[keep]
    assert len(points) == size
    scaled = np.concatenate([crystal.scaled @ inverse + point for point in points])
    return Crystal(np.tile(crystal.numbers, size), matrix @ crystal.cell, scaled)
