"""Operators of evolutionary searches: composition, minimum distances, oracles, selection."""

from __future__ import annotations

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.moves.parents import closest_over_limit, context_of, parents

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.moves.move import MoveContext
from nucleate.run.predict import build_search
from nucleate.run.settings import RunSettings
from nucleate.search.breeding.credit import LEAST, Credit
from nucleate.search.breeding.gene_pool import GenePool
from nucleate.search.breeding.heredity import heredity, mean_cell, repaired
from nucleate.search.breeding.mutations import permutation, soft_mutation, strain
from nucleate.search.breeding.soft_modes import DECAY_ANG, REACH, soft_modes
from nucleate.search.kinds.evolution import Evolution, picked
from nucleate.search.search import Trial
from nucleate.testing import check_search

from .scripted import RandomPairs, play, record_of, search

quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)
MUTATIONS = (permutation, strain, soft_mutation)


def is_allowed(child: Crystal, context: MoveContext) -> bool:
    ratio = closest_over_limit(child, context.space.min_distances)
    return ratio >= context.contact_scale - 1e-9


@quick
@given(parents(), seeds, st.integers(1, 3))
def test_heredity_gives_exactly_the_composition_and_keeps_the_distances(given_parent, seed, units):
    first, context = given_parent
    rng = np.random.default_rng(seed)
    second = context.fresh(None, rng).crystal
    before = first.to_dict(), second.to_dict()
    child = heredity(first, second, context, formula_units=units, rng=rng)
    assert (first.to_dict(), second.to_dict()) == before
    if child is None:
        return
    expected = np.sort(context.space.composition.numbers(units))
    assert np.array_equal(np.sort(child.crystal.numbers), expected)
    assert is_allowed(child.crystal, context)
    volumes = sorted((first.volume_per_atom, second.volume_per_atom))
    assert volumes[0] - 1e-6 <= child.crystal.volume_per_atom <= volumes[1] + 1e-6
    again = np.random.default_rng(seed)
    other = context.fresh(None, again).crystal
    assert heredity(first, other, context, formula_units=units, rng=again).crystal == child.crystal


def test_heredity_of_ordinary_parents_succeeds_and_takes_from_both() -> None:
    context = context_of("Ca3Ti2O7")
    made = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        pair = [context.fresh(2, rng).crystal for _ in range(2)]
        child = heredity(*pair, context, formula_units=2, rng=rng)
        made += child is not None
    assert made >= 9


def test_the_slabs_are_those_of_the_parents_where_nothing_is_to_repair() -> None:
    cell = np.diag([4.0, 4.0, 8.0])
    one = Crystal([11, 17], cell, [[0, 0, 0.2], [0.5, 0.5, 0.7]])
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8, contact_scale=0.3)
    context = MoveContext(space, lambda units, rng: None)
    for seed in range(20):
        child = heredity(one, one, context, formula_units=1, rng=np.random.default_rng(seed))
        assert child is not None
        assert child.crystal.volume == pytest.approx(one.volume)


@quick
@given(parents(), seeds)
def test_the_mean_cell_of_a_crystal_with_itself_is_its_own(given_parent, seed):
    crystal, _ = given_parent
    cell = mean_cell(crystal, crystal, 0.3, crystal.n_atoms)
    assert np.allclose(cell @ cell.T, crystal.cell @ crystal.cell.T, rtol=1e-6)


@quick
@given(seeds, st.integers(0, 6), st.integers(0, 6))
def test_a_repair_ends_with_the_composition_whatever_it_begins_with(seed, sodium, chlorine):
    rng = np.random.default_rng(seed)
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
    context = MoveContext(space, lambda units, rng: None)
    numbers = np.array([11] * sodium + [17] * chlorine, dtype=np.int64)
    kept = numbers, rng.random((numbers.size, 3))
    spare = np.array([11, 17]), rng.random((2, 3))
    made = repaired(kept, spare, {11: 3, 17: 3}, np.eye(3) * 8.0, context, rng=rng)
    if made is not None:
        assert sorted(made.numbers.tolist()) == [11] * 3 + [17] * 3


