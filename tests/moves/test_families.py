from __future__ import annotations

import numpy as np
import pytest
from ase.build import make_supercell
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.blocks.blocks import slice_into_blocks
from nucleate.blocks.motifs import MOTIFS, motif_name
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import neighbour_pairs
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.moves import size
from nucleate.moves.blocks import exchange_sub_modules, sparse_sub_modules
from nucleate.moves.move import MoveContext, is_same
from nucleate.moves.table import MOVES, PRESETS, move_named, move_weights

from .parents import context_of, parents, skewed

ROCK_SALT = Crystal([11, 17], 2.82 * (np.ones((3, 3)) - np.eye(3)), [[0, 0, 0], [0.5, 0.5, 0.5]])
NO_LIMIT = 0.0


def numbers_that_apply(parent: Crystal, context: MoveContext) -> set[int]:
    return {move.number for move in MOVES if move.applies(parent, context)}


def same_modulo_lattice(a: Crystal, b: Crystal) -> bool:
    gap = a.scaled - b.scaled
    return bool(np.abs(gap - np.rint(gap)).max() < 1e-9) and np.allclose(a.cell, b.cell)


def environment(crystal: Crystal, atom: int, cutoff: float) -> list[tuple[float, int]]:
    i, j, _, distances = neighbour_pairs(crystal, cutoff)
    here = i == atom
    return sorted(
        zip(distances[here].round(6).tolist(), crystal.numbers[j[here]].tolist(), strict=True)
    )


def test_the_table_has_fourteen_moves_in_the_order_of_the_paper() -> None:
    assert [move.number for move in MOVES] == list(range(1, 15))
    assert len({move.name for move in MOVES}) == 14
    assert set(PRESETS["fuse2"].values()) == {1.0}
    assert move_named("double").number == 11


def test_weights_can_be_set_one_by_one() -> None:
    weights = move_weights({"double": 0, "swap-two-atoms": 2.5})
    assert weights["double"] == 0.0
    assert weights["swap-two-atoms"] == 2.5
    assert weights["triple"] == 1.0
    assert move_weights() == PRESETS["fuse2"]


@pytest.mark.parametrize(
    "choice",
    [
        "fuse3",
        {"doubel": 1},
        {"double": -1},
        {"double": np.inf},
        dict.fromkeys(PRESETS["fuse2"], 0),
    ],
)
def test_wrong_weights_are_refused(choice: str | dict[str, float]) -> None:
    with pytest.raises(InputError, match="moves"):
        move_weights(choice)


def test_unknown_move_is_refused() -> None:
    with pytest.raises(InputError, match="Use one of"):
        move_named("teleport")


def test_elements_offer_no_exchange() -> None:
    context = context_of("Mn")
    rng = np.random.default_rng(0)
    candidate = context.fresh(None, rng)
    assert candidate is not None
    assert not numbers_that_apply(candidate.crystal, context) & {1, 3, 4, 5}
    for number in (1, 3, 4, 5):
        assert MOVES[number - 1].apply(candidate.crystal, context, rng=rng) is None


def test_a_single_atom_can_only_be_reshaped_multiplied_or_renewed() -> None:
    context = context_of("Mn")
    atom = Crystal([25], np.eye(3) * 2.4, [[0.3, 0.1, 0.2]])
    assert numbers_that_apply(atom, context) == {9, 11, 12, 13, 14}
    rng = np.random.default_rng(0)
    for move in MOVES:
        child = move.apply(atom, context, rng=rng)
        assert (child is not None) == (move.number >= 9 and move.number != 10)


def test_two_atoms_of_two_elements() -> None:
    context = context_of("NaCl")
    applies = numbers_that_apply(ROCK_SALT, context)
    assert {1, 2, 5, 6, 9, 11, 12} <= applies
    assert not applies & {3, 4}


def test_size_moves_respect_the_limit_of_atoms_and_formula_units() -> None:
    composition = Composition.from_formula("NaCl")

    def applies(**options) -> set[int]:
        space = SearchSpace.create(composition, **options)
        context = MoveContext(space, lambda units, rng: None)
        return numbers_that_apply(ROCK_SALT, context) & {11, 12}

    assert applies(max_atoms=6) == {11, 12}
    assert applies(max_atoms=5) == {11}
    assert applies(max_atoms=2) == set()
    assert applies(formula_units=[1, 3]) == {12}
    context = MoveContext(SearchSpace.create(composition, max_atoms=2), lambda units, rng: None)
    assert MOVES[10].apply(ROCK_SALT, context, rng=np.random.default_rng(0)) is None
    assert MOVES[11].apply(ROCK_SALT, context, rng=np.random.default_rng(0)) is None


