"""Occupied sites that are given, and parts of crystals that are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.generate.build import build_generators, named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.wyckoff import sites

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from nucleate.generate.wyckoff_language.assignments import AssignmentSearch
from nucleate.generate.wyckoff_language.checkpoint import load_language
from nucleate.generate.wyckoff_language.held import Held, held_of
from nucleate.generate.wyckoff_language.kept import KeptImages
from nucleate.generate.wyckoff_language.places import PlaceWriter

FRAME = Crystal(  # TiO3 of a perovskite
    np.array([22, 8, 8, 8]),
    3.95 * np.eye(3),
    np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
)


def _space(
    formula: str = "SrTiO3", groups: list[int] | None = None, atoms: int = 10
) -> SearchSpace:
    composition = Composition.from_formula(formula)
    return SearchSpace.create(composition, max_atoms=atoms, space_groups=groups)


def _oxygen_of_rutile(shift: float) -> Atoms:
    from ase.spacegroup import crystal as of_group

    atoms = of_group(
        ["Ti", "O"],
        [(0, 0, 0), (0.305, 0.305, 0)],
        spacegroup=136,
        cellpar=[4.594, 4.594, 2.959, 90, 90, 90],
    )
    atoms.positions += [0, 0, shift * 2.959]
    return atoms[atoms.numbers == 8]


def _members(path: Path, space: SearchSpace, **keys: object):
    made = named("wyckoff-language", checkpoint=str(path), number=8, **keys)
    return made.build(GeneratorContext(space)).members


@pytest.mark.parametrize(
    ("group", "counts", "letters"),
    [
        (47, (2, 4), {8: "ab"}),
        (2, (2, 3), {22: "ah"}),
        (221, (1, 1, 3), {8: "d"}),
        (99, (1, 3), {8: "c"}),
    ],
)
def test_with_given_sites_all_that_fits_is_found_and_nothing_else(
    small_language: Path, group: int, counts: tuple[int, ...], letters: dict[int, str]
) -> None:
    numbers = np.array([38, 22, 8] if len(counts) == 3 else [22, 8])
    network = load_language(small_language).network()

    def found(held: Held | None) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
        search = AssignmentSearch(
            network, numbers, np.array(counts), 2.8, groups=[group], held=held
        )
        search._merged = lambda finished: finished  # every description counts
        return {(item.kinds, item.positions) for item in search.likely(5000, width=5000)}

    names = [site.letter for site in sites(group)]
    wanted = [
        (kinds, places)
        for kinds, places in found(None)
        if all(
            "".join(names[p] for k, p in zip(kinds, places, strict=True) if numbers[k] == z) == word
            for z, word in letters.items()
        )
    ]
    assert found(Held(letters)) == set(wanted)


def test_given_sites_are_occupied(small_language: Path) -> None:
    members = _members(small_language, _space(groups=[221]), sites={"Sr": "b", "O": "d"})
    assert {m.detail["wyckoff"] for m in members} == {"Sr b, Ti a, O d"}


@pytest.mark.parametrize("sites", [{"Sr": "b", "O": "d"}, {}])
def test_what_is_given_is_in_every_candidate(small_language: Path, sites: dict[str, str]) -> None:
    """No other generator completes what must hold given sites."""
    made = named("wyckoff-language", checkpoint=str(small_language), number=4, sites=sites)
    mix = build_generators([made], GeneratorContext(_space(groups=[221])))
    names = [generator.name for generator in mix.generators]
    assert names == ["wyckoff-language"] + ([] if sites else ["symmetric"])


def test_a_given_orbit_has_its_likelihood(small_language: Path) -> None:
    """Groups in which given letters are unlikely come after those in which they are likely."""
    network = load_language(small_language).network()
    numbers, counts = np.array([8, 38, 22]), np.array([3, 1, 1])
    free = AssignmentSearch(network, numbers, counts, 2.8, groups=[221])
    free._merged = lambda finished: finished
    given = AssignmentSearch(network, numbers, counts, 2.8, groups=[221], held=Held({8: "d"}))
    given._merged = lambda finished: finished
    logs = {item.positions: item.log for item in free.likely(500, width=500)}
    found = given.likely(500, width=500)
    assert found
    for item in found:
        assert item.log == pytest.approx(logs[item.positions], abs=1e-5)


def test_a_part_is_kept_with_its_cell_and_places(small_language: Path, tmp_path: Path) -> None:
    FRAME.to_ase().write(tmp_path / "frame.cif")
    members = _members(small_language, _space(atoms=5), keep=str(tmp_path / "frame.cif"))
    assert members
    for member in members:
        assert member.detail["space_group_number"] == 221
        crystal = member.crystal
        assert crystal.volume == pytest.approx(FRAME.volume, rel=1e-5)
        kept = crystal.numbers != 38
        part = Crystal(crystal.numbers[kept], crystal.cell, crystal.scaled[kept])
        assert space_group(part, 1e-3)[0] == 221
        lengths = np.sort(part.to_ase().get_all_distances(mic=True).ravel())
        expected = np.sort(FRAME.to_ase().get_all_distances(mic=True).ravel())
        np.testing.assert_allclose(lengths, expected, atol=1e-4)


@pytest.mark.parametrize("missing", ["Li", "Nb"])
def test_a_part_of_a_polar_crystal_is_kept(
    small_language: Path, tmp_path: Path, missing: str
) -> None:
    """In R3c the first orbit is the origin along c, and here it may be the one that is written."""
    from ase.spacegroup import crystal as of_group

    frame = of_group(
        ["Li", "Nb", "O"],
        [(0, 0, 0.2787), (0, 0, 0), (0.0492, 0.3446, 0.0647)],
        spacegroup=161,
        cellpar=[5.148, 5.148, 13.863, 90, 90, 120],
        primitive_cell=True,
    )
    frame = frame[[atom.symbol != missing for atom in frame]]
    frame.write(tmp_path / "frame.cif")
    space = _space("LiNbO3")
    members = _members(small_language, space, keep=str(tmp_path / "frame.cif"))
    assert members
    expected = np.sort(frame.get_all_distances(mic=True).ravel())
    for member in members:
        atoms = member.crystal.to_ase()
        part = atoms[[atom.symbol != missing for atom in atoms]]
        found = np.sort(part.get_all_distances(mic=True).ravel())
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_another_origin_beside_a_kept_part_is_another_crystal(
    small_language: Path, tmp_path: Path
) -> None:
    frame = Crystal(
        np.array([8, 8]),
        np.array([[4.1, 0.0, 0.0], [0.3, 4.6, 0.0], [0.4, 0.5, 5.1]]),
        np.array([[0.21, 0.33, 0.14], [0.79, 0.67, 0.86]]),
    )
    frame.to_ase().write(tmp_path / "frame.cif")
    language = load_language(small_language)
    space = _space("TiO2", atoms=3)
    held = held_of(space, {}, str(tmp_path / "frame.cif"))
    assert held is not None
    network, numbers, counts = language.network(), np.array([8, 22]), np.array([2, 1])
    assert held.order(np.array([22, 8])).tolist() == [1, 0]
    [found] = AssignmentSearch(network, numbers, counts, 2.8, held=held).likely(50)
    writer = PlaceWriter(network, numbers, counts, np.full((2, 2), 0.1), held=held)
    placed = KeptImages(held.images).placed([found], writer)
    assert len(placed) == 8  # Ti on each of the eight centres of inversion


def test_descriptions_that_are_one_crystal_are_added(small_language: Path, tmp_path: Path) -> None:
    """The oxygen of rutile has four descriptions, and Ti between them makes two crystals."""
    _oxygen_of_rutile(0.0).write(tmp_path / "frame.cif")
    held = held_of(_space("TiO2", atoms=6), {}, str(tmp_path / "frame.cif"))
    assert held is not None
    network = load_language(small_language).network()
    numbers, counts = np.array([8, 22]), np.array([4, 2])
    writer = PlaceWriter(network, numbers, counts, np.full((2, 2), 0.1), held=held)
    search = AssignmentSearch(network, numbers, counts, 2.8, groups=[136], held=held)
    fixed = [item for item in search.likely(50) if item.positions == (5, 0)]
    every = [replace(fixed[0], image=k) for k in range(len(held.images))]
    placed = KeptImages(held.images).placed(fixed, writer)
    assert len(placed) == 2
    total = np.logaddexp.reduce(writer.log_given(every))
    assert np.logaddexp.reduce([log for log, _ in placed]) == pytest.approx(total)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_what_is_kept_is_read_before_the_rest(tmp_path: Path, shift: float) -> None:
    """Wherever the origin of the file is, titanium goes into the octahedra of rutile."""
    frame = _oxygen_of_rutile(shift)
    frame.write(tmp_path / "frame.cif")
    space = _space("TiO2", groups=[136], atoms=6)
    made = named("wyckoff-language", number=4, keep=str(tmp_path / "frame.cif"))
    first = made.build(GeneratorContext(space)).members[0]
    assert first.detail["wyckoff"] == "Ti a, O f"
    atoms = first.crystal.to_ase()
    lengths = atoms.get_distances(int(np.argmax(atoms.numbers)), list(range(6)), mic=True)
    assert sorted(lengths)[1:] == pytest.approx([1.946, 1.946, 1.984, 1.984, 3.569], abs=0.05)


def test_a_part_with_free_coordinates_is_kept(small_language: Path, tmp_path: Path) -> None:
    from ase.spacegroup import crystal as of_group

    frame = of_group(
        ["Fe", "As"],
        [(0.75, 0.25, 0), (0.25, 0.25, 0.2371)],
        spacegroup=129,
        setting=2,
        cellpar=[3.77, 3.77, 6.36, 90, 90, 90],
    )
    frame.write(tmp_path / "layers.cif")
    members = _members(small_language, _space("LiFeAs", atoms=6), keep=str(tmp_path / "layers.cif"))
    assert members
    expected = np.sort(frame.get_all_distances(mic=True).ravel())
    for member in members:
        assert member.detail["space_group_number"] == 129
        assert member.detail["log_density"] < 100.0
        atoms = member.crystal.to_ase()
        part = atoms[[a.symbol != "Li" for a in atoms]]
        found = np.sort(part.get_all_distances(mic=True).ravel())
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("keys", "groups", "word"),
    [
        ({"sites": {"Sr": "a"}}, None, "space_groups"),
        ({"sites": {"Xx": "a"}}, [221], "no element"),
        ({"sites": {"Sr": ""}}, [221], "no list of Wyckoff letters"),
        ({"sites": {"Sr": "z"}}, [221], "no allowed number of formula units"),
        ({"sites": {"Sr": "a", "Ti": "a"}}, [221], "no allowed number of formula units"),
        ({"keep": "frame.cif"}, [62], "leaves out"),
        ({"keep": "frame.cif", "sites": {"O": "c"}}, None, "already"),
        ({"keep": "none.cif"}, None, "none.cif"),
        ({"keep": "other.cif"}, None, "has Ba"),
    ],
)
def test_what_cannot_be_given_is_refused_with_a_sentence(
    small_language: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, object],
    groups: list[int] | None,
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    FRAME.to_ase().write("frame.cif")
    FRAME.replace(numbers=np.array([56, 8, 8, 8])).to_ase().write("other.cif")
    with pytest.raises(InputError, match=word):
        _members(small_language, _space(groups=groups), **keys)
