from __future__ import annotations

import numpy as np
import pytest
from tests.library.conftest import moved, perovskite, rocksalt, rutile

from nucleate.crystal.crystal import Crystal
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
