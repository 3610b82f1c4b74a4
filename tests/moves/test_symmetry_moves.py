"""Moves that keep, raise or lower the symmetry, and rigid units: against spglib and ASE."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import spglib
from ase.build import bulk
from ase.spacegroup import crystal as ase_crystal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.moves.kinds.descend_in_symmetry import irreducible_patterns
from nucleate.moves.move import MoveContext
from nucleate.moves.propose import propose
from nucleate.moves.rigid import rigid_units
from nucleate.moves.symmetry import group_of, random_subgroup, symmetric_parent
from nucleate.moves.table import MOVES, move_named, moves_for

from .parents import closest_over_limit, skewed

NAMES = (
    "act-in-subgroup",
    "move-along-freedom",
    "climb-to-supergroup",
    "descend-in-symmetry",
    "move-rigid-unit",
)
FORMULAS = ("CaTiO3", "NaCl", "MgAl2O4", "CoAs2")
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)


@cache
def context_of(formula: str, max_atoms: int = 30) -> MoveContext:
    space = SearchSpace.create(Composition.from_formula(formula), max_atoms=max_atoms)
    generator = SymmetricGenerator(space)
    return MoveContext(
        space, lambda units, rng: generator.generate(rng=rng, max_formula_units=units)
    )


@st.composite
def parents(draw):
    """Symmetric crystals in any cell, a little off their symmetry."""
    context = context_of(draw(st.sampled_from(FORMULAS)))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    candidate = context.fresh(2, rng)
    assert candidate is not None
    crystal = skewed(candidate.crystal, rng)
    noise = rng.normal(0, 0.003, crystal.scaled.shape)
    return Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions + noise), context


def n_operations(crystal, symprec=1e-3):
    """Return the operations of the crystal in its cell, translations included, by spglib."""
    found = spglib.get_symmetry(
        (crystal.cell, crystal.scaled, crystal.numbers), symprec=symprec, angle_tolerance=-1
    )
    return 1 if found is None else len(found["rotations"])


def child_of(name, parent, context, seed):
    move = move_named(name)
    if not move.applies(parent, context):
        return None
    return propose(move, parent, context=context, rng=np.random.default_rng(seed))


def test_they_are_not_among_the_fourteen_but_found_by_name():
    assert len(MOVES) == 14
    moves, by_default = moves_for(None, dict.fromkeys(NAMES, 1.0))
    assert [move.name for move in moves[14:]] == list(NAMES)
    assert not by_default & set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@quick
@given(given_parent=parents(), seed=st.integers(0, 2**32 - 1))
def test_a_child_is_allowed_and_the_parent_unchanged(name, given_parent, seed):
    parent, context = given_parent
    before = parent.to_dict()
    candidate = child_of(name, parent, context, seed)
    assert parent.to_dict() == before
    if candidate is None:
        return
    child = candidate.crystal
    assert context.space.composition.formula_units_of(child.numbers) is not None
    assert child.n_atoms <= context.space.max_atoms
    assert closest_over_limit(child, context.space.min_distances) >= context.contact_scale - 1e-9


@quick
@given(given_parent=parents(), seed=st.integers(0, 2**32 - 1))
def test_a_change_in_a_subgroup_keeps_the_subgroup(given_parent, seed):
    parent, context = given_parent
    candidate = child_of("act-in-subgroup", parent, context, seed)
    if candidate is not None:
        order = candidate.origin.detail["subgroup_order"]
        assert order >= 2
        assert n_operations(candidate.crystal) >= order


@quick
@given(given_parent=parents(), seed=st.integers(0, 2**32 - 1))
def test_a_move_along_a_freedom_keeps_the_group(given_parent, seed):
    parent, context = given_parent
    candidate = child_of("move-along-freedom", parent, context, seed)
    if candidate is not None:
        assert n_operations(candidate.crystal) >= n_operations(symmetric_parent(parent))


@quick
@given(given_parent=parents(), seed=st.integers(0, 2**32 - 1))
def test_a_descent_leaves_a_true_subgroup(given_parent, seed):
    parent, context = given_parent
    candidate = child_of("descend-in-symmetry", parent, context, seed)
    if candidate is None:
        return
    start = symmetric_parent(parent)
    copies = 1 if candidate.origin.detail["doubled"] == "none" else 2
    assert candidate.crystal.n_atoms == copies * start.n_atoms
    after = n_operations(candidate.crystal)
    assert after < copies * n_operations(start)
    assert copies * n_operations(start) % after == 0  # Lagrange


def test_a_climb_finds_the_ideal_perovskite():
    context = context_of("CaTiO3")
    ideal = Crystal([20, 22, 8, 8, 8], 3.9 * np.eye(3),
                    [[0, 0, 0], [.5, .5, .5], [.5, .5, 0], [.5, 0, .5], [0, .5, .5]])  # fmt: skip
    ferroelectric = ideal.scaled.copy()
    ferroelectric[1, 2] += 0.04
    found = set()
    for seed in range(10):
        candidate = child_of("climb-to-supergroup", ideal.replace(scaled=ferroelectric), context,
                             seed)  # fmt: skip
        if candidate is not None:
            found.add(candidate.origin.detail["to_group"])
            assert spglib.get_spacegroup(
                (candidate.crystal.cell, candidate.crystal.scaled, candidate.crystal.numbers)
            ).startswith("Pm-3m")
    assert found == {221}
    assert child_of("climb-to-supergroup", ideal, context, 0) is None  # nothing above


def test_the_patterns_of_rock_salt_are_one_optical_mode_and_of_perovskite_four():
    """Pm-3m, one formula unit: 4 T1u and one T2u, of which one T1u is the translation."""
    rng = np.random.default_rng(0)
    salt = symmetric_parent(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)))
    assert [p.shape[1] for p in irreducible_patterns(salt, group_of(salt), rng=rng)] == [3]
    atoms = ase_crystal(["Ca", "Ti", "O"], [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)],
                        spacegroup=221, cellpar=[3.9] * 3 + [90] * 3)  # fmt: skip
    perovskite = symmetric_parent(Crystal.from_ase(atoms))
    patterns = irreducible_patterns(perovskite, group_of(perovskite), rng=rng)
    assert [p.shape[1] for p in patterns] == [3, 3, 3, 3]
    joined = np.concatenate(patterns, axis=1)
    assert joined.T @ joined == pytest.approx(np.eye(12), abs=1e-9)


@quick
@given(given_parent=parents(), seed=st.integers(0, 10_000))
def test_a_random_subgroup_is_a_group(given_parent, seed):
    parent, _ = given_parent
    crystal = symmetric_parent(parent)
    group = None if crystal is None else group_of(crystal)
    if group is None:
        return
    part = random_subgroup(group, rng=np.random.default_rng(seed))
    assert part.order >= 2
    assert group.order % part.order == 0
    moved = part.spread(0, np.array([0.1, 0.2, 0.3]))
    assert part.symmetric(moved) == pytest.approx(moved, abs=1e-9)


def mos2():
    return Crystal.from_ase(
        ase_crystal(
            ["Mo", "S"],
            [(1 / 3, 2 / 3, 0.25), (1 / 3, 2 / 3, 0.621)],
            spacegroup=194,
            cellpar=[3.16, 3.16, 12.3, 90, 90, 120],
        )
    )


def one_layer() -> Crystal:
    """1T-MoS2, one layer in the cell."""
    return Crystal.from_ase(
        ase_crystal(
            ["Mo", "S"],
            [(0, 0, 0), (1 / 3, 2 / 3, 0.26)],
            spacegroup=164,
            cellpar=[3.16, 3.16, 6.0, 90, 90, 120],
        )
    )


def calcite():
    return Crystal.from_ase(
        ase_crystal(
            ["Ca", "C", "O"],
            [(0, 0, 0), (0, 0, 0.25), (0.257, 0, 0.25)],
            spacegroup=167,
            cellpar=[4.99, 4.99, 17.06, 90, 90, 120],
            primitive_cell=True,
        )
    )


def test_units_are_layers_and_polyhedra():
    layers = rigid_units(mos2())
    assert [(unit.dimension, len(unit.atoms)) for unit in layers] == [(2, 3), (2, 3)]
    assert np.abs(layers[0].periods[:, 2]).max() == pytest.approx(0.0, abs=1e-9)
    units = rigid_units(calcite())
    sizes = sorted((unit.dimension, len(unit.atoms)) for unit in units)
    assert sizes == [(0, 1)] * 2 + [(0, 4)] * 2
    assert rigid_units(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))) == []
    alone = [(unit.dimension, len(unit.atoms)) for unit in rigid_units(one_layer())]
    assert alone == [(2, 3)]


@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_a_layer_alone_in_its_cell_slides_along_its_images(seed):
    """Two cells on top of each other: each layer as it was, the second one elsewhere."""
    parent = one_layer()
    child = move_named("move-rigid-unit").apply(
        parent, context_of("MoS2"), rng=np.random.default_rng(seed)
    )
    assert child is not None
    assert child.detail["change"] == "slide"
    before, after = (item.to_ase() * (4, 4, 2) for item in (parent, child.crystal))
    for atoms in (before, after):
        assert [(u.dimension, len(u.atoms)) for u in rigid_units(Crystal.from_ase(atoms))] == [
            (2, 48)
        ] * 2
    (one, _), (two, _) = (
        [Crystal.from_ase(atoms[unit.atoms]) for unit in rigid_units(Crystal.from_ase(atoms))]
        for atoms in (before, after)
    )
    inside = [np.sort(item.to_ase().get_all_distances(mic=True)[0]) for item in (one, two)]
    assert inside[0] == pytest.approx(inside[1], abs=1e-6)
    assert child.crystal.volume == pytest.approx(parent.volume)
    assert not np.allclose(child.crystal.cell, parent.cell)


def test_a_molecule_alone_in_its_cell_turns():
    parent = Crystal.from_positions(
        [8, 6, 8], 4.5 * np.eye(3), [(0, 0, 0), (1.16, 0, 0), (2.32, 0, 0)]
    )
    child = move_named("move-rigid-unit").apply(
        parent, context_of("CO2"), rng=np.random.default_rng(1)
    )
    assert child is not None
    assert child.detail == {"unit_atoms": 3, "unit_dimension": 0, "change": "rotate"}
    ends = child.crystal.to_ase().get_all_distances(mic=True)
    assert ends[0, 1] == pytest.approx(1.16)
    assert np.allclose(child.crystal.cell, parent.cell)


@pytest.mark.parametrize(("crystal", "formula"), [(mos2(), "MoS2"), (calcite(), "CaCO3")])
@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_distances_within_rigid_units_stay(crystal, formula, seed):
    context = context_of(formula)
    child = move_named("move-rigid-unit").apply(crystal, context, rng=np.random.default_rng(seed))
    if child is None:
        return
    one, two = (item.to_ase().get_all_distances(mic=True) for item in (crystal, child.crystal))
    for unit in rigid_units(crystal):
        inside = np.ix_(unit.atoms, unit.atoms)
        assert one[inside] == pytest.approx(two[inside], abs=1e-6)
    assert not np.allclose(one, two)
    assert child.crystal.volume == pytest.approx(crystal.volume)
    assert child.detail["unit_atoms"] > 1
