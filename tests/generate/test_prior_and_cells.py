"""Cells have the shape of their system; the fitted prior gives distributions and known facts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice

from nucleate.crystal.elements import element
from nucleate.generate.symmetric_cells import SHAPE_SIZE, cell_of, shape_of
from nucleate.generate.symmetric_prior import load_prior, positions
from nucleate.generate.wyckoff import crystal_system, sites

PRIOR = load_prior()
FIXED = {
    "cubic": ((1.0, 1.0), (90.0, 90.0, 90.0)),
    "tetragonal": ((1.0, None), (90.0, 90.0, 90.0)),
    "hexagonal": ((1.0, None), (90.0, 90.0, 120.0)),
    "orthorhombic": ((None, None), (90.0, 90.0, 90.0)),
    "monoclinic": ((None, None), (90.0, None, 90.0)),
    "triclinic": ((None, None), (None, None, None)),
}


def numbers_of(*symbols: str) -> np.ndarray:
    return np.array([element(symbol).number for symbol in symbols])


@pytest.mark.parametrize("group", range(2, 231, 3))
def test_cells_have_the_shape_of_their_system(group: int) -> None:
    ratios, angles = FIXED[crystal_system(group)]
    rng = np.random.default_rng(group)
    for n_atoms in (1, 8, 60):
        shape = PRIOR.cells.draw_shape(group, n_atoms, rng=rng)
        assert shape is not None
        assert shape.size == SHAPE_SIZE[crystal_system(group)]
        lattice = Lattice(cell_of(group, shape))
        assert lattice.volume > 0.0
        found = (lattice.b / lattice.a, lattice.c / lattice.a, *lattice.angles)
        for value, wanted in zip(found, (*ratios, *angles), strict=True):
            assert wanted is None or value == pytest.approx(wanted, abs=1e-9)


@given(
    st.integers(1, 230),
    st.lists(st.floats(0.3, 3.0), min_size=3, max_size=3),
    st.lists(st.floats(75.0, 105.0), min_size=3, max_size=3),
)
def test_shapes_come_back_from_their_cells(group: int, edges, angles) -> None:
    shape = shape_of(group, (*edges, *angles))
    lattice = Lattice(cell_of(group, shape))
    again = shape_of(group, (*lattice.abc, *lattice.angles))
    np.testing.assert_allclose(again, shape, atol=1e-7)


def test_angles_that_no_cell_has_are_refused() -> None:
    with pytest.raises(ValueError, match="angle"):
        cell_of(2, np.array([0.0, 0.0, *np.radians([30.0, 30.0, 100.0])]))


def test_positions_are_those_of_the_groups_one_after_the_other() -> None:
    places = positions()
    assert places.start[-1] == places.multiplicity.size == 1731
    for group in range(1, 231):
        part = places.of(group)
        found = sites(group)
        assert places.multiplicity[part].tolist() == [site.multiplicity for site in found]
        assert places.freedom[part].tolist() == [site.freedom for site in found]
        order = np.exp(places.features[part, 3])
        np.testing.assert_allclose(order * places.multiplicity[part], found[-1].multiplicity)


@settings(max_examples=20)
@given(st.integers(1, 12), st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True))
def test_shares_of_formula_units_are_a_distribution(atoms: int, units: list[int]) -> None:
    shares = PRIOR.formula_unit_shares(atoms, tuple(sorted(units)))
    assert shares.sum() == pytest.approx(1.0)
    assert (shares > 0.0).all()


def test_shares_of_formula_units_do_not_depend_on_which_others_are_allowed() -> None:
    many = PRIOR.formula_unit_shares(5, (1, 2, 4))
    few = PRIOR.formula_unit_shares(5, (1, 4))
    assert many[0] / many[2] == pytest.approx(few[0] / few[1])


@settings(max_examples=10)
@given(
    st.lists(st.integers(1, 94), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(1, 5), min_size=5, max_size=5),
)
def test_shares_of_groups_are_a_distribution_over_those_that_fit(numbers, counts) -> None:
    elements, atoms = np.array(sorted(numbers)), np.array(counts[: len(numbers)])
    weights = PRIOR.orbit_weights(elements, atoms)
    assert weights.shape == (elements.size, 1731)
    assert np.isfinite(weights).all()
    assert (weights > 0.0).all()
    shares = PRIOR.group_shares(elements, atoms, weights)
    assert shares.shape == (231,)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0.0).all()
    assert not shares[:2].any()


def test_the_order_of_the_elements_changes_nothing() -> None:
    elements, counts = numbers_of("O", "Ti", "Sr"), np.array([3, 1, 1])
    turned = np.array([2, 0, 1])
    weights = PRIOR.orbit_weights(elements, counts)
    other = PRIOR.orbit_weights(elements[turned], counts[turned])
    np.testing.assert_allclose(other, weights[turned])
    np.testing.assert_allclose(
        PRIOR.group_shares(elements[turned], counts[turned], other),
        PRIOR.group_shares(elements, counts, weights),
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("symbols", "counts", "group"),
    [
        (("Na", "Cl"), (1, 1), 225),
        (("Sr", "Ti", "O"), (1, 1, 3), 221),
        (("Mg", "Al", "O"), (2, 4, 8), 227),
    ],
)
def test_common_structures_are_in_a_likely_group(symbols, counts, group: int) -> None:
    elements, atoms = numbers_of(*symbols), np.array(counts)
    shares = PRIOR.group_shares(elements, atoms, PRIOR.orbit_weights(elements, atoms))
    even = 1.0 / np.count_nonzero(shares)
    assert shares[group] > 5.0 * even


def test_roles_are_relative_to_the_other_elements() -> None:
    roles = PRIOR.role_features(numbers_of("Na", "Cl"), np.array([1, 1]))
    np.testing.assert_allclose(roles.sum(axis=0), 0.0, atol=1e-9)
    assert roles[0, 0] < 0.0 < roles[1, 0], "chlorine is the more electronegative"
    alone = PRIOR.role_features(numbers_of("Fe"), np.array([4]))
    np.testing.assert_allclose(alone, 0.0, atol=1e-12)


def test_usual_contacts_are_symmetric_and_of_the_size_of_atoms() -> None:
    table = PRIOR.usual_contacts
    np.testing.assert_array_equal(table, table.T)
    ours = table[1:95, 1:95]
    assert np.isfinite(ours).all()
    assert ours[ours > 0.0].min() > 0.7, "0 where no structure has the pair"
    assert ours.max() < 6.0
    sodium, chlorine = element("Na").number, element("Cl").number
    assert 2.3 < table[sodium, chlorine] < 2.95, "2.82 Å in rock salt"


def test_cells_of_more_atoms_are_drawn_from_the_same_stream_alike() -> None:
    first, second = (PRIOR.cells.draw_shape(62, 20, rng=np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_cells_of_perovskites_are_not_needles() -> None:
    rng = np.random.default_rng(0)
    shapes = np.array([PRIOR.cells.draw_shape(62, 20, rng=rng) for _ in range(300)])
    assert np.isfinite(shapes).all()
    assert np.abs(np.median(shapes, axis=0)).max() < 0.8
    assert (np.abs(shapes) < 2.0).all(axis=1).mean() > 0.95
