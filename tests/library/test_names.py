from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.spacegroup import crystal as from_space_group
from tests.library.conftest import moved, perovskite, rocksalt, rutile

from nucleate.crystal.crystal import Crystal
from nucleate.library.build import write_library
from nucleate.library.entries import Known
from nucleate.library.library import SHIPPED_PATH, Library
from nucleate.library.names import NEW_TYPE, named_types


def test_rocksalt_is_named_in_any_description(small: Library) -> None:
    rng = np.random.default_rng(0)
    for repeats in ((1, 1, 1), (2, 1, 2)):
        found = small.identify(moved(rocksalt("CaO", 4.8), rng, repeats))
        assert found.structure_type.startswith("NaCl")
        assert found.pearson == "cF8"
        assert found.space_group == 225
        assert not found.known
        assert found.nearest in ("t-1", "t-2", "t-3")
        assert found.distance < 0.01


def test_a_known_compound_is_known(small: Library) -> None:
    found = small.identify(rocksalt("MgO", 4.22))
    assert found.known
    assert found.nearest == "t-3"
    assert found.distance < 0.04
    assert not small.identify(rocksalt("MgO", 4.9)).known


def test_a_new_type_is_new(small: Library) -> None:
    crystal = Crystal(
        np.array([11, 17, 8]), np.diag([4.0, 5.0, 6.0]), np.array([[0, 0, 0], [0.3, 0.4, 0.2],
                                                                   [0.6, 0.7, 0.55]])
    )  # fmt: skip
    found = small.identify(crystal)
    assert found.structure_type == NEW_TYPE
    assert found.is_new
    assert found.nearest == ""
    assert np.isnan(found.distance)


def test_same_letters_with_another_geometry_are_far(small: Library) -> None:
    near = small.identify(rutile("Ge", "O", 4.4, 2.86))
    assert near.distance < 0.1
    assert not near.is_new
    far = small.identify(rutile("Ge", "O", 3.2, 5.5, 0.2))
    assert far.distance > near.distance
    assert far.label == near.label


def test_noise_does_not_change_the_name(small: Library) -> None:
    crystal = perovskite("Ca", "Zr", "O", 4.1)
    noise = np.random.default_rng(3).normal(scale=0.004, size=(5, 3))
    found = small.identify(crystal.replace(scaled=crystal.scaled + noise))
    assert found.label == "ABC3_cP5_221_a_b_c"


def test_named_types_are_sound() -> None:
    table = named_types()
    titles = {named.title for types in table.values() for named in types}
    assert sum(map(len, table.values())) > 250
    assert any(title.startswith("MgAl2O4 (Spinel") for title in titles)
    assert "CaTiO3 (Cubic Perovskite, E2_1)" in titles
    assert "SiO2 [quartz (alpha)]" in titles
    assert not any("((" in title for title in titles)
    assert {named.aflow for named in table["AB_cF8_225_a_b"]} == {"AB_cF8_225_a_b"}


@pytest.mark.skipif(not SHIPPED_PATH.exists(), reason="no shipped library")
@pytest.mark.parametrize(
    ("name", "expected"),
    [("rocksalt", "NaCl"), ("perovskite", "CaTiO3"), ("rutile", "TiO2 (Rutile")],
)
def test_textbook_structures_have_their_names(name: str, expected: str) -> None:
    crystals = {
        "rocksalt": rocksalt("CaO", 4.8),
        "perovskite": perovskite("Sr", "Ti", "O", 3.9),
        "rutile": rutile("Ti", "O", 4.6, 2.96),
    }
    found = Library.load().identify(crystals[name])
    assert found.structure_type.startswith(expected)


