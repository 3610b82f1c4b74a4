from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nucleate.crystal.crystal import Crystal
from nucleate.moves.move import Move, MoveContext, is_same
from nucleate.moves.propose import propose
from nucleate.moves.table import MOVES

if TYPE_CHECKING:
    from pathlib import Path

from .parents import closest_over_limit, context_of, parents

each_move = pytest.mark.parametrize("move", MOVES, ids=lambda move: move.name)
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)


@each_move
@quick
@given(given_parent=parents(), seed=st.integers(0, 2**32 - 1))
def test_a_child_is_allowed_and_the_parent_unchanged(
    move: Move, given_parent: tuple[Crystal, MoveContext], seed: int
) -> None:
    parent, context = given_parent
    before = parent.to_dict()
    candidate = propose(move, parent, context=context, rng=np.random.default_rng(seed))
    assert parent.to_dict() == before
    if not move.applies(parent, context):
        assert candidate is None
    if candidate is None:
        return
    child = candidate.crystal
    space = context.space
    assert child.n_atoms <= space.max_atoms
    units = space.composition.formula_units_of(child.numbers)
    assert units is not None
    if not move.renews:
        copies = {11: 2, 12: 3}.get(move.number, 1)
        assert child.n_atoms == copies * parent.n_atoms
        assert not is_same(child, parent)
    ratio = closest_over_limit(child, space.min_distances)
    assert ratio >= context.contact_scale - 1e-9
    assert candidate.origin.source == f"move:{move.name}"


@each_move
def test_the_same_seed_gives_the_same_child(move: Move) -> None:
    context = context_of("Ca3Ti2O7")
    parent = parent_of("Ca3Ti2O7", 1)
    children = [
        propose(move, parent, context=context, rng=np.random.default_rng(11), parents=(4,))
        for _ in range(2)
    ]
    assert children[0] is not None
    assert children[1] is not None
    assert children[0].crystal.to_dict() == children[1].crystal.to_dict()
    assert children[0].origin == children[1].origin
    assert children[0].origin.parents == (4,)


@each_move
def test_moves_succeed_on_ordinary_parents(move: Move) -> None:
    context = context_of("Ca3Ti2O7")
    children = [
        move.apply(parent_of("Ca3Ti2O7", 1, seed), context, rng=np.random.default_rng(seed))
        for seed in range(12)
        if move.applies(parent_of("Ca3Ti2O7", 1, seed), context)
    ]
    assert len(children) >= 6
    assert sum(child is not None for child in children) >= 0.8 * len(children)


@pytest.mark.parametrize("number", [7, 8, 10])
def test_moves_of_blocks_keep_the_lattice(number: int) -> None:
    context = context_of("Ca3Ti2O7")
    parent = parent_of("Ca3Ti2O7", 2)
    child = MOVES[number - 1].apply(parent, context, rng=np.random.default_rng(0))
    assert child is not None
    assert np.array_equal(child.crystal.cell, parent.cell)


def test_rattle_displaces_every_atom_a_little() -> None:
    parent = parent_of("Ca3Ti2O7", 2)
    still, shaken = (
        propose(
            MOVES[0],
            parent,
            context=context_of("Ca3Ti2O7", rattle=rattle),
            rng=np.random.default_rng(5),
        )
        for rattle in (0.0, 0.02)
    )
    assert still is not None
    assert shaken is not None
    shift = np.linalg.norm(shaken.crystal.positions - still.crystal.positions, axis=1)
    assert (shift > 0).all()
    assert shift.max() < 0.1
    moved = (still.crystal.scaled != parent.scaled).any(axis=1)
    assert moved.sum() == 2


def parent_of(formula: str, units: int, seed: int = 0) -> Crystal:
    context = context_of(formula)
    rng = np.random.default_rng(seed)
    while True:
        candidate = context.fresh(units, rng)
        assert candidate is not None
        if candidate.origin.detail["formula_units"] == units:
            return candidate.crystal


def test_moves_work_on_the_published_structures(shared_data: Path) -> None:
    import ase.io

    tried = accepted = 0
    for file in sorted((shared_data / "fuse2_paper_structures").glob("*.cif")):
        parent = Crystal.from_ase(ase.io.read(file))
        context = context_of(file.name.split("__")[0])
        for move in MOVES:
            if move.applies(parent, context):
                child = propose(move, parent, context=context, rng=np.random.default_rng(tried))
                tried += 1
                accepted += child is not None
    assert tried > 500
    assert accepted > 0.95 * tried
