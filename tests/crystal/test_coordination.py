"""Coordination numbers that every chemist knows, and what they must not depend on."""

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as spacegroup_crystal
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate import Crystal
from nucleate.crystal.coordination import coordination


def rutile():
    return spacegroup_crystal(
        ["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
        cellpar=[4.594, 4.594, 2.959, 90, 90, 90],
    )  # fmt: skip


def perovskite():
    return spacegroup_crystal(
        ["Sr", "Ti", "O"], [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)], spacegroup=221,
        cellpar=[3.905] * 3 + [90] * 3,
    )  # fmt: skip


KNOWN = {
    "rock salt": (bulk("NaCl", "rocksalt", a=5.64), {"Na": 6, "Cl": 6}),
    "CsCl": (bulk("CsCl", "cesiumchloride", a=4.12), {"Cs": 8, "Cl": 8}),
    "zinc blende": (bulk("ZnS", "zincblende", a=5.41), {"Zn": 4, "S": 4}),
    "fluorite": (bulk("CaF2", "fluorite", a=5.46), {"Ca": 8, "F": 4}),
    "rutile": (rutile(), {"Ti": 6, "O": 3}),
    "perovskite": (perovskite(), {"Sr": 12, "Ti": 6}),
    "fcc": (bulk("Cu"), {"Cu": 12}),
    "diamond": (bulk("Si"), {"Si": 4}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_coordination_numbers(name):
    atoms, expected = KNOWN[name]
    sites = coordination(Crystal.from_ase(atoms))
    for symbol, site in zip(atoms.get_chemical_symbols(), sites, strict=True):
        if symbol in expected:
            assert site.number == expected[symbol], symbol


@given(name=st.sampled_from(list(KNOWN)), seed=st.integers(0, 99), repeat=st.sampled_from([1, 2]))
@settings(max_examples=20, deadline=None)
def test_cell_order_and_origin_do_not_matter(name, seed, repeat):
    atoms = KNOWN[name][0].repeat((repeat, 1, 1))
    rng = np.random.default_rng(seed)
    crystal = Crystal.from_ase(atoms)
    order = rng.permutation(crystal.n_atoms)
    moved = Crystal(
        crystal.numbers[order], crystal.cell, crystal.scaled[order] + rng.normal(size=3)
    )
    first = [
        (n, site.number) for n, site in zip(crystal.numbers, coordination(crystal), strict=True)
    ]
    again = [(n, site.number) for n, site in zip(moved.numbers, coordination(moved), strict=True)]
    assert sorted(first) == sorted(again)


def test_vectors_lead_to_the_neighbours():
    crystal = Crystal.from_ase(rutile())
    for atom, site in enumerate(coordination(crystal)):
        ends = crystal.positions[atom] + site.vectors
        places = ends @ np.linalg.inv(crystal.cell) - crystal.scaled[site.neighbours]
        assert np.allclose(places, np.rint(places), atol=1e-9)
        assert (np.diff(site.distances) >= -1e-9).all()
