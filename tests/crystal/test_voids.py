from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.voids import vacant_sites
from strategies import spread_crystals


@settings(max_examples=40)
@given(spread_crystals(max_atoms=5), st.floats(0.6, 2.0))
def test_sites_are_exactly_the_far_grid_points(crystal: Crystal, exclusion: float) -> None:
    sites = vacant_sites(crystal, spacing=0.9, exclusion=exclusion)
    shape = np.maximum(np.ceil(crystal.lengths / 0.9 - 1e-9).astype(int), 1)
    np.testing.assert_allclose(sites * shape, np.rint(sites * shape), atol=1e-9)
    assert np.all((sites >= 0) & (sites < 1))
    grid = np.stack(np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij"), -1)
    points = grid.reshape(-1, 3)[:400]
    vacant = {tuple(row) for row in np.rint(sites * shape).astype(int).tolist()}
    for point in points:
        more = Crystal(
            np.append(crystal.numbers, 1), crystal.cell, np.vstack([crystal.scaled, point])
        )
        i, j, _, distances = neighbour_pairs(more, exclusion + 0.01)
        real = (i == crystal.n_atoms) & (j != crystal.n_atoms)
        nearest = distances[real].min(initial=np.inf)
        if abs(nearest - exclusion) > 1e-6:
            found = tuple(np.rint(point * shape).astype(int).tolist()) in vacant
            assert found == (nearest > exclusion)


def test_a_full_crystal_has_no_vacant_site() -> None:
    copper = Crystal(np.array([29]), np.eye(3) * 2.5, np.zeros((1, 3)))
    assert vacant_sites(copper, exclusion=2.5).shape == (0, 3)
    assert len(vacant_sites(copper, exclusion=1.0)) > 0


def test_vacant_volume_of_an_oblique_cell() -> None:
    cell = np.array([[8.0, 0.0, 0.0], [5.0, 8.0, 0.0], [4.0, 3.0, 8.0]])
    crystal = Crystal(np.array([8]), cell, np.zeros((1, 3)))
    sites = vacant_sites(crystal, spacing=0.4, exclusion=2.0)
    n_points = np.prod(np.ceil(crystal.lengths / 0.4))
    free = len(sites) / n_points
    assert free == pytest.approx(1.0 - 4.0 / 3.0 * np.pi * 8.0 / crystal.volume, abs=0.01)
