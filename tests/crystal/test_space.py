from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import nearest_neighbour_distances
from nucleate.crystal.files import read_crystals
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from strategies import in_another_cell, spread_crystals, supercell, unimodular

PEROVSKITE = Composition.from_formula("SrTiO3")


def perovskite(edge: float = 3.905) -> Crystal:
    points = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Crystal(np.array([38, 22, 8, 8, 8]), np.eye(3) * edge, np.array(points))


def space_of(crystal: Crystal, **options: float) -> SearchSpace:
    composition = Composition.from_numbers(crystal.numbers)
    return SearchSpace.create(composition, max_atoms=crystal.n_atoms, **options)  # type: ignore[arg-type]


def test_sizes_by_default() -> None:
    space = SearchSpace.create(PEROVSKITE)
    assert space.max_atoms == 50
    assert space.formula_units == tuple(range(1, 11))
    large = Composition.from_formula("Si6Al6B3Fe3NaO30F2")
    assert SearchSpace.create(large).max_atoms == 51
    assert SearchSpace.create(PEROVSKITE, formula_units=[4, 2, 2]).max_atoms == 20


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_atoms": 4}, "max_atoms = 4 .*at least 5"),
        ({"max_atoms": 20, "formula_units": [2, 8]}, "8 formula units .* 40 atoms.*max_atoms"),
        ({"formula_units": []}, "formula_units"),
        ({"formula_units": [0, 1]}, "formula_units"),
        ({"formula_units": [1.5]}, "formula_units"),
        ({"volume_window": (2.0, 1.0)}, "volume_window"),
        ({"volume_window": (-1.0, 1.0)}, "volume_window"),
        ({"contact_scale": 0.0}, "contact_scale = 0"),
        ({"isolated_cutoff": -1.0}, "isolated_cutoff"),
        ({"vacancy_spacing": 0.0}, "vacancy_spacing"),
        ({"pair_distances": {"O-F": 2.0}}, "'O-F' is not a pair of the elements Sr, Ti, O"),
        ({"pair_distances": {"OO": 2.0}}, "'OO' is not a pair"),
        ({"pair_distances": {"O-O": -2.0}}, "O-O = -2.0"),
    ],
)
def test_bad_limits_are_named(options: dict[str, object], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        SearchSpace.create(PEROVSKITE, **options)  # type: ignore[arg-type]


def test_reasons() -> None:
    good = perovskite()
    space = SearchSpace.create(PEROVSKITE, max_atoms=10)
    assert space.rejection(good) is None
    nan = good.scaled.copy()
    nan[0, 0] = np.nan
    coincident = good.scaled.copy()
    coincident[2] = coincident[3]
    cases = {
        "not-finite": good.replace(scaled=nan),
        "flat-cell": good.replace(cell=np.diag([4.0, 4.0, 0.0])),
        "composition": good.replace(numbers=np.array([38, 22, 8, 8, 9])),
        "too-many-atoms": supercell(good, (3, 1, 1)),
        "volume": perovskite(8.0),
        "contact": good.replace(scaled=coincident),
    }
    for reason, crystal in cases.items():
        assert space.rejection(crystal) == reason
    assert space.rejection(good.replace(cell=np.eye(3) * np.nan)) == "not-finite"
    assert space.rejection(perovskite(2.0)) == "volume"
    assert space.rejection(perovskite(2.0), check_volume=False) == "contact"


def test_isolated_atoms_are_refused() -> None:
    argon = Crystal(np.array([18]), np.eye(3) * 6.5, np.zeros((1, 3)))
    assert space_of(argon).rejection(argon, check_volume=False) == "isolated-atom"
    assert space_of(argon, isolated_cutoff=7.0).rejection(argon, check_volume=False) is None


def test_a_smaller_cell_of_an_allowed_one_is_allowed() -> None:
    space = SearchSpace.create(PEROVSKITE, formula_units=[4])
    assert space.rejection(perovskite()) is None
    assert space.rejection(supercell(perovskite(), (2, 1, 1))) is None
    assert space.rejection(supercell(perovskite(), (3, 1, 1))) == "formula-units"


def test_least_distances_can_be_set() -> None:
    plain = SearchSpace.create(PEROVSKITE)
    space = SearchSpace.create(PEROVSKITE, contact_scale=0.9, pair_distances={"O-O": 3.0})
    assert space.min_distances[22, 8] == pytest.approx(0.9 * plain.min_distances[8, 22])
    assert space.min_distances[8, 8] == 3.0
    assert plain.rejection(perovskite()) is None
    assert space.rejection(perovskite()) == "contact"
    with pytest.raises(ValueError, match="read-only"):
        space.min_distances[8, 8] = 0.0


def test_distances_that_no_packing_keeps_are_refused() -> None:
    titania = Composition.from_formula("TiO2")
    with pytest.raises(InputError, match=r"O-O = 9 Å cannot be kept .* O atoms are"):
        SearchSpace.create(titania, max_atoms=12, pair_distances={"O-O": 9.0})
    iron = Composition.from_formula("Fe")
    largest = SearchSpace.create(iron).volume_bounds[1]
    face_centred = bulk("Fe", "fcc", a=(4.0 * largest) ** (1.0 / 3.0) * (1.0 - 1e-9))
    crystal = Crystal.from_ase(face_centred)
    closest = float(nearest_neighbour_distances(crystal).min())
    space = SearchSpace.create(iron, pair_distances={"Fe-Fe": closest * (1.0 - 1e-9)})
    assert space.rejection(crystal) is None, "the closest packing itself is allowed"
    with pytest.raises(InputError, match="closest packing"):
        SearchSpace.create(iron, pair_distances={"Fe-Fe": closest * 1.001})


def test_a_space_can_be_sent_to_another_process() -> None:
    space = pickle.loads(pickle.dumps(SearchSpace.create(PEROVSKITE)))
    assert space.rejection(perovskite()) is None


@settings(max_examples=100)
@given(spread_crystals(max_atoms=6, volume_per_atom=25.0), unimodular(), st.permutations(range(3)))
def test_verdict_does_not_depend_on_the_cell(
    crystal: Crystal, change: np.ndarray, order: list[int]
) -> None:
    space = space_of(supercell(crystal, (2, 2, 1)), contact_scale=0.7)
    verdict = space.rejection(crystal)
    repeats = tuple(int(n) for n in np.array([2, 2, 1])[order])
    assert space.rejection(crystal.wrapped()) == verdict
    assert space.rejection(in_another_cell(crystal, change)) == verdict
    assert space.rejection(supercell(crystal, repeats)) == verdict  # type: ignore[arg-type]


def test_published_structures_and_targets_pass(shared_data: Path) -> None:
    paths = [*shared_data.glob("fuse2_paper_structures/*.cif"), *shared_data.glob("targets/*.cif")]
    assert len(paths) >= 46 + 8
    rejected = {}
    for path in paths:
        ((name, crystal),) = read_crystals(path)
        reason = space_of(crystal).rejection(crystal)
        if reason is not None:
            rejected[name] = reason
    assert rejected == {}


def test_known_structures_pass(shared_data: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = shared_data / "mp_structures.parquet"
    if not path.exists():
        pytest.skip("no table of structures")
    names = ["lattice", "species", "frac_coords"]
    rows = parquet.read_table(path, columns=names, filters=[("split", "=", "val")]).to_pydict()
    verdicts = []
    for cell, species, points in list(zip(*(rows[name] for name in names), strict=True))[::5]:
        crystal = Crystal(species, np.reshape(cell, (3, 3)), np.reshape(points, (-1, 3)))
        space = space_of(crystal)
        filling = crystal.volume_per_atom / space.composition.volume_per_atom
        nearest = nearest_neighbour_distances(crystal)
        if filling < 2.5 and nearest.min() > 0.7 and nearest.max() <= 6.0:
            verdicts.append(space.rejection(crystal))  # the others are wires in vacuum, or broken
    assert len(verdicts) > 950
    assert verdicts.count(None) >= 0.995 * len(verdicts)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_atoms": 10**9}, "max_atoms = 1000000000"),
        ({"formula_units": range(1, 10**9)}, "formula_units"),
        ({"formula_units": [10**9]}, "formula_units"),
        ({"formula_units": [10_000]}, "max_atoms = 20000"),
        ({"volume_window": (0.5, float("inf"))}, "volume_window"),
        ({"volume_window": (float("nan"), 2.0)}, "volume_window"),
        ({"contact_scale": float("nan")}, "contact_scale"),
    ],
)
def test_sizes_are_bounded(options: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        SearchSpace.create(Composition.from_formula("NaCl"), **options)
