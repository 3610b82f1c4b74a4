from __future__ import annotations

import time

import numpy as np
import pytest
from ase import Atoms
from tests.library.conftest import KNOWN, perovskite, quartz, rocksalt, rutile, trirutile

from nucleate.crystal.candidate import Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.prototypes import PrototypesGenerator
from nucleate.library.assignments import all_assignments, best_assignments, n_assignments
from nucleate.library.build import write_library
from nucleate.library.entries import Known
from nucleate.library.hold_out import HoldOut
from nucleate.library.library import Library
from nucleate.library.ranking import rank


def space_of(formula: str, **options) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), **options)


def names(library: Library, formula: str, **options) -> set[str]:
    space = space_of(formula)
    found = library.candidates(space.composition, space, derived=False, **options)
    return {proposal.detail["reference"] for proposal in found}


def test_calcium_oxide_is_rocksalt(small: Library) -> None:
    space = space_of("CaO")
    best = small.candidates(space.composition, space)[0]
    assert best.detail["prototype"] == "AB_cF8_225_a_b"
    assert best.crystal.n_atoms == 2
    expected = rocksalt("CaO", 4.81)
    assert best.crystal.volume / expected.volume == pytest.approx(1.0, abs=0.2)
    scaled = expected.replace(
        cell=expected.cell * (best.crystal.volume / expected.volume) ** (1 / 3)
    )
    assert fingerprint_distance(fingerprint(best.crystal), fingerprint(scaled)) < 1e-3


def test_all_colourings_of_a_perovskite_are_offered(small: Library) -> None:
    space = space_of("CaZrO3", contact_scale=0.5)
    found = small.candidates(space.composition, space, derived=False)
    first = [p for p in found if p.detail["prototype"] == "ABC3_cP5_221_a_b_c"]
    assert len(first) == 2  # Ca and Zr may change places, O may not
    assert sum(p.detail["weight"] for p in found) == pytest.approx(1.0, abs=0.2)


def test_votes_add_up(small: Library) -> None:
    composition = Composition.from_formula("CaZrO3")
    found = rank(small, composition.elements, [1, 1, 3], HoldOut.of("all", composition))
    assert sum(item.weight for item in found) == pytest.approx(1.0)
    assert [item.weight for item in found] == sorted((i.weight for i in found), reverse=True)


def test_exchange_by_another_origin_is_one_candidate(small: Library) -> None:
    composition = Composition.from_formula("CaO")
    found = rank(small, composition.elements, [1, 1], HoldOut.of("all", composition))
    labels = [item.proto.label for item in found]
    assert labels.count("AB_cF8_225_a_b") == 1
    assert labels.count("AB_cP2_221_a_b") == 1


def test_hold_outs(small: Library) -> None:
    assert names(small, "MgO") == {"t-1", "t-2", "t-3", "t-4", "t-5"} & names(small, "MgO")
    assert "t-3" in names(small, "MgO", known="all")
    assert "t-3" not in names(small, "MgO", known="no-formula")
    assert names(small, "MgO", known="no-formula")
    assert names(small, "MgO", known="off") == set()
    # rocksalt, of which MgO itself is, is out; caesium chloride stays
    assert names(small, "MgO", known="no-prototype") == {"t-4"} or names(
        small, "MgO", known="no-prototype"
    ) == {"t-5"}
    with pytest.raises(InputError, match="'most' is not one of"):
        names(small, "MgO", known="most")


def test_a_mirror_image_is_of_the_prototype_that_is_held_out(tmp_path) -> None:
    path = tmp_path / "quartz.nlib"
    known = Known("q-1", quartz("Ge", "O", 4.99, 5.65)), Known("r-1", rutile("Sn", "O", 4.7, 3.2))
    write_library(iter(known), path, {"source": "textbooks"})
    library = Library.load([path])
    mirrored = quartz().replace(scaled=-quartz().scaled)
    target = library.labels_of(mirrored)
    assert target == {"AB2_hP9_154_a_c"}
    assert names(library, "SiO2", known="no-formula") == {"q-1", "r-1"}
    assert names(library, "SiO2", known="no-prototype", prototypes=target) == {"r-1"}


def test_relatives_share_all_but_one_element(small: Library) -> None:
    composition = Composition.from_formula("BaTiO3")
    hold_out = HoldOut.of("no-relatives", composition)
    elements = np.array([[38, 22, 8], [56, 22, 8], [19, 12, 9], [56, 40, 9]])
    allowed = hold_out.allowed("", (1, 1, 3), elements)
    assert allowed.tolist() == [False, False, True, True]
    # whatever the stoichiometry: TiO2 shares two of three elements with BaTiO3
    assert hold_out.allowed("", (1, 2), np.array([[22, 8], [22, 9]])).tolist() == [False, True]
    formula = HoldOut.of("no-formula", composition)
    assert formula.allowed("", (1, 1, 3), elements).tolist() == [True, False, True, True]
    # the same elements in other amounts are another formula
    assert formula.allowed("", (1, 2, 3), elements).all()


