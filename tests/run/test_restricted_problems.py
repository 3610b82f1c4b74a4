"""Problems restricted to space groups, minimum distances or a motif: in generators and moves."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list

from nucleate.api import inputs, status_of
from nucleate.api.models import inline_executor
from nucleate.crystal.composition import Composition
from nucleate.crystal.motif import Motif
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.generate.build import build_generators, named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.moves.move import MoveContext
from nucleate.renamed import RenamedKeyWarning
from nucleate.run.folder import check_same_input, check_same_run, description, stored_input
from nucleate.run.predict import build_search, predict
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store


def settings_of(problem, *, relax=True, **search):
    return RunSettings.from_dict(
        {
            "problem": problem,
            "search": {"known": "off", "population": 4, "new_fraction": 0.3, **search},
            "stop": {"structures": 25},
            "tier": [
                {"engine": {"kind": "spp"}, **({"max_steps": 30} if relax else {"relax": False})}
            ],
            "final": {"best": 0},
        }
    )


def records_of(settings, folder):
    predict(settings, folder, executor=partial(inline_executor, pressure_gpa=0.0))
    with Store.read(folder) as store:
        return [record for record, _ in store.records()]


@pytest.fixture
def carbonate(tmp_path):
    """A planar ion with C-O of 1.29 Å."""
    turns = np.deg2rad([0, 120, 240])
    places = [[0, 0, 0], *([1.29 * np.cos(t), 1.29 * np.sin(t), 0] for t in turns)]
    Atoms("CO3", places).write(tmp_path / "co3.xyz")
    return str(tmp_path / "co3.xyz")


def group_number(crystal):
    found = spglib.get_symmetry_dataset(
        (crystal.cell, crystal.scaled, crystal.numbers), symprec=0.1
    )
    return found.number


def test_starts_and_children_are_in_the_space_groups(tmp_path):
    wanted = {62, *range(195, 231)}
    settings = settings_of({"formula": "CaTiO3", "max_atoms": 20, "space_groups": [62, "195-230"]})
    records = records_of(settings, tmp_path)
    children = [r for r in records if r.candidate.origin.parents and "renew" not in
                r.candidate.origin.source]  # fmt: skip
    assert len(children) >= 3
    assert {group_number(record.candidate.crystal) for record in children} <= wanted
    for record in records:
        if record.candidate.origin.source == "symmetric":
            assert record.candidate.origin.detail["space_group_number"] in wanted


@pytest.mark.parametrize("restriction", ["space_groups", "motif"])
def test_evolution_has_children_where_the_space_is_restricted(restriction, carbonate, tmp_path):
    if restriction == "motif":
        problem = {"formula": "CaCO3", "max_atoms": 10, "motif": carbonate}
    else:
        problem = {"formula": "SrTiO3", "max_atoms": 10, "space_groups": ["75-142", "195-230"]}
    settings = settings_of(problem, relax=False, kind="evolution", population=6)
    records = records_of(settings, tmp_path / "run")
    (note,) = build_search(settings).notes(1)
    assert f"with problem.{restriction}, children are made by" in note
    assert note in status_of(tmp_path / "run")["notes"]
    children = [r for r in records if r.candidate.origin.source.startswith("move:")]
    assert len(children) >= 5
    space = MoveContext(settings.problem.space(), lambda *_: None)
    assert {space.rejection(record.candidate.crystal) for record in children} == {None}


def test_operators_that_a_restriction_makes_useless_are_spoken_of():
    problem = {"formula": "SrTiO3", "space_groups": ["195-230"]}
    own = {"heredity": 1.0, "strain": 0.0}
    search = build_search(settings_of(problem, kind="evolution", operators=own))
    (note,) = search.notes(1)
    assert note.startswith(
        "search.operators: with problem.space_groups, hardly a child of heredity"
    )
    assert "act-in-subgroup 1" in note
    assert build_search(settings_of({"formula": "SrTiO3"}, kind="evolution")).notes(1) == []
    with_all = {"formula": "SrTiO3", "space_groups": ["1-230"]}
    assert build_search(settings_of(with_all, kind="evolution")).notes(1) == []


@pytest.mark.parametrize("moves", ["fuse2", {"swap-two-atoms": 3.0}])
@pytest.mark.parametrize("kind", ["lowest-minima", "basin-hopping"])
def test_moves_that_a_restriction_makes_useless_are_spoken_of(kind, moves):
    problem = {"formula": "SrTiO3", "space_groups": [62]}
    own = {"kind": kind, "population": 9}
    (note,) = build_search(settings_of(problem, **own, moves=moves)).notes(1)
    assert note.startswith("search.moves: with problem.space_groups, hardly a child of swap-two")
    assert note.endswith("Give them weight 0, or use search.moves = 'symmetric'.")
    assert build_search(settings_of(problem, **own)).notes(1) == []
    free = {"formula": "SrTiO3", "space_groups": [1, 62]}
    assert build_search(settings_of(free, **own, moves=moves)).notes(1) == []


def test_random_crystals_have_the_space_groups_at_the_tolerance_of_children():
    wanted = {62, 140, 167, 221}
    space = SearchSpace.create(
        Composition.from_formula("SrTiO3"), max_atoms=20, space_groups=wanted
    )
    generator = SymmetricGenerator(space)
    drawn = [generator.generate(rng=np.random.default_rng(seed)) for seed in range(150)]
    found = {space_group(item.crystal, 0.1)[0] for item in drawn if item is not None}
    assert found <= wanted
    assert len(found) > 1


@pytest.mark.parametrize(
    ("kind", "problem", "message"),
    [
        ("swarm", {"motif": "CO3"}, r"'swarm' cannot keep to a motif \(problem\.motif\)"),
        ("swarm", {"space_groups": [62]}, r"'swarm' cannot keep to space groups \(problem\.space_"),
        ("random", {"motif": "CO3"}, r"'random' cannot keep to a motif.*'lowest-minima'"),
    ],
)
def test_searches_that_cannot_keep_a_restriction_are_refused(kind, problem, message, carbonate):
    if "motif" in problem:
        problem = {"motif": carbonate}
    with pytest.raises(InputError, match=rf"search\.kind = {message}"):
        RunSettings.from_dict(
            {"problem": {"formula": "CaCO3", **problem}, "search": {"kind": kind, "known": "off"}}
        )
    free = {"formula": "CaCO3", "space_groups": ["1-230"]}
    assert RunSettings.from_dict({"problem": free, "search": {"kind": kind, "known": "off"}})


def test_files_of_other_space_groups_are_left_out(tmp_path):
    bulk("NaCl", "rocksalt", a=5.64).write(tmp_path / "salt.cif")
    bulk("NaCl", "cesiumchloride", a=3.45).write(tmp_path / "other.cif")
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=4, space_groups=[221])
    warned: list[str] = []
    context = GeneratorContext(space=space, warn=warned.append)
    mix = build_generators([named("seeds", files=str(tmp_path))], context)
    candidate = mix.generate(rng=np.random.default_rng(0))
    assert candidate.origin.detail["file"].endswith("other.cif")
    assert "space-group" in warned[0]


def test_distances_that_were_given_hold_for_children_as_they_are():
    space = SearchSpace.create(Composition.from_formula("NaCl"), pair_distances={"Na-Cl": 2.5})
    least = MoveContext(space, lambda *_: None).least_distances(np.array([11, 17]))
    assert least[0, 1] == 2.5
    assert least[0, 0] == pytest.approx(0.85 * space.min_distances[11, 11])


def test_the_old_name_of_the_distances_is_accepted():
    with pytest.warns(RenamedKeyWarning, match="min_distances"):
        run = settings_of({"formula": "NaCl", "pair_distances": {"Na-Cl": 2.5}})
    assert run.problem.min_distances == {"Na-Cl": 2.5}
    with pytest.raises(InputError, match="min_distances: 'NaO' is not a pair"):
        settings_of({"formula": "NaCl", "min_distances": {"NaO": 2.5}})


def test_a_motif_is_kept_in_starts_and_children(carbonate, tmp_path):
    settings = settings_of({"formula": "CaCO3", "max_atoms": 20, "motif": carbonate})
    motif = settings.problem.space().motif
    records = records_of(settings, tmp_path / "run")
    sources = {record.candidate.origin.source for record in records}
    assert "rigid" in sources
    assert any(source.startswith("move:") for source in sources)
    for record in records:
        crystal = record.candidate.crystal
        assert len(motif.found_in(crystal)) == crystal.n_atoms // 5


def test_a_motif_is_rigid_at_the_start(carbonate):
    composition = Composition.from_formula("CaCO3")
    space = SearchSpace.create(composition, max_atoms=20, motif=carbonate)
    mix = build_generators((), GeneratorContext(space=space))
    units = set()
    for seed in range(8):
        crystal = mix.generate(rng=np.random.default_rng(seed)).crystal
        units.add(crystal.n_atoms // 5)
        i, j, lengths = neighbor_list("ijd", crystal.to_ase(), 2.5)
        for copy in space.motif.found_in(crystal):
            for (a, b), expected in np.ndenumerate(space.motif.distances):
                images = lengths[(i == copy[a]) & (j == copy[b])]
                assert a == b or np.abs(images - expected).min() < 1e-6
    assert len(units) > 1


def test_copies_of_a_motif_are_counted_in_any_cell(carbonate):
    composition = Composition.from_formula("Ca2C2O6")
    motif = Motif.of_file(carbonate, composition)
    assert motif.copies == (2 if composition.n_atoms == 10 else 1)
    molecule("H2O").write(carbonate)
    water = Motif.of_file(carbonate, Composition.from_formula("CaSO4(H2O)2"))
    assert water.copies == 2


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"motif": "none.xyz"}, r"problem\.motif = 'none.xyz': cannot be read"),
        ({"motif": "co3.cif"}, r"problem\.motif = 'co3.cif' is no .xyz, .mol, .sdf, .pdb file"),
        ({"formula": "MgO", "motif": "CO3"}, "has too few atoms for one"),
        ({"motif": "CO3", "min_distances": {"C-O": 1.5}}, r"atoms (C-O|O-C) are 1\.29 Å apart"),
        ({"dimension": 2}, "dimension.*a layer cannot be searched"),
        ({"dimension": 0}, "dimension.*a molecule cannot be searched"),
    ],
)
def test_restrictions_that_cannot_be_kept_are_refused(problem, message, carbonate):
    problem = {"formula": "CaCO3", **problem}
    if problem.get("motif") == "CO3":
        problem["motif"] = carbonate
    with pytest.raises(InputError, match=message):
        settings_of(problem)


def test_generators_that_cannot_keep_a_motif_are_refused(carbonate):
    composition = Composition.from_formula("CaCO3")
    space = SearchSpace.create(composition, max_atoms=20, motif=carbonate)
    with pytest.raises(InputError, match=r"problem\.motif: the generator 'blocks' cannot keep"):
        build_generators([named("blocks")], GeneratorContext(space=space))
    plain = SearchSpace.create(composition, max_atoms=20)
    with pytest.raises(InputError, match=r"the generator 'rigid' needs problem\.motif"):
        build_generators([named("rigid")], GeneratorContext(space=plain))
    both = SearchSpace.create(composition, max_atoms=20, motif=carbonate, space_groups=[62])
    with pytest.raises(InputError, match="exclude each other"):
        build_generators((), GeneratorContext(space=both))


def test_runs_from_before_these_keys_continue(tmp_path):
    run = settings_of({"formula": "NaCl", "min_distances": {"Na-Cl": 2.5}})
    old = run.to_dict()
    del old["problem"]["dimension"], old["problem"]["motif"], old["search"]["policy"]
    del old["search"]["policy_from"], old["stop"]["missed_below"]
    old["problem"]["pair_distances"] = old["problem"].pop("min_distances")
    old["search"]["moves"] = "fuse2"
    check_same_input(stored_input({"input": old}), run.to_dict(), tmp_path)


def test_runs_without_a_surrogate_continue_whatever_its_defaults_were(tmp_path):
    run = settings_of({"formula": "NaCl"})
    old = run.to_dict()
    old["surrogate"]["frames"] += 2
    Store.create(tmp_path, {**description(run), "input": old}).close()
    check_same_run(tmp_path, run)
    assert inputs.settings_of("NaCl", folder=tmp_path) == run
    old["surrogate"]["on"] = True
    with pytest.raises(InputError, match=r"surrogate\.on"):
        check_same_input(stored_input({"input": old}), run.to_dict(), tmp_path)
