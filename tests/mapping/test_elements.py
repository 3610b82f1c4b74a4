"""Structures of the elements for maps."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.distances import nearest_neighbour_distances
from nucleate.crystal.symmetry import space_group
from nucleate.mapping.elements import element_crystals
from nucleate.mapping.field import field_of
from nucleate.mapping.references import references_of
from nucleate.mapping.settings import MapSettings


@pytest.mark.parametrize(
    ("symbol", "contact"), [("Mg", 3.19), ("Fe", 2.48), ("Si", 2.35), ("O", 1.21), ("Cu", 2.55)]
)
def test_nearest_neighbours_are_as_in_the_tables(symbol, contact):
    name, crystal = element_crystals(symbol)[0]
    assert symbol in name
    assert nearest_neighbour_distances(crystal).min() == pytest.approx(contact, abs=0.03)


MEASURED_VALUES = {
    "B": (12, 166, 2.46, (1.67, 1.75)),
    "C": (4, 194, 2.26, (1.42, 2.46)),
    "P": (4, 64, 2.70, (2.22, 2.24)),
    "S": (32, 70, 2.07, (2.04, 2.05)),
    "Mn": (29, 217, 7.47, (2.26,)),
    "Ga": (4, 64, 5.91, (2.47, 2.70)),
    "Se": (3, 152, 4.81, (2.37, 3.44)),
    "Te": (3, 152, 6.24, (2.84, 3.49)),
    "Br": (4, 64, 4.07, (2.27, 3.31)),
    "I": (4, 64, 5.15, (2.71, 3.50)),
}
"""Atoms of the primitive cell, space group, density in g/cm3, and the shortest distances in Å."""


@pytest.mark.parametrize("symbol", MEASURED_VALUES)
def test_measured_elements_are_as_in_the_literature(symbol):
    from ase.neighborlist import neighbor_list

    n_atoms, number, density, distances = MEASURED_VALUES[symbol]
    name, crystal = element_crystals(symbol)[0]
    atoms = crystal.to_ase()
    assert name.startswith("measured: ")
    assert crystal.n_atoms == n_atoms
    assert space_group(crystal, 0.001)[0] == number
    assert atoms.get_masses().sum() / atoms.get_volume() * 1.66054 == pytest.approx(density, 0.005)
    found = np.unique(np.round(neighbor_list("d", atoms, 3.6), 2))
    assert found[: len(distances)] == pytest.approx(distances, abs=0.011)


def test_sulfur_is_made_of_rings():
    from ase.neighborlist import neighbor_list

    ((_, crystal),) = element_crystals("S")
    first, distances = neighbor_list("id", crystal.to_ase(), 2.5)
    assert (np.bincount(first) == 2).all()
    assert distances.max() < 2.07


def test_carbon_is_graphite_or_diamond_whichever_is_lower():
    (graphite, _), (diamond, crystal) = element_crystals("C")
    assert (graphite, diamond) == ("measured: graphite", "ASE: diamond C")
    assert space_group(crystal, 0.001)[0] == 227
    field = field_of(settings := MapSettings.from_dict({"field": {"system": "Si-C"}}))
    names = [item.name for item in references_of(field, settings).found]
    assert {graphite, diamond} <= set(names)


def test_every_element_has_crystals_or_none():
    from ase.data import chemical_symbols

    found = [element_crystals(symbol) for symbol in chemical_symbols[1:95]]
    assert sum(bool(items) for items in found) > 60
    for _, crystal in (item for items in found for item in items):
        assert np.isfinite(crystal.cell).all()
        assert nearest_neighbour_distances(crystal).min() > 0.6