def test_held_out_formula_does_not_leak_through_derived(small: Library) -> None:
    space = space_of("MgO")
    for known in ("no-formula", "no-relatives", "no-prototype"):
        for proposal in small.candidates(space.composition, space, known=known):
            assert proposal.detail["reference_formula"] != "MgO"


def test_candidates_fit_the_space(small: Library) -> None:
    for formula in ("CaO", "CaZrO3", "GeO2", "MgTa2O6", "Ca2TiO4", "Ti3O5"):
        space = space_of(formula, max_atoms=24)
        for proposal in small.candidates(space.composition, space):
            assert space.rejection(proposal.crystal, check_volume=False) is None
    space = space_of("GeO2", formula_units=(1,))
    assert all(p.crystal.n_atoms == 3 for p in small.candidates(space.composition, space))


def test_an_element_that_no_reference_has(small: Library) -> None:
    space = space_of("PuO")
    assert small.candidates(space.composition, space)
    nothing = space_of("Xe7Au5")
    assert small.candidates(nothing.composition, nothing) == []


def test_assignments() -> None:
    assert n_assignments([1, 1, 3, 3, 3]) == 12
    found = all_assignments((1, 1, 3))
    assert found.tolist() == [[0, 1, 2], [1, 0, 2]]
    scores = np.random.default_rng(0).normal(size=(5, 4, 4))
    best = best_assignments([1, 1, 1, 1], scores, 5)
    every = all_assignments((1, 1, 1, 1))
    totals = scores[0][every, np.arange(4)].sum(axis=1)
    assert tuple(every[totals.argmax()]) in {tuple(row) for row in best}


def test_a_formula_with_many_assignments_is_bounded(tmp_path) -> None:
    """Nine elements in equal amounts have 362,880 assignments."""
    metals = ["Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Ti", "Zr", "Hf", "Sc", "Y"]
    rng = np.random.default_rng(1)
    entries = []
    for k in range(60):
        chosen = rng.permutation(metals)[:8]
        atoms = Atoms([*chosen, "O"], scaled_positions=rng.random((9, 3)), cell=[6, 7, 8], pbc=True)
        entries.append(Known(f"r-{k}", Crystal.from_ase(atoms)))
    write_library(iter(entries), tmp_path / "big.nlib", {})
    library = Library.load([tmp_path / "big.nlib"])
    composition = Composition.from_formula("LiNaKMgCaSrTiZrO")
    begin = time.process_time()
    found = rank(library, composition.elements, [1] * 9, HoldOut.of("no-formula", composition))
    assert len(found) == 100
    space = SearchSpace.create(composition, max_atoms=9)
    assert len(library.candidates(composition, space, most=20)) <= 20
    assert time.process_time() - begin < 10.0


def test_prior_weight(small: Library) -> None:
    crystal = perovskite("Ca", "Ti", "O", 3.84)
    weight = small.weight(crystal)
    composition = Composition.from_formula("CaTiO3")
    best = rank(small, composition.elements, [1, 1, 3], HoldOut.of("all", composition))[0]
    assert weight == pytest.approx(best.weight)
    assert weight > 0.5
    swapped = perovskite("Ti", "Ca", "O", 3.84)
    assert small.weight(swapped) < weight
    assert small.weight(crystal, known="off", floor=1e-3) == 1e-3


def test_merge_and_split_finds_trirutile_of_a_supercell(tmp_path) -> None:
    """Zn and Sb share the metal site of a tripled rutile; no AB2C6 prototype is known."""
    tripled = trirutile()
    merged = tripled.replace(numbers=np.where(tripled.numbers == 8, 8, 22))
    rows = [Known("tripled", merged.replace(scaled=merged.scaled + _kick(merged)), 0.0)]
    write_library(iter(rows), tmp_path / "x.nlib", {})
    library = Library.load([tmp_path / "x.nlib"])
    space = space_of("ZnSb2O6")
    found = library.candidates(space.composition, space)
    assert {p.detail["derived"] for p in found} <= {"merge-split", "ordered-supercell"}
    distances = [
        fingerprint_distance(fingerprint(p.crystal), fingerprint(_at(p.crystal, trirutile())))
        for p in found
    ]
    assert min(distances) < 0.15


def _kick(crystal) -> np.ndarray:
    """A displacement along c that keeps trirutile's own symmetry: it makes two metal sites."""
    kick = np.zeros((crystal.n_atoms, 3))
    metal = crystal.numbers == 22
    z = crystal.scaled[:, 2]
    third = metal & (np.abs(((z * 6) % 1) - 0) < 1e-3) & (np.abs((z * 2) % 1) > 1e-3)
    kick[third, 2] = 0.012 * np.sign(0.5 - (z[third] * 2) % 1)
    return kick


