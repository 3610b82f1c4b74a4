"""Candidates from known structures: what may be used, in which order, and when work is done."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as from_space_group
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition as Formula
from tests.library.conftest import caesium_chloride, perovskite, rocksalt, rutile

from nucleate.crystal.candidate import Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.prototypes import PrototypesGenerator
from nucleate.library.build import write_library
from nucleate.library.entries import Known
from nucleate.library.library import Library


def fluorite(metal: str, anion: str, a: float) -> Crystal:
    return Crystal.from_ase(
        from_space_group(
            [metal, anion],
            [(0, 0, 0), (0.25, 0.25, 0.25)],
            spacegroup=225,
            cellpar=[a, a, a, 90, 90, 90],
        )
    )


KNOWN = [
    Known("mgo", rocksalt("MgO", 4.21), 0.0, True),
    Known("cao", rocksalt("CaO", 4.81), 0.0, True),
    Known("nacl", rocksalt("NaCl", 5.64), 0.0, True),
    Known("mgs", rocksalt("MgS", 5.2), 0.0, True),
    Known("kcl", rocksalt("KCl", 6.29), 0.0, True),
    Known("cscl", caesium_chloride("CsCl", 4.12), 0.0, True),
    Known("mgo-b2", caesium_chloride("MgO", 2.6), 0.7, False),
    Known("zns", Crystal.from_ase(bulk("ZnS", "zincblende", a=5.41)), 0.0, True),
    Known("zno", Crystal.from_ase(bulk("ZnO", "wurtzite", a=3.25, c=5.2)), 0.0, True),
    Known("caf2", fluorite("Ca", "F", 5.46), 0.0, True),
    Known("mgf2", rutile("Mg", "F", 4.62, 3.05), 0.0, True),
    Known("tio2", rutile("Ti", "O", 4.59, 2.96), 0.0, True),
    Known("srtio3", perovskite("Sr", "Ti", "O", 3.905), 0.0, True),
    Known("batio3", perovskite("Ba", "Ti", "O", 4.0), 0.01),
]
FORMULAS = {item.name: Formula(item.crystal.formula) for item in KNOWN}
ROCK_SALT = "AB_cF8_225_a_b"


def build_library(path: Path, known: list[Known]) -> Library:
    write_library(iter(known), path, {"source": "textbooks"})
    return Library.load([path])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "own.nlib"
    build_library(path, KNOWN)
    return path


@pytest.fixture
def library(path: Path) -> Library:
    return Library.load([path])


def space_of(formula: str, **options) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), **{"max_atoms": 12, **options})


def references(library: Library, formula: str, known: str, **options) -> set[str]:
    """Return the known compounds that candidates without and with derivation are made of."""
    generator = PrototypesGenerator(space_of(formula), library, known=known, **options)
    assert all(member.detail["known"] == known for member in generator.members)
    return {str(member.detail["reference"]) for member in generator.members}


def shares_all_but_one(name: str, target: Formula) -> bool:
    return len(set(FORMULAS[name]) & set(target)) >= len(target) - 1


ALLOWED: dict[str, Callable[[str, Formula], bool]] = {
    "all": lambda *_: True,
    "no-formula": lambda name, target: FORMULAS[name].reduced_formula != target.reduced_formula,
    "no-relatives": lambda name, target: not shares_all_but_one(name, target),
    "off": lambda *_: False,
}


@pytest.mark.parametrize("known", ALLOWED)
@pytest.mark.parametrize("formula", ["MgO", "KCl", "SrTiO3", "TiO2", "CaTiO3", "CaS", "MgF2"])
def test_what_is_held_out_is_never_a_reference(library, formula: str, known: str) -> None:
    target = Formula(formula)
    used = references(library, formula, known)
    allowed = {name for name in FORMULAS if ALLOWED[known](name, target)}
    assert used <= allowed
    same_counts = {
        name
        for name in allowed
        if sorted(FORMULAS[name].values()) == sorted(target.values())
        and FORMULAS[name].num_atoms == target.num_atoms
    }
    assert bool(used) >= bool(same_counts), "what is left is used"


def test_each_hold_out_leaves_what_the_wider_one_leaves(library: Library) -> None:
    found = {known: references(library, "MgO", known) for known in ALLOWED}
    assert "mgo" in found["all"]
    assert "mgs" in found["no-formula"]
    assert {"kcl", "nacl"} & found["no-relatives"]
    assert found["no-relatives"].isdisjoint({"mgo", "mgo-b2", "mgs", "cao", "zno"})
    assert found["off"] == set()


def test_types_of_the_target_are_held_out_by_its_own_entries_or_by_name(library: Library) -> None:
    own = references(library, "MgO", "no-prototype")
    assert own.isdisjoint({"mgo", "nacl", "kcl", "cao", "mgs", "cscl", "mgo-b2"}), "both its types"
    assert own <= {"zns", "zno", "tio2", "mgf2", "caf2", "srtio3", "batio3"}
    named = references(library, "CaS", "no-prototype", prototypes=frozenset({ROCK_SALT}))
    assert named.isdisjoint({"mgo", "nacl", "kcl", "cao", "mgs"})
    assert {"cscl", "mgo-b2"} & named
    free = references(library, "CaS", "no-prototype")
    assert {"cao", "mgs"} & free, "nothing is known of CaS, so that no type is its own"


def test_a_known_compound_itself_is_first_and_has_its_own_volume(library: Library) -> None:
    first = PrototypesGenerator(space_of("KCl"), library).members[0]
    assert first.detail["reference"] == "kcl"
    known = KNOWN[4].crystal
    assert first.crystal.volume == pytest.approx(known.volume, rel=1e-3)
    assert StructureMatcher().fit(first.crystal.to_pymatgen(), known.to_pymatgen())


@pytest.mark.parametrize("formula", ["MgO", "CaS", "CaTiO3", "ZnF2", "MgZn2F6"])
def test_fewer_are_the_first_of_more_and_of_any_order_of_the_files(
    tmp_path: Path, library: Library, formula: str
) -> None:
    space = space_of(formula, max_atoms=18)
    many = PrototypesGenerator(space, library, most=40).members
    assert many
    for most in (1, 2, 7):
        few = PrototypesGenerator(space, library, most=most).members
        assert [m.detail for m in few] == [m.detail for m in many[:most]]
        for ours, theirs in zip(few, many, strict=False):
            assert ours.crystal == theirs.crystal
    turned = build_library(tmp_path / "turned.nlib", KNOWN[::-1])
    again = PrototypesGenerator(space, turned, most=40).members
    assert [m.detail for m in again] == [m.detail for m in many]


@pytest.mark.parametrize("formula", ["MgO", "CaS", "CaTiO3", "ZnF2"])
def test_candidates_are_distinct_allowed_and_in_order(library: Library, formula: str) -> None:
    space = space_of(formula)
    members = PrototypesGenerator(space, library).members
    assert members
    assert [m.detail["rank"] for m in members] == list(range(1, len(members) + 1))
    for member in members:
        assert space.rejection(member.crystal, check_volume=False) is None
        units = member.detail["formula_units"]
        assert space.composition.formula_units_of(member.crystal.numbers) == units
        assert 0.0 < float(member.detail["weight"]) <= 1.0
        assert str(member.detail["reference"]) in FORMULAS
    strict = StructureMatcher(scale=False, ltol=0.01, stol=0.01, angle_tol=0.5)
    structures = [member.crystal.to_pymatgen() for member in members]
    for k, structure in enumerate(structures):
        assert not any(strict.fit(structure, other) for other in structures[:k])


def test_nothing_is_made_before_the_first_question(library: Library, monkeypatch) -> None:
    made: list[dict] = []
    whole = library.candidates
    monkeypatch.setattr(
        library,
        "candidates",
        lambda *args, **options: made.append(options) or whole(*args, **options),
    )
    first, second = (PrototypesGenerator(space_of("MgO"), library, most=9) for _ in range(2))
    assert made == []
    assert first.leads
    assert len(made) == 1
    assert first.prepare() == 0.0
    for _ in range(3):
        assert first.generate(rng=np.random.default_rng(0)) is not None
    assert len(made) == 1, "made once, however often it is asked for"
    assert made[0]["most"] == 9
    second.note(Origin("blocks", detail={"order": 0}))
    assert len(made) == 1, "candidates of others are no reason to make any"
    second.note(Origin("prototypes", detail={"order": 0}))
    assert len(made) == 2
    assert second.generate(rng=np.random.default_rng(0)).origin.detail["order"] == 1


@pytest.mark.parametrize("limit", [1, 2, None])
def test_small_cells_are_given_where_small_ones_are_asked_for(library: Library, limit) -> None:
    generator = PrototypesGenerator(space_of("ZnF2", max_atoms=24), library, known="no-formula")
    units = []
    while (
        c := generator.generate(rng=np.random.default_rng(1), max_formula_units=limit)
    ) is not None:
        units.append(c.crystal.n_atoms // 3)
        generator.note(c.origin)
    every = [m.crystal.n_atoms // 3 for m in generator.members]
    assert {1, 2} <= set(every)
    assert units == [n for n in every if limit is None or n <= limit]


def test_an_unknown_word_is_refused_before_any_search(library: Library) -> None:
    with pytest.raises(InputError, match=r"known = 'half' is not one of 'all', 'no-formula'"):
        PrototypesGenerator(space_of("MgO"), library, known="half")


def test_missing_elements_are_told_in_chemical_words(library: Library) -> None:
    told: list[str] = []
    generator = PrototypesGenerator(space_of("PuXe"), library, warn=told.append)
    assert told == [], "nothing is said before it is asked for"
    assert generator.members == ()
    assert not generator.leads
    assert told == ["no known structure has Xe, Pu. The other generators serve alone."]


def test_a_composition_without_any_known_type_is_told(library: Library) -> None:
    told: list[str] = []
    space = space_of("Ca3MgO7")
    assert PrototypesGenerator(space, library, known="off", warn=told.append).members == ()
    assert told == []
    assert PrototypesGenerator(space, library, warn=told.append).members == ()
    (message,) = told
    assert message.startswith("no known structure type gives Ca3MgO7 within the limits")


@pytest.mark.parametrize("member", ["points.npy", "cells.npy"])
def test_a_library_that_is_damaged_inside_is_told_and_gives_nothing(
    tmp_path: Path, path: Path, member: str
) -> None:
    damaged = tmp_path / "damaged.nlib"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(damaged, "w") as copy:
        assert json.loads(whole.read("library.json"))
        assert member in whole.namelist()
        for name in whole.namelist():
            raw = whole.read(name)
            copy.writestr(name, raw[: len(raw) // 2] if name == member else raw)
    told: list[str] = []
    generator = PrototypesGenerator(space_of("CaS"), Library.load([damaged]), warn=told.append)
    assert generator.generate(rng=np.random.default_rng(0)) is None
    assert not generator.leads
    (message,) = told
    assert "damaged.nlib" in message
    assert message.endswith("The other generators serve alone.")