@given(parents(), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_swap_exchanges_exactly_two_unlike_atoms(given_parent, seed: int) -> None:
    parent, context = given_parent
    child = MOVES[0].apply(parent, context, rng=np.random.default_rng(seed))
    if child is None or "pushed_apart" in child.detail:
        return
    changed = np.flatnonzero((child.crystal.scaled != parent.scaled).any(axis=1))
    assert changed.size == 2
    assert parent.numbers[changed[0]] != parent.numbers[changed[1]]


@pytest.mark.parametrize("number", [3, 5])
def test_shuffles_only_permute_the_places(number: int) -> None:
    context = context_of("Ca3Ti2O7")
    for seed in range(10):
        parent = fresh(context, seed, 24)
        child = MOVES[number - 1].apply(parent, context, rng=np.random.default_rng(seed))
        assert child is not None
        assert set(map(tuple, child.crystal.scaled)) == set(map(tuple, parent.scaled))
        assert not is_same(child.crystal, parent)
        assert 3 <= child.detail["atoms"] <= (parent.n_atoms if number == 5 else 23)


@pytest.mark.parametrize("number", [2, 4, 6])
def test_vacancies_are_really_used(number: int) -> None:
    context = context_of("Ca3Ti2O7")
    far = 0
    for seed in range(10):
        parent = fresh(context, seed, 24)
        child = MOVES[number - 1].apply(parent, context, rng=np.random.default_rng(seed))
        assert child is not None
        both = Crystal(
            np.concatenate([parent.numbers, child.crystal.numbers]),
            parent.cell,
            np.concatenate([parent.scaled, child.crystal.scaled]),
        )
        i, j, _, _ = neighbour_pairs(both, context.space.vacancy_exclusion)
        near_old = set(i[(i >= 24) & (j < 24)].tolist())
        assert 24 - len(near_old) == child.detail["to_vacancies"]
        far += 24 - len(near_old)
    assert far >= {2: 10, 4: 20, 6: 40}[number]


def test_an_element_can_use_its_vacancies() -> None:
    context = context_of("Mn")
    parent = fresh(context, 0, None)
    for number in (2, 6):
        child = MOVES[number - 1].apply(parent, context, rng=np.random.default_rng(0))
        assert child is not None


def fresh(context: MoveContext, seed: int, n_atoms: int | None) -> Crystal:
    rng = np.random.default_rng(seed)
    while True:
        candidate = context.fresh(None, rng)
        assert candidate is not None
        if n_atoms in (None, candidate.crystal.n_atoms) and candidate.crystal.n_atoms > 3:
            return candidate.crystal


def test_exchanged_sub_modules_carry_their_atoms() -> None:
    numbers = [8, 20, 22]
    local = np.array([[0.1, 0.2, 0.3], [0.6, 0.5, 0.4], [0.25, 0.5, 0.75]])
    cell = np.diag([8.0, 4.0, 2.0])
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 0]])
    crystal = Crystal(numbers, cell, (local + corners) / [2, 1, 1])
    blocks = slice_into_blocks(crystal, 4.0)
    assert blocks.grid == (2, 1, 1)
    plain = exchange_sub_modules(blocks, 0, 1, align=False)
    np.testing.assert_allclose(plain.local, local, atol=1e-12)
    assert plain.owner.tolist() == [1, 0, 0]
    aligned = exchange_sub_modules(blocks, 0, 1, align=True)
    nearest = local[2]
    np.testing.assert_allclose(aligned.local[0], nearest, atol=1e-12)
    np.testing.assert_allclose(aligned.local[2], local[0], atol=1e-12)
    np.testing.assert_allclose(aligned.local[1], local[1] + local[0] - nearest, atol=1e-12)
    assert blocks.owner.tolist() == [0, 1, 1]


def test_reshape_keeps_volume_and_changes_the_cell() -> None:
    context = context_of("Ca3Ti2O7")
    for seed in range(10):
        parent = skewed(fresh(context, seed, 24), np.random.default_rng(seed))
        child = MOVES[8].apply(parent, context, rng=np.random.default_rng(seed))
        assert child is not None
        assert child.crystal.volume == pytest.approx(parent.volume)
        assert not np.allclose(child.crystal.cell, parent.cell)
        assert {"lattice", "grid"} <= set(child.detail)