def _at(volume_of, crystal):
    factor = (volume_of.volume_per_atom / crystal.volume_per_atom) ** (1 / 3)
    return crystal.replace(cell=crystal.cell * factor)


def test_ordered_supercell_of_rutile(tmp_path) -> None:
    write_library(iter([Known("r", rutile("Ti", "O", 4.6, 2.96), 0.0)]), tmp_path / "x.nlib", {})
    library = Library.load([tmp_path / "x.nlib"])
    space = space_of("CrVO4")
    found = library.candidates(space.composition, space)
    assert found
    assert found[0].detail["derived"] in ("merge-split", "ordered-supercell")
    assert len({p.crystal.n_atoms for p in found}) >= 1


def test_removal_of_an_orbit(tmp_path) -> None:
    """A cubic perovskite without its A site is the ReO3 type."""
    rows = [Known("p", perovskite("Na", "W", "O", 3.85), 0.0)]
    write_library(iter(rows), tmp_path / "x.nlib", {})
    library = Library.load([tmp_path / "x.nlib"])
    space = space_of("WO3")
    best = library.candidates(space.composition, space)[0]
    assert best.detail["derived"] == "removal"
    assert best.crystal.n_atoms == 4
    assert library.identify(best.crystal).label == "AB3_cP4_221_a_d"


def test_insertion_of_an_orbit(tmp_path) -> None:
    """The ReO3 type with an atom in its large void is the cubic perovskite."""
    full = perovskite("Na", "W", "O", 3.85)
    keep = full.numbers != 11
    empty = Crystal(full.numbers[keep], full.cell, full.scaled[keep])
    write_library(iter([Known("r", empty, 0.0)]), tmp_path / "x.nlib", {})
    library = Library.load([tmp_path / "x.nlib"])
    space = space_of("NaWO3")
    found = library.candidates(space.composition, space)
    inserted = [p for p in found if p.detail["derived"] == "insertion"]
    assert inserted[0].crystal.n_atoms == 5
    assert library.identify(inserted[0].crystal).label == "ABC3_cP5_221_a_b_c"


def test_a_skeleton_in_other_colours(tmp_path) -> None:
    """ZnSb2O6 on trirutile gives Zn3O6 skeletons: Zn2SbO6 has the amounts the other way round."""
    write_library(iter([Known("t", trirutile(), 0.0)]), tmp_path / "x.nlib", {})
    library = Library.load([tmp_path / "x.nlib"])
    space = space_of("Zn4SbO4", contact_scale=0.3)
    found = library.candidates(space.composition, space)
    ways = {proposal.detail["derived"] for proposal in found}
    assert "recolouring" in ways
    for proposal in found:
        assert space.composition.formula_units_of(proposal.crystal.numbers) == 2


def test_generator_gives_each_once_and_can_continue(small: Library) -> None:
    space = space_of("SrSnO3")
    rng = np.random.default_rng(0)
    generator = PrototypesGenerator(space, small, known="no-formula", leading=2)
    assert generator.leads
    given = []
    while (candidate := generator.generate(rng=rng)) is not None:
        assert candidate.origin.source == "prototypes"
        assert 0.0 < candidate.origin.detail["weight"] <= 1.0
        assert all(isinstance(v, str | int | float) for v in candidate.origin.detail.values())
        given.append(candidate)
        generator.note(candidate.origin)
        assert generator.leads == (len(given) < 2)
    assert len(given) == len(generator.members)
    again = PrototypesGenerator(space, small, known="no-formula", leading=2)
    again.note(given[0].origin)
    again.note(Origin("move:x", detail={"source": "prototypes", "order": 1}))
    following = again.generate(rng=np.random.default_rng(5))
    assert following is None or following.origin.detail["order"] == 2
    assert not again.leads


def test_generator_without_references_gives_nothing(small: Library) -> None:
    generator = PrototypesGenerator(space_of("MgO"), small, known="off")
    assert not generator.leads
    assert generator.generate(rng=np.random.default_rng(0)) is None
    with pytest.raises(InputError, match="is not one of"):
        PrototypesGenerator(space_of("MgO"), small, known="some")


def test_same_candidates_every_time(library_path) -> None:
    space = space_of("CaZrO3")
    runs = [Library.load([library_path]).candidates(space.composition, space) for _ in range(2)]
    for first, second in zip(*runs, strict=True):
        assert first.detail == second.detail
        assert np.array_equal(first.crystal.scaled, second.crystal.scaled)
    assert len(KNOWN) == 13


@pytest.mark.parametrize("formula", ["CaO", "CaZrO3", "GeO2", "MgTa2O6", "Ti3O5"])
def test_fewer_candidates_are_the_first_of_more(small: Library, formula: str) -> None:
    space = space_of(formula)
    many = small.candidates(space.composition, space, most=60)
    for most in (1, 5, 20):
        few = small.candidates(space.composition, space, most=most)
        assert [p.detail for p in few] == [p.detail for p in many[:most]]