@pytest.mark.parametrize("operator", MUTATIONS)
@quick
@given(given_parent=parents(), seed=seeds)
def test_mutants_keep_composition_and_distances(operator, given_parent, seed):
    parent, context = given_parent
    before = parent.to_dict()
    child = operator(parent, context, rng=np.random.default_rng(seed))
    assert parent.to_dict() == before
    if child is None:
        return
    assert np.array_equal(np.sort(child.crystal.numbers), np.sort(parent.numbers))
    assert is_allowed(child.crystal, context)
    assert child.crystal.volume == pytest.approx(parent.volume)
    again = operator(parent, context, rng=np.random.default_rng(seed))
    assert again.crystal == child.crystal


@pytest.mark.parametrize("operator", MUTATIONS)
def test_mutations_of_ordinary_parents_succeed(operator) -> None:
    context = context_of("Ca3Ti2O7")
    made = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        made += operator(context.fresh(2, rng).crystal, context, rng=rng) is not None
    assert made >= 8


def test_an_element_has_nothing_to_permute_and_one_atom_no_soft_mode() -> None:
    context = context_of("Mn")
    atom = Crystal([25], np.eye(3) * 2.4, [[0, 0, 0]])
    rng = np.random.default_rng(0)
    assert permutation(atom, context, rng=rng) is None
    assert soft_mutation(atom, context, rng=rng) is None
    assert strain(atom, context, rng=rng) is not None


@quick
@given(parents())
def test_soft_modes_are_those_of_the_springs_built_with_ase(given_parent):
    crystal, _ = given_parent
    radii = np.array([element(z).covalent_radius for z in crystal.numbers.tolist()])
    i, j, d, vectors = neighbor_list("ijdD", crystal.to_ase(), REACH * 2 * radii.max())
    matrix = np.zeros((crystal.n_atoms, 3, crystal.n_atoms, 3))
    for a, b, length, along in zip(i, j, d, vectors, strict=True):
        if a == b or length >= REACH * (radii[a] + radii[b]):
            continue
        unit = along / length
        spring = np.exp((radii[a] + radii[b] - length) / DECAY_ANG) * np.outer(unit, unit)
        matrix[a, :, a, :] += spring
        matrix[a, :, b, :] -= spring
    flat = matrix.reshape(3 * crystal.n_atoms, -1)
    values, modes = soft_modes(crystal)
    assert (np.diff(values) >= -1e-9).all()
    for value, mode in zip(values, modes, strict=True):
        assert np.allclose(
            flat @ mode.ravel(), value * mode.ravel(), atol=1e-6 * max(1.0, values[-1])
        )
        assert np.abs(mode.sum(axis=0)).max() < 1e-6
    total = np.linalg.eigvalsh(flat).sum()
    assert values.sum() == pytest.approx(total, rel=1e-6, abs=1e-9)


def test_operators_that_succeed_are_used_more_and_none_dies_out() -> None:
    credit = Credit({"heredity": 1.0, "strain": 1.0})
    assert credit.chances().tolist() == [0.5, 0.5]
    for _ in range(40):
        credit.note("heredity", success=True)
        credit.note("strain", success=False)
    chances = credit.chances()
    assert chances[0] > 0.8
    assert chances[1] >= 0.5 * LEAST
    for _ in range(300):
        credit.note("heredity", success=False)
        credit.note("strain", success=True)
    assert credit.chances()[1] > 0.8
    fixed = Credit({"heredity": 3.0, "strain": 1.0}, learns=False)
    fixed.note("strain", success=True)
    assert fixed.chances().tolist() == [0.75, 0.25]


def pairs(count):
    source, rng = RandomPairs(), np.random.default_rng(5)
    return [source.generate(rng=rng).crystal for _ in range(count)]


def pool_of(energies, crystals, **options):
    values = {"size": 3, "elites": 1, "most_children": 2, "niche_distance": 0.0, **options}
    pool = GenePool(("toy",), 2, **values)
    for number, (energy, crystal) in enumerate(zip(energies, crystals, strict=True)):
        trial = Trial(number, Candidate(crystal, Origin("x")))
        pool.add(record_of(trial, energy))
    return pool