def test_refill_moves_one_to_four_atoms_of_one_sub_module() -> None:
    context = context_of("Ca3Ti2O7")
    children = 0
    for seed in range(10):
        parent = fresh(context, seed, 24)
        child = MOVES[9].apply(parent, context, rng=np.random.default_rng(seed))
        children += child is not None
        if child is not None and "pushed_apart" not in child.detail:
            gap = child.crystal.scaled - parent.scaled
            moved = np.abs(gap - np.rint(gap)).max(axis=1) > 1e-9
            assert moved.sum() <= child.detail["atoms"] <= 4
    assert children >= 6
    full = slice_into_blocks(Crystal([1] * 5, np.eye(3), np.zeros((5, 3))), 1.0)
    assert sparse_sub_modules(full).size == 0


@given(parents(), st.integers(0, 2), st.integers(2, 3))
@settings(max_examples=40, deadline=None)
def test_repeating_is_the_supercell_of_ase(given_parent, axis: int, copies: int) -> None:
    parent, _ = given_parent
    child = size.stacked(parent, axis, copies)
    matrix = np.eye(3, dtype=int)
    matrix[axis, axis] = copies
    oracle = Crystal.from_ase(make_supercell(parent.to_ase(), matrix))
    assert is_same(child, oracle)


@given(parents(), st.integers(0, 2), st.integers(2, 3))
@settings(max_examples=30, deadline=None)
def test_shifting_moves_whole_copies(given_parent, axis: int, copies: int) -> None:
    parent, _ = given_parent
    child = size.stacked(parent, axis, copies, shifted=True)
    n_atoms = parent.n_atoms
    gaps = (child.scaled[n_atoms : 2 * n_atoms] - child.scaled[:n_atoms]) % 1.0
    assert np.allclose(np.minimum(gaps, 1 - gaps), 1 / copies if copies == 3 else 0.5)
    plain = size.stacked(parent, axis, copies)
    assert same_modulo_lattice(
        child.replace(scaled=child.scaled[:n_atoms], numbers=child.numbers[:n_atoms]),
        plain.replace(scaled=plain.scaled[:n_atoms], numbers=plain.numbers[:n_atoms]),
    )


