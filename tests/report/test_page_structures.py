"""Structures as the page draws and tabulates them: ten types that every chemist knows.

Bond lengths follow from the lattice parameter by geometry; distances, cells and powder lines are
compared with those of pymatgen.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as in_group
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Composition
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from tests.strategies import rotations, unimodular

from nucleate.crystal.crystal import Crystal
from nucleate.report.page import structures
from nucleate.report.page.structures import cells, drawn, lattice_text, pattern_points, site_table

CUBE = [90, 90, 90]
SITES = {
    "rock salt": (
        bulk("NaCl", "rocksalt", a=5.64),
        {("Na", 4, 6, "6 Cl", "2.820 ×6"), ("Cl", 4, 6, "6 Na", "2.820 ×6")},
        8,
    ),
    "CsCl": (
        bulk("CsCl", "cesiumchloride", a=4.12),
        {("Cs", 1, 8, "8 Cl", "3.568 ×8"), ("Cl", 1, 8, "8 Cs", "3.568 ×8")},
        2,
    ),
    "zinc blende": (
        bulk("ZnS", "zincblende", a=5.41),
        {("Zn", 4, 4, "4 S", "2.343 ×4"), ("S", 4, 4, "4 Zn", "2.343 ×4")},
        8,
    ),
    "fluorite": (
        bulk("CaF2", "fluorite", a=5.46),
        {("Ca", 4, 8, "8 F", "2.364 ×8"), ("F", 8, 4, "4 Ca", "2.364 ×4")},
        12,
    ),
    "perovskite": (
        in_group(["Sr", "Ti", "O"], [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)], spacegroup=221,
                 cellpar=[3.9] * 3 + CUBE),
        {("Sr", 1, 12, "12 O", "2.758 ×12"), ("Ti", 1, 6, "6 O", "1.950 ×6")},
        5,
    ),
    "rutile": (
        in_group(["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
                 cellpar=[4.594, 4.594, 2.959, *CUBE]),
        {("Ti", 2, 6, "6 O", "1.948 ×4, 1.982 ×2"), ("O", 4, 3, "3 Ti", "1.948 ×2, 1.982")},
        6,
    ),
    "wurtzite": (
        in_group(["Zn", "O"], [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.375)], spacegroup=186,
                 cellpar=[3.25, 3.25, 3.25 * (8 / 3) ** 0.5, 90, 90, 120]),
        {("Zn", 2, 4, "4 O", "1.990 ×4"), ("O", 2, 4, "4 Zn", "1.990 ×4")},
        4,
    ),
    "diamond": (bulk("Si", a=5.43), {("Si", 8, 4, "4 Si", "2.351 ×4")}, 8),
    "fcc": (bulk("Cu", a=3.6), {("Cu", 4, 12, "12 Cu", "2.546 ×12")}, 4),
    "spinel": (
        in_group(["Mg", "Al", "O"], [(1 / 8,) * 3, (1 / 2,) * 3, (0.2625,) * 3], spacegroup=227,
                 setting=2, cellpar=[8.08] * 3 + CUBE),
        {("Mg", 8, 4, "4 O", "1.924 ×4"), ("Al", 16, 6, "6 O", "1.924 ×6")},
        56,
    ),
}  # fmt: skip
"""By type: atoms, rows of the table that it must have, atoms of the conventional cell."""


def crystal_of(name: str) -> Crystal:
    return Crystal.from_ase(SITES[name][0])


def in_any_cell(data: st.DataObject, crystal: Crystal) -> Crystal:
    """Return a crystal in another cell, turned and moved."""
    change = data.draw(unimodular())
    origin = np.random.default_rng(data.draw(st.integers(0, 99))).random(3)
    cell = change @ crystal.cell @ data.draw(rotations())
    return Crystal(crystal.numbers, cell, crystal.scaled @ np.linalg.inv(change) + origin)


@pytest.mark.parametrize("name", SITES)
def test_sites_have_the_neighbours_and_bond_lengths_of_the_type(name: str) -> None:
    _, expected, n_atoms = SITES[name]
    table = site_table(crystal_of(name))
    keys = ("element", "count", "number", "neighbours", "distances")
    found = [tuple(row[key] for key in keys) for row in table]
    assert expected <= set(found)
    assert sum(row["count"] for row in table) == n_atoms


@settings(max_examples=25)
@given(st.data())
def test_the_table_does_not_depend_on_the_cell_that_a_search_found(data: st.DataObject) -> None:
    crystal = crystal_of(data.draw(st.sampled_from(list(SITES))))
    moved = in_any_cell(data, crystal)
    keys = ("element", "count", "number", "neighbours", "distances")
    first, again = (
        sorted(tuple(row[key] for key in keys) for row in site_table(item))
        for item in (crystal, moved)
    )
    assert first == again
    assert lattice_text(moved) == lattice_text(crystal)


@pytest.mark.parametrize("name", SITES)
def test_the_lattice_is_that_of_pymatgens_conventional_cell(name: str) -> None:
    crystal = crystal_of(name)
    found = lattice_text(crystal)
    standard = SpacegroupAnalyzer(crystal.to_pymatgen()).get_conventional_standard_structure()
    lengths = [float(value) for value in found["lengths"].split()]
    np.testing.assert_allclose(lengths, standard.lattice.abc, atol=1e-4)
    angles = [float(value) for value in found["angles"].split()]
    np.testing.assert_allclose(angles, standard.lattice.angles, atol=0.01)
    assert float(found["volume"]) == pytest.approx(standard.volume, abs=0.01)
    assert Composition(found["formula"]) == standard.composition


@pytest.mark.parametrize("name", SITES)
def test_bonds_lead_from_atoms_to_atoms(name: str) -> None:
    for whole in cells(crystal_of(name)).values():
        cell = np.reshape(whole["cell"], (3, 3))
        places = np.array([atom[1:] for atom in whole["atoms"]])
        for atom, *vector in whole["bonds"]:
            ends = (places[atom] + vector - places) @ np.linalg.inv(cell)
            gaps = (ends - np.rint(ends)) @ cell
            assert np.linalg.norm(gaps, axis=1).min() < 0.01


@pytest.mark.parametrize("name", SITES)
def test_polyhedra_are_closed_and_face_outwards(name: str) -> None:
    whole = cells(crystal_of(name))["conventional"]
    for _, vertices, triangles in whole["polyhedra"]:
        corners = np.reshape(vertices, (-1, 3))
        faces = np.reshape(triangles, (-1, 3))
        edges = Counter((int(a), int(b)) for face in faces for a, b in zip(
            face, np.roll(face, -1), strict=True))  # fmt: skip
        assert set(edges.values()) == {1}
        assert all((b, a) in edges for a, b in edges), "every edge belongs to two faces"
        first, second, third = (corners[faces[:, k]] for k in range(3))
        volume = np.einsum("ij,ij->i", first, np.cross(second, third)).sum() / 6.0
        assert volume > 1.0


@pytest.mark.parametrize(
    ("name", "centres"),
    [("rock salt", {"Na": 4}), ("perovskite", {"Ti": 1}), ("rutile", {"Ti": 2}),
     ("zinc blende", {"Zn": 4}), ("fluorite", {"Ca": 4}), ("spinel", {"Mg": 8, "Al": 16}),
     ("diamond", {}), ("fcc", {})],
)  # fmt: skip
def test_polyhedra_stand_around_cations(name: str, centres: dict[str, int]) -> None:
    whole = cells(crystal_of(name))["conventional"]
    found = Counter(whole["atoms"][atom][0] for atom, *_ in whole["polyhedra"])
    assert found == centres


@pytest.mark.parametrize("name", SITES)
def test_the_strongest_powder_lines_are_those_of_pymatgen(name: str) -> None:
    crystal = crystal_of(name)
    pattern = XRDCalculator("CuKa").get_pattern(crystal.to_pymatgen(), two_theta_range=(5, 90))
    strong = [angle for angle, height in zip(pattern.x, pattern.y, strict=True) if height > 25]
    points = np.array(pattern_points(crystal))
    assert points[:, 1].max() == 100.0
    assert ((points[:, 0] > 2) & (points[:, 0] <= 90.01)).all()
    for angle in strong:
        near = np.abs(points[:, 0] - angle) < 0.15
        assert points[near, 1].max(initial=0.0) > 10.0, angle


def test_both_cells_hold_the_same_number_of_formula_units_per_volume() -> None:
    for name in SITES:
        found = cells(crystal_of(name))
        densities = [
            len(whole["atoms"]) / abs(np.linalg.det(np.reshape(whole["cell"], (3, 3))))
            for whole in found.values()
        ]
        assert densities[0] == pytest.approx(densities[1], rel=1e-3)


def test_a_cell_that_is_too_large_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    salt = crystal_of("rock salt")
    monkeypatch.setattr(structures, "LARGEST_DRAWN", 4)
    assert set(cells(salt)) == {"given"}
    monkeypatch.setattr(structures, "LARGEST_DRAWN", 1)
    assert drawn(salt) is None
    assert cells(salt) == {}


def test_flat_surroundings_have_no_polyhedron() -> None:
    square = in_group(["Pd", "O"], [(0, 0.5, 0), (0, 0, 0.25)], spacegroup=131,
                      cellpar=[3.03, 3.03, 5.33, *CUBE])  # fmt: skip
    crystal = Crystal.from_ase(square)
    assert {row["number"] for row in site_table(crystal)} == {4}
    whole = cells(crystal)["conventional"]
    assert {whole["atoms"][atom][0] for atom, *_ in whole["polyhedra"]} <= {"O"}


def test_an_element_without_form_factors_has_no_pattern() -> None:
    assert pattern_points(Crystal([99], np.eye(3) * 3, [[0, 0, 0]])) == []
