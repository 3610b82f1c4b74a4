"""Files with partly occupied or shared sites as seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.files import read_crystals
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.given import given_structures

MIXED = """\
data_mixed
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 6.0
_cell_length_b 6.0
_cell_length_c 6.0
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na Na 0 0 0 0.5
K K 0 0 0 0.5
Cl Cl 0.5 0.5 0.5 1.0
"""


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.cif"
    path.write_text(MIXED, encoding="utf-8")
    return path


def test_a_seed_with_shared_sites_becomes_ordered_crystals(mixed: Path) -> None:
    space = SearchSpace.create(Composition.from_formula("NaKCl2"), max_atoms=8)
    found = given_structures(space, str(mixed))
    assert found.usable
    assert not found.left_out
    for item in found.usable:
        assert space.composition.formula_units_of(item.crystal.numbers) is not None
        assert item.crystal.n_atoms <= 8
    (message,) = [text for text in found.messages("seeds") if "ordered approximants" in text]
    assert message.startswith(f"seeds: {len(found.usable)} ordered approximants were made of 1 ")


def test_every_block_of_a_file_becomes_crystals_of_its_own(mixed: Path) -> None:
    other = MIXED.replace("data_mixed", "data_other")
    mixed.write_text(MIXED + other.replace("6.0\n", "6.6\n"), encoding="utf-8")
    space = SearchSpace.create(Composition.from_formula("NaKCl2"), max_atoms=8)
    found = given_structures(space, str(mixed))
    names = {item.name.rpartition("-ordered-")[0] for item in found.usable}
    assert names == {"mixed", "other"}
    volumes = {item.name.split("-")[0]: item.crystal.volume_per_atom for item in found.usable}
    assert volumes["mixed"] == pytest.approx(6.0**3 / 8)
    assert volumes["other"] == pytest.approx(6.6**3 / 8)


def test_one_of_another_composition_is_left_out(mixed: Path) -> None:
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
    found = given_structures(space, str(mixed))
    assert not found.usable
    assert found.left_out == {"composition": 1}
    (message,) = found.messages("seeds")
    assert "mixed ordered is" in message
    assert "not NaCl" in message


def test_the_reason_that_no_ordered_crystal_is_made_is_reported(mixed: Path) -> None:
    mixed.write_text(MIXED.replace("0 0.5\nCl", "0 0.8\nCl"), encoding="utf-8")
    space = SearchSpace.create(Composition.from_formula("NaKCl2"), max_atoms=8)
    (message,) = given_structures(space, str(mixed)).messages("seeds")
    assert "must be positive and add up to at most 1" in message
    assert "as a seed" not in message


def test_elsewhere_it_is_refused_with_a_hint(mixed: Path) -> None:
    with pytest.raises(InputError, match="as a seed"):
        read_crystals(mixed)
