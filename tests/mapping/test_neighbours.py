"""Structures that travel to other compositions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.crystal.volumes import expected_volume
from nucleate.mapping.changes import apply_change, changes_between, likeness
from nucleate.mapping.intergrowths import _stacked, blocks_of, intergrown, pairs_of, sums_of
from nucleate.mapping.neighbours import Donor, travelled
from nucleate.mapping.rooms import rooms
from nucleate.mapping.supercells import hermite_forms, repeated, supercell


def perovskite() -> Crystal:
    scaled = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Crystal(np.array([38, 22, 8, 8, 8]), 3.95 * np.eye(3), np.array(scaled))


def rutile() -> Crystal:
    u = 0.305
    scaled = [
        [0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [-u, -u, 0],
        [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5],
    ]  # fmt: skip
    cell = np.diag([4.59, 4.59, 2.96])
    return Crystal(np.array([22, 22, 8, 8, 8, 8]), cell, np.array(scaled))


DONORS = [Donor(perovskite(), "SrTiO3", 12), Donor(rutile(), "TiO2", 3, 0.02)]


def space(formula: str, max_atoms: int = 24) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), max_atoms=max_atoms)


@pytest.mark.parametrize(
    "formula",
    [
        *("Sr2TiO4", "BaTiO3", "YTiO3", "Ti2O3", "SrO", "SrY2TiO6", "SnO2"),
        pytest.param("Sr3Ti2O7", marks=pytest.mark.slow),
    ],
)
def test_every_candidate_is_allowed_and_knows_where_it_came_from(formula: str) -> None:
    where = space(formula)
    found = travelled(DONORS, where, most=8, rng=np.random.default_rng(1))
    assert found
    for item in found:
        assert where.rejection(item.crystal) is None
        assert item.origin.source == "neighbour"
        assert item.origin.detail["from"] in ("SrTiO3", "TiO2")
        assert item.origin.detail["number"] in (12, 3)
        assert item.origin.detail["change"]
        assert item.origin.parents == ()
        counts = Composition.from_formula(formula).counts
        expected = expected_volume(counts) / sum(counts.values())
        assert 0.7 < item.crystal.volume_per_atom / expected < 1.4
    again = travelled(DONORS, where, most=8, rng=np.random.default_rng(1))
    assert [item.crystal for item in again] == [item.crystal for item in found]
    other = travelled(DONORS, where, most=8, rng=np.random.default_rng(2))
    assert [item.crystal for item in other] != [item.crystal for item in found]


def test_a_plain_substitution_keeps_the_structure_type() -> None:
    (first, *_) = travelled(DONORS, space("BaZrO3"), most=1, rng=np.random.default_rng(0))
    assert first.origin.detail["change"] in ("Ti → Zr, Sr → Ba", "Sr → Ba, Ti → Zr")
    barium, zirconium, *_ = first.crystal.scaled[np.argsort(-first.crystal.numbers)]
    np.testing.assert_allclose(np.abs(barium - zirconium), 0.5, atol=1e-9)
    np.testing.assert_allclose(first.crystal.angles, 90.0)


def test_a_donor_is_never_its_own_candidate() -> None:
    found = travelled(DONORS[:1], space("SrTiO3"), most=4, rng=np.random.default_rng(0))
    assert all(item.origin.detail["change"] for item in found)


def test_nothing_comes_of_nothing() -> None:
    assert travelled([], space("SrTiO3"), most=4, rng=np.random.default_rng(0)) == []
    far = travelled(DONORS, space("Si", 1), most=4, rng=np.random.default_rng(0))
    assert all(item.crystal.n_atoms == 1 for item in far)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_changes_give_the_wanted_atoms(sr: int, ti: int, o: int, seed: int) -> None:
    counts = {s: n for s, n in (("Sr", sr), ("Ti", ti), ("O", o)) if n}
    where = SearchSpace.create(Composition.from_counts(counts), max_atoms=24)
    rng = np.random.default_rng(seed)
    for change in changes_between(rutile().numbers, where)[:4]:
        base = supercell(rutile(), change.copies, rng=rng)
        result = apply_change(base, change, rng=rng)
        if result is not None:
            assert where.composition.formula_units_of(result.numbers) in where.formula_units
            assert result.n_atoms == change.n_atoms


@pytest.mark.parametrize(("index", "number"), [(1, 1), (2, 7), (3, 13), (4, 35), (6, 91)])
def test_the_number_of_sublattices_is_known(index: int, number: int) -> None:
    """Sum over the divisors d of the index of d times the divisors of d, OEIS A001001."""
    forms = hermite_forms(index)
    assert len(forms) == number
    assert {round(abs(np.linalg.det(matrix))) for matrix in forms} == {index}


@pytest.mark.parametrize("index", [2, 3, 4])
def test_a_supercell_is_the_same_crystal(index: int) -> None:
    crystal = reduced_cell(rutile())
    wanted = np.sort(neighbour_pairs(crystal, 5.0)[3])
    for matrix in hermite_forms(index):
        larger = repeated(crystal, matrix)
        assert Counter(larger.numbers.tolist()) == {22: 2 * index, 8: 4 * index}
        found = np.sort(neighbour_pairs(larger, 5.0)[3])
        np.testing.assert_allclose(found[::index], wanted, atol=1e-8)


def test_room_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    crystal = reduced_cell(Crystal(np.array([8, 22]), np.eye(3) * 4 + 1.0, rng.random((2, 3))))
    points, contacts = rng.random((20, 3)), np.array([1.5, 2.0])
    found = rooms(points, crystal.cell.copy(), crystal.scaled.copy(), contacts, np.full(20, np.inf))
    shifts = np.array(np.meshgrid(*[range(-3, 4)] * 3)).reshape(3, -1).T
    gaps = points[:, None, None] - crystal.scaled[None, :, None] + shifts
    distances = np.linalg.norm(gaps @ crystal.cell, axis=-1).min(axis=2)
    np.testing.assert_allclose(found, (distances / contacts).min(axis=1), atol=1e-10)


def test_likeness() -> None:
    assert likeness(38, 38) == 1.0
    assert likeness(38, 56) > 0.4 > likeness(38, 8)


def rock_salt() -> Crystal:
    cell = 2.58 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return Crystal(np.array([38, 8]), cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))


@pytest.mark.parametrize(("formula", "blocks"), [("Sr2TiO4", (1, 1)), ("Sr3Ti2O7", (2, 1))])
def test_ruddlesden_popper_phases_are_intergrowths(formula: str, blocks: tuple[int, int]) -> None:
    """Of perovskite and rock salt, in the space group I4/mmm that they are known in."""
    groups = set()
    for seed in range(40):
        crystal = intergrown(perovskite(), rock_salt(), *blocks, rng=np.random.default_rng(seed))
        assert crystal is not None
        assert crystal.reduced_formula == formula
        expected = blocks[0] * perovskite().volume + blocks[1] * rock_salt().volume
        assert crystal.volume == pytest.approx(expected)
        groups.add(space_group(crystal, 0.05)[0])
    assert 139 in groups


@pytest.mark.parametrize("make", [perovskite, rutile, rock_salt])
def test_blocks_of_one_crystal_stack_to_a_supercell(make) -> None:
    wanted = np.sort(neighbour_pairs(make(), 4.0)[3])
    blocks = blocks_of(make())
    assert len(blocks) > 2
    assert pairs_of(blocks, blocks)[0][2] == 0.0
    for block in blocks:
        crystal = _stacked([block] * 3, np.array(block.shape))
        found = np.sort(neighbour_pairs(crystal, 4.0)[3])
        np.testing.assert_allclose(found[::3], wanted, atol=1e-8)


def test_compositions_that_add_up() -> None:
    first, second = Counter(perovskite().numbers.tolist()), Counter([38, 8])
    assert list(sums_of(first, second, space("Sr3Ti2O7"))) == [(2, 1), (4, 2)]
    assert list(sums_of(first, second, space("Sr2TiO4", 14))) == [(1, 1), (2, 2)]
    assert list(sums_of(first, second, space("TiO2"))) == []
