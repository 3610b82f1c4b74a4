"""The Wyckoff positions agree with tables and programs that others wrote."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
import spglib

from nucleate.crystal.symmetry import space_group_symbol
from nucleate.generate.wyckoff import (
    crystal_system,
    operations,
    orbits,
    primitive_vectors,
    sites,
)

GROUPS = range(1, 231)


def tabulated(number: int) -> gemmi.SpaceGroup:
    """Return a group in the standard setting: second origin, hexagonal axes."""
    settings = [item for item in gemmi.spacegroup_table() if item.number == number]
    reference = [item for item in settings if item.is_reference_setting()]
    assert len(reference) == 1
    return reference[0]


def operations_of(group: gemmi.SpaceGroup) -> tuple[np.ndarray, np.ndarray]:
    scale = gemmi.Op.DEN
    found = [(np.array(op.rot) / scale, np.array(op.tran) / scale) for op in group.operations()]
    return np.array([item[0] for item in found]), np.array([item[1] for item in found])


def number_of_distinct(points: np.ndarray) -> int:
    gaps = points[:, None] - points[None]
    same = np.abs(gaps - np.rint(gaps)).max(axis=2) < 1e-6
    return len({int(np.argmax(row)) for row in same})


@pytest.mark.parametrize("number", GROUPS)
def test_orbits_are_those_of_the_tabulated_operations(number: int) -> None:
    group = tabulated(number)
    rotations, translations = operations_of(group)
    primitive = primitive_vectors(number)
    rng = np.random.default_rng(number)
    points_per_cell = round(1.0 / np.linalg.det(primitive))
    assert len(rotations) == points_per_cell * len(operations(number)[0])
    for site, orbit in zip(sites(number), orbits(number), strict=True):
        ours = orbit.points(rng.random(site.freedom))
        images = np.einsum("kij,j->ki", rotations, ours[0] @ primitive) + translations
        inside = images @ np.linalg.inv(primitive)
        assert number_of_distinct(images) == site.multiplicity * points_per_cell
        assert number_of_distinct(inside) == site.multiplicity
        gaps = inside[:, None] - ours[None]
        gaps -= np.rint(gaps)
        assert np.abs(gaps).max(axis=2).min(axis=1).max() < 1e-6, site.letter


@pytest.mark.parametrize("number", GROUPS)
def test_symbol_system_and_order(number: int) -> None:
    group = tabulated(number)
    short = space_group_symbol(number)
    if crystal_system(number) == "monoclinic":
        short = f"{short[0]} 1 {short[1:]} 1"
    named = gemmi.find_spacegroup_by_name(short, prefer="2H")
    assert named is not None
    assert named.number == number
    system = group.crystal_system_str()
    assert crystal_system(number) == ("hexagonal" if system == "trigonal" else system)
    general = sites(number)[-1]
    assert general.freedom == 3
    assert general.multiplicity == len(operations(number)[0])
    letters = [site.letter for site in sites(number)]
    assert letters == sorted(letters, key=lambda letter: (letter.isupper(), letter))
    assert len(set(letters)) == len(letters)


def test_a_group_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="no space group 231"):
        crystal_system(231)


REAL = {
    "rock salt": (225, {"a": [[0, 0, 0]], "b": [[0.5, 0.5, 0.5]]}, "m-3m"),
    "fluorite": (225, {"a": [[0, 0, 0]], "c": [[0.25, 0.25, 0.25]]}, "m-3m"),
    "diamond": (227, {"a": [[0.125, 0.125, 0.125]]}, "-43m"),
    "rutile": (136, {"a": [[0, 0, 0]], "f": [[0.305, 0.305, 0]]}, "m.mm"),
    "perovskite": (221, {"a": [[0, 0, 0]], "b": [[0.5, 0.5, 0.5]], "c": [[0, 0.5, 0.5]]}, "m-3m"),
}


@pytest.mark.parametrize("name", REAL)
def test_sites_of_well_known_crystals_are_found_by_spglib(name: str) -> None:
    number, occupied, first_symmetry = REAL[name]
    found = {site.letter: (site, orbit)
             for site, orbit in zip(sites(number), orbits(number), strict=True)}  # fmt: skip
    numbers, scaled, expected = [], [], []
    conventional = np.diag([4.6, 4.6, 3.0 if crystal_system(number) == "tetragonal" else 4.6])
    for kind, (letter, (point,)) in enumerate(occupied.items()):
        site, orbit = found[letter]
        start = np.array(point) @ np.linalg.inv(primitive_vectors(number))
        points = start @ orbit.rotations + orbit.translations
        assert number_of_distinct(points) == site.multiplicity
        numbers += [kind + 1] * len(points)
        scaled.append(points)
        expected += [letter] * len(points)
    cell = primitive_vectors(number) @ conventional
    dataset = spglib.get_symmetry_dataset((cell, np.concatenate(scaled), numbers), symprec=1e-4)
    assert dataset.number == number
    assert dataset.site_symmetry_symbols[0] == first_symmetry
    assert len(set(dataset.wyckoffs)) == len(occupied)
    assert first_symmetry.replace(".", "") == found[expected[0]][0].site_symmetry.replace(".", "")
