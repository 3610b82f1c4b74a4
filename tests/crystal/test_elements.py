from __future__ import annotations

import numpy as np
import pytest
from ase.data import chemical_symbols, covalent_radii

from nucleate.crystal.contacts import ALLOWANCE, minimum_distances, shortest_contact
from nucleate.crystal.elements import MAX_NUMBER, element, ionic_radius, is_element, symbols_of
from nucleate.errors import InputError


def test_every_element_has_sensible_data() -> None:
    for number in range(1, MAX_NUMBER + 1):
        data = element(number)
        assert data.symbol == chemical_symbols[number]
        assert element(data.symbol) is data
        assert 0.4 < data.atomic_radius < 3.0
        assert data.cn_min <= data.cn_max
        if number <= 96:
            assert data.covalent_radius == pytest.approx(covalent_radii[number], abs=0.005)


@pytest.mark.parametrize("symbol", ["Tm", "Fr", "Cm", "Bk", "Cf", "No", "At"])
def test_placeholder_radii_are_replaced(symbol: str) -> None:
    assert element(symbol).atomic_radius > 1.3


def test_unknown_elements_are_refused() -> None:
    assert not is_element("Xx")
    assert is_element("Og") is False
    for key in ("Xx", "og", 0, 104):
        with pytest.raises(InputError, match="not known"):
            element(key)
    assert symbols_of([20, 8]) == ["Ca", "O"]


def test_ionic_radii() -> None:
    assert ionic_radius("O", -2) == pytest.approx(1.382)
    assert ionic_radius("Fe", 3) < ionic_radius("Fe", 2)
    assert ionic_radius("O", -1) == ionic_radius("O", -2)  # nearest state of the same sign
    assert ionic_radius("As", -3) > element("As").covalent_radius  # no anion in the table
    assert ionic_radius("He", 1) < element("He").covalent_radius
    with pytest.raises(InputError, match="0"):
        ionic_radius("O", 0)


def test_contacts_are_symmetric_and_near_bond_lengths() -> None:
    for first, second, bond in (("Ti", "O", 1.95), ("Ca", "O", 2.35), ("Si", "O", 1.61)):
        one, two = element(first).number, element(second).number
        contact = shortest_contact(one, two)
        assert contact == shortest_contact(two, one)
        assert 0.65 * bond < contact < bond
    assert shortest_contact(2, 103) > 1.0  # a pair without data


def test_minimum_distances_scale() -> None:
    table = minimum_distances((8, 22), scale=1.0)
    assert np.array_equal(table, table.T)
    assert table[8, 22] == pytest.approx(ALLOWANCE * shortest_contact(8, 22))
    assert np.count_nonzero(table) == 4
    np.testing.assert_allclose(minimum_distances((8, 22), scale=0.5), 0.5 * table)