@given(parents(), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_inversion_maps_the_doubled_cell_onto_itself(given_parent, axis: int) -> None:
    parent, _ = given_parent
    child = size.doubled_by_inversion(parent, axis, np.full(parent.n_atoms, NO_LIMIT))
    assert child.volume == pytest.approx(2 * parent.volume)
    assert is_same(child.replace(scaled=-child.scaled), child, tolerance=1e-5)
    first = child.scaled[: parent.n_atoms] * (1 + np.eye(3)[axis])
    gap = first - parent.scaled
    assert np.allclose(gap, np.rint(gap))


@given(parents(), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_mirror_maps_the_doubled_cell_onto_itself_in_any_lattice(given_parent, axis: int) -> None:
    parent, _ = given_parent
    child = size.doubled_by_mirror(parent, axis, np.full(parent.n_atoms, NO_LIMIT))
    assert child.volume == pytest.approx(2 * parent.volume)
    others = np.delete(np.arange(3), axis)
    assert np.allclose(child.cell[others] @ child.cell[axis], 0, atol=1e-9)
    mirrored = child.scaled.copy()
    mirrored[:, axis] *= -1
    assert is_same(child.replace(scaled=mirrored), child, tolerance=1e-5)


def test_the_first_half_of_a_mirrored_cell_is_the_parent() -> None:
    rng = np.random.default_rng(3)
    cell = np.array([[6.0, 0, 0], [1.5, 7.0, 0], [2.0, -1.0, 8.0]])
    parent = Crystal(rng.integers(1, 90, 12), cell, rng.random((12, 3)))
    for axis in range(3):
        child = size.doubled_by_mirror(parent, axis, np.full(12, NO_LIMIT))
        inside = np.flatnonzero(np.abs(parent.scaled[:, axis] - 0.5) < 0.2)
        for atom in inside:
            assert environment(child, atom, 1.5) == environment(parent, atom, 1.5)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("double", [size.doubled_by_mirror, size.doubled_by_inversion])
def test_atoms_on_a_face_are_not_duplicated(double, axis: int) -> None:
    cell = np.array([[5.0, 0, 0], [1.0, 5.0, 0], [0.7, -1.0, 5.0]])
    parent = Crystal([11, 17], cell, [[0, 0, 0], [0.5, 0.5, 0.5]])
    child = double(parent, axis, np.full(2, 2.0))
    assert child.n_atoms == 4
    distances = neighbour_pairs(child, 6.0)[3]
    assert distances.min() > 2.5
    for near in (0.97, 0.03):
        close = parent.replace(scaled=np.array([[near] * 3, [0.5] * 3]))
        assert neighbour_pairs(double(close, axis, np.full(2, 2.0)), 6.0)[3].min() > 1.9


def test_doubling_draws_every_variant_and_axis() -> None:
    context = context_of("NaCl")
    details = [
        MOVES[10].apply(ROCK_SALT, context, rng=np.random.default_rng(seed)) for seed in range(150)
    ]
    drawn = {(child.detail["variant"], child.detail["axis"]) for child in details if child}
    assert {variant for variant, _ in drawn} == {"repeat", "shift", "invert", "mirror"}
    assert {axis for _, axis in drawn} == set("abc")


@pytest.mark.parametrize(("number", "variants"), [(11, 4), (12, 2)])
def test_variants_are_drawn_evenly_where_contacts_favour_the_plain_one(number, variants) -> None:
    context = context_of("Ca3Ti2O7")
    counts: dict[str, int] = {}
    for seed in range(120):
        parent = fresh(context, seed % 6, 12)
        child = MOVES[number - 1].apply(parent, context, rng=np.random.default_rng(seed))
        if child is not None:
            name = str(child.detail["variant"])
            counts[name] = counts.get(name, 0) + 1
    assert len(counts) == variants
    assert min(counts.values()) > 0.6 * 120 / variants


def test_a_refilled_sub_module_holds_one_of_the_eight_motifs() -> None:
    context = context_of("Ca3Ti2O7")
    names = {motif_name(motif) for motif in MOTIFS}
    found = set()
    for seed in range(60):
        parent = fresh(context, seed % 6, 24)
        child = MOVES[9].apply(parent, context, rng=np.random.default_rng(seed))
        if child is not None:
            assert len(str(child.detail["motif"])) == child.detail["atoms"]
            found.add(child.detail["motif"])
    assert found <= names
    assert len(found) >= 5


def test_renewal_asks_for_the_right_size_and_keeps_the_provenance() -> None:
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
    asked: list[int | None] = []

    def fresh_source(units: int | None, rng: np.random.Generator) -> Candidate:
        asked.append(units)
        return Candidate(ROCK_SALT, Origin("pool", detail={"rank": 3}))

    context = MoveContext(space, fresh_source)
    parent = size.stacked(ROCK_SALT, 0, 2)
    for number, units in ((13, 2), (14, None)):
        child = MOVES[number - 1].apply(parent, context, rng=np.random.default_rng(0))
        assert child is not None
        assert child.crystal is ROCK_SALT
        assert child.detail == {"source": "pool", "rank": 3}
        assert asked.pop() == units


def test_renewal_gives_up_without_a_source_or_an_allowed_structure() -> None:
    space = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
    flat = ROCK_SALT.replace(cell=ROCK_SALT.cell * 0.2)
    for answer in (None, Candidate(flat, Origin("pool"))):
        context = MoveContext(space, lambda units, rng, answer=answer: answer)
        assert MOVES[12].apply(ROCK_SALT, context, rng=np.random.default_rng(0)) is None


def test_is_same_ignores_order_and_wrapping() -> None:
    crystal = fresh(context_of("Ca3Ti2O7"), 0, 24)
    order = np.random.default_rng(0).permutation(24)
    shuffled = Crystal(crystal.numbers[order], crystal.cell, crystal.scaled[order] + [1, -2, 0])
    assert is_same(shuffled, crystal)
    assert not is_same(crystal.replace(scaled=crystal.scaled * 0.99), crystal)
    assert not is_same(crystal.replace(cell=crystal.cell * 1.01), crystal)
    assert not is_same(size.stacked(crystal, 0, 2), crystal)


def test_refill_needs_a_sub_module_that_can_be_sparse() -> None:
    context = context_of("NaCl")
    crowded = size.stacked(ROCK_SALT, 0, 3).replace(cell=np.eye(3) * 4.0)
    assert 10 not in numbers_that_apply(crowded, context)
    assert 10 in numbers_that_apply(ROCK_SALT, context)
