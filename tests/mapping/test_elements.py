"""Structures of the elements for maps."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.distances import nearest_neighbour_distances
from nucleate.mapping.elements import element_crystal


@pytest.mark.parametrize(
    ("symbol", "contact"), [("Mg", 3.19), ("Fe", 2.48), ("Si", 2.35), ("O", 1.21), ("Cu", 2.55)]
)
def test_nearest_neighbours_are_as_in_the_tables(symbol, contact):
    name, crystal = element_crystal(symbol)
    assert symbol in name
    assert nearest_neighbour_distances(crystal).min() == pytest.approx(contact, abs=0.03)


def test_every_element_has_a_crystal_or_none():
    from ase.data import chemical_symbols

    found = [element_crystal(symbol) for symbol in chemical_symbols[1:95]]
    assert sum(item is not None for item in found) > 60
    for item in found:
        if item is not None:
            assert np.isfinite(item[1].cell).all()
            assert nearest_neighbour_distances(item[1]).min() > 0.6