@pytest.mark.skipif(not SHIPPED_PATH.exists(), reason="no shipped library")
@pytest.mark.parametrize(
    ("elements", "points", "group", "cell", "title"),
    [
        (
            ["Mg", "Mg", "Si", "O", "O", "O"],
            [(0, 0, 0), (0.277, 0.25, 0.99), (0.094, 0.25, 0.426), (0.091, 0.25, 0.766),
             (0.447, 0.25, 0.222), (0.163, 0.033, 0.277)],
            62, [10.207, 5.98, 4.756, 90, 90, 90], "Mg2SiO4 (Olivine, S1_2)",
        ),
        (
            ["Ca", "W", "O"], [(0, 0.25, 0.625), (0, 0.25, 0.125), (0.1507, 0.0086, 0.2106)],
            88, [5.243, 5.243, 11.376, 90, 90, 90], "CaWO4 (Scheelite, H0_4)",
        ),
        (
            ["Y", "Ti", "O", "O"],
            [(0.5, 0.5, 0.5), (0, 0, 0), (0.329, 0.125, 0.125), (0.375, 0.375, 0.375)],
            227, [10.1, 10.1, 10.1, 90, 90, 90], "Y2Ti2O7 (Pyrochlore)",
        ),
        (
            ["Th", "Cr", "Si"], [(0, 0, 0), (0, 0.5, 0.25), (0, 0, 0.374)],
            139, [4.043, 4.043, 10.577, 90, 90, 90], "ThCr2Si2",
        ),
        (
            ["Cu", "Fe", "O"], [(0, 0, 0), (0, 0, 0.5), (0, 0, 0.1066)],
            166, [3.035, 3.035, 17.166, 90, 90, 120], "CuFeO2 (Delafossite)",
        ),
        (
            ["Na", "Cr", "S"], [(0, 0, 0), (0, 0, 0.5), (0, 0, 0.26)],
            166, [3.554, 3.554, 19.52, 90, 90, 120], "NaCrS2 (Caswellsilverite, F5_1)",
        ),
        (
            ["Y", "Al", "Al", "O"],
            [(0.125, 0, 0.25), (0, 0, 0), (0.375, 0, 0.25), (0.9701, 0.0506, 0.1488)],
            230, [12.0, 12.0, 12.0, 90, 90, 90], "Y3Al5O12 (Garnet)",
        ),
    ],
)  # fmt: skip
def test_types_of_minerals_have_their_names(
    elements: list[str],
    points: list[tuple[float, float, float]],
    group: int,
    cell: list[float],
    title: str,
) -> None:
    setting = 2 if group in (88, 227) else 1
    atoms = from_space_group(elements, points, spacegroup=group, cellpar=cell, setting=setting)
    found = Library.load().identify(Crystal.from_ase(atoms))
    assert found.structure_type == title


def test_a_name_is_found_without_reading_every_entry_of_its_type(
    small: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.identify(rocksalt("CaO", 4.8))  # the fingerprints are kept
    asked: list[int] = []
    entry = Library.entry
    monkeypatch.setattr(Library, "entry", lambda self, k: asked.append(k) or entry(self, k))
    assert small.identify(rocksalt("CaO", 4.8)).structure_type.startswith("NaCl")
    assert len(asked) <= 2


def test_a_named_type_without_a_member_in_the_library_has_its_name(small: Library) -> None:
    graphite = Crystal(
        np.full(4, 6),
        np.array([[2.461, 0, 0], [-1.2305, 2.1313, 0], [0, 0, 6.708]]),
        np.array([[0, 0, 0.25], [0, 0, 0.75], [1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]),
    )
    found = small.identify(graphite)
    assert found.structure_type == "C (Graphite, A9)"
    assert found.label == "A_hP4_194_bc"
    assert found.nearest == ""
    assert not found.is_new


def test_a_label_of_low_symmetry_alone_gives_no_name(small: Library) -> None:
    rng = np.random.default_rng(0)
    cell = np.array([[5.4, 0.1, 0.0], [0.2, 5.5, 0.1], [0.0, 0.3, 5.3]])
    crystal = Crystal([26] * 4 + [16] * 8, cell, rng.random((12, 3)))  # the label of triclinic FeS2
    found = small.identify(crystal)
    assert found.label == "AB2_aP12_1_4a_8a"
    assert found.is_new


def left_quartz() -> Crystal:
    """Quartz in P3_221, as most databases have it."""
    atoms = from_space_group(
        ["Si", "O"], [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)], spacegroup=154,
        cellpar=[4.916, 4.916, 5.405, 90, 90, 120],
    )  # fmt: skip
    return Crystal.from_ase(atoms)


@pytest.mark.skipif(not SHIPPED_PATH.exists(), reason="no shipped library")
def test_a_mirror_image_has_the_name_and_the_weight_of_what_it_mirrors() -> None:
    left, library = left_quartz(), Library.load()
    right = left.replace(scaled=-left.scaled)
    found, mirrored = library.identify(left), library.identify(right)
    assert (found.space_group, mirrored.space_group) == (154, 152)
    assert found.structure_type == mirrored.structure_type == "SiO2 [quartz (alpha)]"
    assert found.nearest == mirrored.nearest
    assert found.distance == pytest.approx(mirrored.distance, abs=1e-3)
    assert library.weight(left) == library.weight(right) > 0.1


def test_a_mirror_image_is_near_the_one_compound_that_it_mirrors(tmp_path: Path) -> None:
    left = left_quartz()
    right = left.replace(scaled=-left.scaled)
    write_library(iter([Known("q-1", right)]), tmp_path / "one.nlib", {})
    library = Library.load([tmp_path / "one.nlib"])
    germania = left.replace(numbers=np.where(left.numbers == 14, 32, 8))
    found = library.identify(germania)
    assert (found.nearest, found.known, found.is_new) == ("q-1", False, False)
    assert found.distance < 0.04
    assert library.weight(left) == library.weight(right) == 1.0
