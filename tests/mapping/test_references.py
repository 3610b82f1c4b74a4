"""Known compounds of a field, and the key of a level of theory."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.library.library import Library
from nucleate.mapping.field import field_of
from nucleate.mapping.level import level_of
from nucleate.mapping.references import References, references_of
from nucleate.mapping.settings import MapSettings


@pytest.fixture(autouse=True, scope="module")
def one_library() -> Iterator[None]:
    """Read the shipped library once."""
    library = Library.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "load", lambda _: library)
        yield


def references(known: str = "all", **options: object) -> References:
    data = {"field": {"system": "Y-Sr-Ti-O", **options}, "search": {"known": known}}
    settings = MapSettings.from_dict(data)
    return references_of(field_of(settings), settings)


def rock_salt(first: int, second: int, length: float = 5.0) -> Crystal:
    cell = length / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return Crystal(np.array([first, second]), cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))


def write_cif(folder, name: str, crystal: Crystal) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.cif").write_text(_cif(crystal))


def _cif(crystal: Crystal) -> str:
    from io import BytesIO

    from ase.io.cif import write_cif as to_cif

    buffer = BytesIO()
    to_cif(buffer, [crystal.to_ase()])
    return buffer.getvalue().decode()


def test_structures_that_were_chosen_are_used_whatever_the_number_of_polymorphs(tmp_path) -> None:
    for k, length in enumerate((4.9, 5.1, 5.2)):
        write_cif(tmp_path / "own", f"SrO-{k}", rock_salt(38, 8, length))
    of_library = references(polymorphs=2).found
    formulas = [item.formula for item in of_library]
    several = next(item for item in of_library if formulas.count(item.formula) == 2)
    write_cif(tmp_path / "own", "another", several.crystal)
    both = references(polymorphs=2, references=["shipped", str(tmp_path / "own")]).found
    assert {item.name for item in both if item.is_chosen} == {"SrO-0", "SrO-1", "SrO-2", "another"}
    assert sum(item.formula == "SrO" for item in both) == 3
    assert sum(item.formula == several.formula for item in both) == 2


def test_every_entry_of_the_library_within_the_field_is_found() -> None:
    found = references(polymorphs=1000).found
    inside = {38, 39, 22, 8}
    library = Library.load(("shipped",))
    every = [
        number
        for number in range(0, len(library), 97)
        if set(library.entry(number).elements) <= inside
    ]
    names = {item.name for item in found}
    assert {library.entry(number).name for number in every} <= names
    for item in found[::7]:
        assert set(item.crystal.numbers.tolist()) <= inside
        assert item.crystal.reduced_formula == item.formula


def test_polymorphs_are_the_lowest_and_corners_come_first() -> None:
    result = references(polymorphs=2)
    formulas = [item.formula for item in result.found]
    assert max(formulas.count(formula) for formula in formulas) == 2
    assert formulas[:4] == ["Sr", "Sr", "Y", "Y"]
    assert not result.missing  # oxygen is not in the library, but ASE has its molecule
    assert [item.name for item in result.found if item.source == "elements"] == [
        "ASE: O2 molecules"
    ]
    assert result.more_polymorphs > 0
    energies = [item.above_hull for item in result.of(result.found[0].composition)]
    assert energies == sorted(energies)


def test_hold_outs() -> None:
    everything = references(polymorphs=1000)
    targets = field_of(MapSettings.from_dict({"field": {"system": "Y-Sr-Ti-O"}}))
    held = references("no-formula", polymorphs=1000)
    assert len(held.found) + held.held_out == len(everything.found)
    for item in held.found:
        is_target = targets.index_of(item.composition) is not None
        assert len(item.composition.items) == 1 or not is_target
    binaries = references("no-formula", known_elements=2, polymorphs=1000)
    sizes = {len(item.composition.items) for item in binaries.found}
    assert 2 in sizes
    relatives = references("no-relatives", polymorphs=1000)
    assert {len(item.composition.items) for item in relatives.found} == {1}
    off = references("off")
    assert off.found == ()
    assert len(off.missing) == 4


def test_files_are_used_whatever_is_held_out(tmp_path) -> None:
    write_cif(tmp_path / "known", "mine", rock_salt(38, 8))
    result = references("off", references=[str(tmp_path / "known")])
    assert [item.formula for item in result.found] == ["SrO"]
    assert len(result.missing) == 4


def test_a_file_that_cannot_be_used_is_left_out_with_a_note(tmp_path) -> None:
    write_cif(tmp_path / "known", "mine", rock_salt(38, 8))
    (tmp_path / "known" / "junk.cif").write_text("no crystal")
    mixed = _cif(rock_salt(38, 8)).replace("1.0000", "0.5000", 1)
    assert "0.5000" in mixed
    (tmp_path / "known" / "disordered.cif").write_text(mixed)
    result = references("off", references=[str(tmp_path / "known")])
    assert [item.name for item in result.found] == ["mine"]
    assert len(result.unreadable) == 2
    assert "2 left out as they cannot be used" in result.in_words()
    assert "disordered.cif" in result.in_words()


def test_documents_of_the_materials_project(tmp_path) -> None:
    structure = rock_salt(38, 8).to_pymatgen().as_dict()
    document = {"material_id": "mp-1", "structure": structure, "energy_above_hull": 0.02}
    other = {"material_id": "mp-2", "structure": rock_salt(11, 17).to_pymatgen().as_dict()}
    file = tmp_path / "found.json"
    file.write_text(json.dumps([document, other]))
    result = references(references=[str(file)])
    assert "; 1 outside the field" in result.in_words()
    (item,) = [item for item in result.found if item.source != "elements"]
    assert (item.name, item.formula, item.above_hull) == ("mp-1", "SrO", 0.02)


def test_a_source_without_anything_of_the_field_is_refused(tmp_path) -> None:
    write_cif(tmp_path / "known", "other", rock_salt(11, 17))
    with pytest.raises(InputError, match=r"field\.references.*NaCl.*Y-Ti-O|NaCl"):
        references(references=[str(tmp_path / "known")])
    with pytest.raises(InputError, match=r"field\.references.*does not exist"):
        references(references=[str(tmp_path / "nowhere")])


def test_a_chosen_file_of_another_field_is_named(tmp_path) -> None:
    write_cif(tmp_path / "known", "mine", rock_salt(38, 8))
    write_cif(tmp_path / "known", "salt", rock_salt(11, 17))
    with pytest.raises(InputError, match=r"outside the field Sr-Y-Ti-O: salt \(NaCl\)\. Correct"):
        references(references=[str(tmp_path / "known")])


def test_end_members_keep_only_what_is_between_them() -> None:
    settings = MapSettings.from_dict({"field": {"system": "SrO-TiO2", "polymorphs": 100}})
    field = field_of(settings)
    result = references_of(field, settings)
    for item in result.found:
        counts = item.composition.counts
        assert counts.get("O", 0) == counts.get("Sr", 0) + 2 * counts.get("Ti", 0)


def test_the_key_of_a_level_counts_what_changes_energies(tmp_path) -> None:
    def key(pressure: float = 0.0, **options: object) -> str:
        data = {"field": {"system": "Sr-O"}, "tier": [{"name": "a", **options}]}
        return level_of(MapSettings.from_dict(data).tier[-1], pressure).key

    assert key() == key(name="b") == key(wall_s=5.0) == key(slots=3)
    assert len({key(), key(fmax_ev_per_ang=0.01), key(pressure=1.0), key(relax_cell=False)}) == 4
    file = tmp_path / "a.toml"
    keys = []
    for text in ("one", "two"):
        file.write_text(text)
        keys.append(key(engine={"kind": "force-field", "file": str(file)}))
    other = tmp_path / "b.toml"
    other.write_text("one")
    assert keys[0] != keys[1]
    assert keys[0] == key(engine={"kind": "force-field", "file": str(other)})
