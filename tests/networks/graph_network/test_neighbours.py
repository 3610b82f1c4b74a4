"""Neighbour graphs of the graph network against the neighbour lists of ASE."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.networks.graph_network.neighbours import heights, nearest, within_radius


def skewed(seed, n_atoms):
    """Return a skewed cell of 3 to 6 Å and wrapped scaled positions."""
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(3.0, 6.0, 3)) + np.tril(rng.uniform(-2.5, 2.5, (3, 3)), -1)
    return cell, rng.random((n_atoms, 3))


def of_ase(cell, scaled, radius):
    atoms = Atoms("H" * len(scaled), cell=cell, scaled_positions=scaled, pbc=True)
    return neighbor_list("ijSd", atoms, radius)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_atoms=st.integers(1, 5), radius=st.floats(1.5, 7.0))
def test_images_within_a_radius_are_those_of_ase(seed, n_atoms, radius):
    cell, scaled = skewed(seed, n_atoms)
    first, second, shifts, distances = of_ase(cell, scaled, radius)
    for centre in range(n_atoms):
        atom, shift, distance = within_radius(cell, scaled, centre, radius)
        mine = dict(zip(map(tuple, np.column_stack([atom, shift])), distance, strict=True))
        mask = first == centre
        table = np.column_stack([second[mask], shifts[mask]])
        theirs = dict(zip(map(tuple, table), distances[mask], strict=True))
        assert len(mine) == atom.size
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            assert value == pytest.approx(theirs[key], abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_atoms=st.integers(1, 5), count=st.integers(1, 30))
def test_the_nearest_images_are_the_first_of_ase_and_the_rest_is_padding(seed, n_atoms, count):
    cell, scaled = skewed(seed, n_atoms)
    r_max = 5.0
    index, shifts, mask = nearest(cell, scaled, np.arange(n_atoms), count, r_max)
    first, _, _, distances = of_ase(cell, scaled, r_max)
    for centre in range(n_atoms):
        expected = np.sort(distances[first == centre])[:count]
        real = mask[centre]
        gaps = scaled[index[centre]] + shifts[centre] - scaled[centre]
        found = np.linalg.norm(gaps @ cell, axis=1)
        assert real.sum() == expected.size
        np.testing.assert_allclose(found[real], expected, atol=1e-9)
        assert (index[centre][~real] == centre).all()
        assert not shifts[centre][~real].any()


@pytest.mark.parametrize("seed", range(3))
def test_heights_are_volume_over_the_areas_of_the_faces(seed):
    cell, _ = skewed(seed, 1)
    areas = [np.linalg.norm(np.cross(cell[(k + 1) % 3], cell[(k + 2) % 3])) for k in range(3)]
    np.testing.assert_allclose(heights(cell), abs(np.linalg.det(cell)) / areas)
