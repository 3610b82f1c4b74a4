from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from tests.library.conftest import perovskite, rocksalt

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.library.disorder import (
    DisorderedCrystal,
    ordered_approximants,
    read_disordered_cif,
)
from nucleate.library.orderings import MixedSites, _normal_forms, orderings

FCC = Crystal.from_ase(bulk("Cu", "fcc", a=3.7))


@pytest.mark.parametrize(("index", "number"), [(1, 1), (2, 7), (3, 13), (4, 35)])
def test_number_of_superlattices(index: int, number: int) -> None:
    """The number of sublattices of an index is sum of d * e over triples d e f = index."""
    forms = _normal_forms(index)
    assert len(forms) == number
    for k, form in enumerate(forms):
        assert round(np.linalg.det(form)) == index
        for other in forms[:k]:  # no two span the same lattice
            change = form @ np.linalg.inv(other)
            assert np.abs(change - np.rint(change)).max() > 1e-6


def test_orderings_of_fcc_are_those_of_hart_and_forcade() -> None:
    """Binary derivative structures of fcc: 2 at index 2 (L1_0, L1_1), 3 at index 3 for AB2."""
    half = [MixedSites((0,), {29: 0.5, 79: 0.5})]
    found = orderings(FCC, half, max_atoms=2, most=50)
    assert sorted(space_group(o.crystal)[0] for o in found) == [123, 166]
    third = [MixedSites((0,), {29: 2 / 3, 79: 1 / 3})]
    assert len(orderings(FCC, third, max_atoms=3, most=50)) == 3
    quarter = [MixedSites((0,), {29: 0.75, 79: 0.25})]
    found = orderings(FCC, quarter, max_atoms=4, most=50)
    assert len(found) == 7
    assert 221 in {space_group(o.crystal)[0] for o in found}  # Cu3Au


def test_a_supercell_repeats_no_smaller_one() -> None:
    half = [MixedSites((0,), {29: 0.5, 79: 0.5})]
    found = orderings(FCC, half, max_atoms=4, most=50)
    assert [o.index for o in found] == [2] * 2 + [4] * 5
    (only,) = orderings(FCC, [], max_atoms=4, most=50)
    assert only.index == 1


def test_orderings_are_distinct_and_keep_the_amounts() -> None:
    parent = rocksalt("MgO", 4.2)
    (metal,) = np.flatnonzero(parent.numbers == 12)
    groups = [MixedSites((int(metal),), {12: 0.5, 20: 0.5})]
    found = orderings(parent, groups, max_atoms=8, most=100)
    known = KnownCrystals()
    for place, ordering in enumerate(found):
        numbers = ordering.crystal.numbers
        assert np.count_nonzero(numbers == 12) == np.count_nonzero(numbers == 20)
        assert np.count_nonzero(numbers == 8) == ordering.index
        print_ = fingerprint(ordering.crystal)
        assert not known.matches(print_, within=1e-3)
        known.add(place, print_)
    assert [o.index for o in found] == sorted(o.index for o in found)


def test_vacancies_become_empty_sites() -> None:
    parent = rocksalt("NbO", 4.2)
    sites = [{z: 0.75} for z in parent.numbers.tolist()]
    disordered = DisorderedCrystal(parent.cell, parent.scaled, tuple(sites))
    found = ordered_approximants(disordered, max_atoms=8, most=200)
    assert found
    for ordering in found:
        assert np.count_nonzero(ordering.crystal.numbers == 41) == 3
        assert np.count_nonzero(ordering.crystal.numbers == 8) == 3
    # the ordered compound NbO is one of them
    assert 221 in {space_group(ordering.crystal)[0] for ordering in found}


def test_three_species_on_one_site() -> None:
    disordered = DisorderedCrystal(FCC.cell, FCC.scaled, ({28: 0.5, 46: 0.25, 78: 0.25},))
    found = ordered_approximants(disordered, max_atoms=4, most=100)
    assert found
    for ordering in found:
        unique, counts = np.unique(ordering.crystal.numbers, return_counts=True)
        assert dict(zip(unique.tolist(), counts.tolist(), strict=True)) == {28: 2, 46: 1, 78: 1}


def test_an_ordered_crystal_is_its_own_approximant() -> None:
    parent = rocksalt("MgO", 4.2)
    sites = [{int(z): 1.0} for z in parent.numbers]
    (only,) = ordered_approximants(
        DisorderedCrystal(parent.cell, parent.scaled, tuple(sites)), max_atoms=2
    )
    assert np.array_equal(only.crystal.numbers, parent.numbers)


def test_odd_occupancies_are_rounded() -> None:
    disordered = DisorderedCrystal(FCC.cell, FCC.scaled, ({29: 0.63, 79: 0.37},))
    found = ordered_approximants(disordered, max_atoms=4, most=10)
    assert found
    assert np.count_nonzero(found[0].crystal.numbers == 29) in (2, 3)