def test_the_lowest_breed_and_worn_out_ones_make_room_except_the_elite() -> None:
    pool = pool_of([-1.0, -3.0, -2.0, -4.0, -5.0], pairs(5))
    assert [item.number for item in pool.breeding(None)] == [4, 3, 1]
    for number in (3, 3, 4, 4, 4):
        pool.note_child(number)
    assert [item.number for item in pool.breeding(None)] == [4, 1, 2]
    assert pool.breeding(0) == []
    assert pool.lowest == 4


def test_only_the_lowest_of_a_niche_breeds() -> None:
    one, other = pairs(2)
    strained = one.replace(cell=one.cell * 1.01)
    pool = pool_of([-1.0, -2.0, -1.5], [one, strained, other], niche_distance=0.1)
    assert [item.number for item in pool.breeding(None)] == [1, 2]
    pool = pool_of([-1.0, -2.0, -1.5], [one, strained, other], niche_distance=1e-4)
    assert [item.number for item in pool.breeding(None)] == [1, 2, 0]


@pytest.mark.parametrize("selection", ["tournament", "rank"])
def test_lower_parents_are_picked_more_often(selection) -> None:
    pool = pool_of([-1.0, -3.0, -2.0], pairs(3)).breeding(None)
    rng = np.random.default_rng(0)
    found = [picked(pool, Evolution(selection=selection), rng).number for _ in range(600)]
    assert found.count(1) > found.count(2) > found.count(0) > 0


def test_the_search_keeps_its_contract() -> None:
    check_search(Evolution(population=5, known="off"), "CaTiO3", trials=40)
    check_search(Evolution(population=3, selection="rank", known="off"), "Mn", trials=20)


def test_an_interruption_changes_nothing_where_parents_give_way_after_few_children() -> None:
    few = {"pool": 5, "elites": 1, "most_children": 2, "new_fraction": 0.1}
    check_search(Evolution(population=4, known="off", **few), "CaTiO3", trials=60)


def test_an_operator_that_cannot_act_is_named() -> None:
    def notes(formula, **values):
        data = {"problem": {"formula": formula, "max_atoms": 8}}
        data["search"] = {"kind": "evolution", **values}
        return build_search(RunSettings.from_dict(data)).notes(1)

    (line,) = notes("Si", operators={"permutation": 5.0})
    assert "permutation cannot act on Si" in line
    assert "weight 0" in line
    assert notes("Si") == notes("Si", operators={"permutation": 0.0, "strain": 1.0}) == []
    assert notes("NaCl", operators={"permutation": 5.0}) == []


def test_children_come_from_the_pool_at_once_and_in_several_sizes() -> None:
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8, contact_scale=0.3)
    walk = search(space=space, kind=Evolution, new_fraction=0.0, population=4)
    play(walk, *np.linspace(-1.0, -1.3, 60))
    trials = [walk.ask() for _ in range(40)]
    assert {trial.candidate.crystal.n_atoms for trial in trials} >= {2, 4}
    sources = {trial.candidate.origin.source for trial in trials}
    assert {"move:heredity", "move:strain", "move:soft-mutation"} <= sources
    assert walk.progress.text.startswith("heredity ")


def settings_of(formula="MgO", **values):
    return RunSettings.from_dict(
        {"problem": {"formula": formula}, "search": {"kind": "evolution", "known": "off", **values}}
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"operators": {"crossover": 1.0}}, "is not an operator"),
        ({"operators": {"strain": -1.0}}, "is not a weight"),
        ({"operators": dict.fromkeys(("heredity", "permutation", "strain", "soft-mutation"), 0)},
         "all weights are 0"),
        ({"selection": "rank", "tournament": 5}, "tournament has no effect"),
        ({"elites": 30}, "is more than pool"),
        ({"temperature": 0.1}, "temperature"),
        ({"moves": {"double": 1.0}}, "moves"),
        ({"pool": 1}, "pool"),
    ],
)  # fmt: skip
def test_settings_without_sense_are_refused(values, message) -> None:
    with pytest.raises(InputError, match=message):
        settings_of(**values)


def test_operators_that_cannot_act_on_the_composition_are_refused() -> None:
    weights = {"permutation": 1.0, "heredity": 0.0, "strain": 0.0, "soft-mutation": 0.0}
    assert build_search(settings_of(operators=weights))
    with pytest.raises(InputError, match="permutation cannot act on Mn"):
        build_search(settings_of("Mn", operators=weights))