def test_sites_of_different_denominators_share_an_index() -> None:
    cubic = perovskite("La", "Mn", "O", 3.9)
    shares = {57: {57: 0.5, 38: 0.5}, 25: {25: 2 / 3, 26: 1 / 3}, 8: {8: 1.0}}
    sites = tuple(shares[z] for z in cubic.numbers.tolist())
    disordered = DisorderedCrystal(cubic.cell, cubic.scaled, sites)
    found = ordered_approximants(disordered, max_atoms=30, most=20)
    assert len(found) == 20
    for ordering in found:
        counts = np.bincount(ordering.crystal.numbers)
        assert counts[[57, 38, 25, 26, 8]].tolist() == [3, 3, 4, 2, 18]
    assert {o.index for o in ordered_approximants(disordered, max_atoms=20)} == {4}  # rounded


def test_occupancies_that_are_rounded_up_are_divided_by_their_sum() -> None:
    disordered = DisorderedCrystal(FCC.cell, FCC.scaled, ({29: 0.501, 79: 0.501},))
    found = ordered_approximants(disordered, max_atoms=2)
    assert sorted(space_group(o.crystal)[0] for o in found) == [123, 166]


def test_empty_sites_do_not_count_as_atoms() -> None:
    parent = rocksalt("NbO", 4.2)
    sites = tuple({z: 0.75} for z in parent.numbers.tolist())
    disordered = DisorderedCrystal(parent.cell, parent.scaled, sites)
    found = ordered_approximants(disordered, max_atoms=6, most=200)
    assert {ordering.crystal.n_atoms for ordering in found} == {6}
    assert 221 in {space_group(ordering.crystal)[0] for ordering in found}


def test_impossible_occupancies_are_refused() -> None:
    with pytest.raises(InputError, match="add up to at most 1"):
        ordered_approximants(
            DisorderedCrystal(FCC.cell, FCC.scaled, ({29: 0.8, 79: 0.4},)), max_atoms=4
        )
    parent = rocksalt("MgO", 4.2)
    sites = [{int(z): 1.0} for z in parent.numbers]
    full = DisorderedCrystal(parent.cell, parent.scaled, tuple(sites))
    with pytest.raises(InputError, match="more than max_atoms"):
        ordered_approximants(full, max_atoms=1)


CIF = """data_test
_cell_length_a 3.7
_cell_length_b 3.7
_cell_length_c 3.7
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Cu1 Cu 0 0 0 0.75
Au1 Au 0 0 0 0.25
"""


def test_cif_with_occupancies(tmp_path) -> None:
    path = tmp_path / "alloy.cif"
    path.write_text(CIF)
    disordered = read_disordered_cif(path)
    assert len(disordered.occupancies) == 4
    assert all(site == {29: 0.75, 79: 0.25} for site in disordered.occupancies)
    found = ordered_approximants(disordered, max_atoms=4, most=20)
    assert 221 in {space_group(ordering.crystal)[0] for ordering in found}
    path.write_text("data_x\n_cell_length_a 3\n")
    with pytest.raises(InputError, match="no data block"):
        read_disordered_cif(path)


def test_a_block_is_read_by_its_name_and_split_positions_are_one_site(tmp_path) -> None:
    split = CIF.replace("data_test", "data_split").replace(
        "Cu1 Cu 0 0 0 0.75\nAu1 Au 0 0 0 0.25\n", "Cu1 Cu 0.03 0 0 0.125\nAu1 Au 0 0 0 0.25\n"
    )
    path = tmp_path / "two.cif"
    path.write_text(CIF + split)
    assert read_disordered_cif(path, "test").occupancies == ({29: 0.75, 79: 0.25},) * 4
    found = read_disordered_cif(path, "split")  # six places around each site
    assert [sorted(site) for site in found.occupancies] == [[29, 79]] * 4
    assert all(site == pytest.approx({29: 0.75, 79: 0.25}) for site in found.occupancies)
    expected = read_disordered_cif(path, "test").scaled
    gaps = found.scaled[:, None] - expected
    assert np.abs(gaps - np.rint(gaps)).max(axis=2).min(axis=1).max() < 1e-9
    with pytest.raises(InputError, match="no data block 'third'"):
        read_disordered_cif(path, "third")


def test_an_origin_that_is_not_certain_is_refused(tmp_path) -> None:
    path = tmp_path / "spinel.cif"
    path.write_text(CIF.replace("F m -3 m", "F d -3 m").replace("225", "227"))
    with pytest.raises(InputError, match="two origins"):
        read_disordered_cif(path)


def test_a_spinel_with_half_filled_sites_is_quick() -> None:
    import time

    from ase.spacegroup import crystal as from_space_group

    atoms = from_space_group(
        ["Mg", "Al", "O"],
        [(1 / 8, 1 / 8, 1 / 8), (1 / 2, 1 / 2, 1 / 2), (0.262, 0.262, 0.262)],
        spacegroup=227,
        setting=2,
        cellpar=[8.1, 8.1, 8.1, 90, 90, 90],
    )
    sites = [{13: 0.5, 12: 0.5} if z == 13 else {int(z): 1.0} for z in atoms.numbers]
    disordered = DisorderedCrystal(atoms.cell.array, atoms.get_scaled_positions(), tuple(sites))
    begin = time.process_time()
    found = ordered_approximants(disordered, max_atoms=28, most=30)
    assert time.process_time() - begin < 20.0
    assert {ordering.crystal.n_atoms for ordering in found} == {14, 28}
    assert [o.images for o in found if o.index == 1] == sorted(
        o.images for o in found if o.index == 1
    )
