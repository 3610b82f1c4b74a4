from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.exact.systems import METAL, OXIDE, crystal_on, numbers_of, plain_orbits, small_grids
from tests.strategies import seeds

from nucleate.crystal.cells import cell_from_parameters
from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.exact.cells import centring, crystal_system, tasks_of
from nucleate.exact.check import recomputed_orbits
from nucleate.exact.grid import (
    Grid,
    divisors,
    fitting_shape,
    generators,
    operations,
    orbits_of,
)
from nucleate.exact.normaliser import permutations
from nucleate.exact.tables import constant_energy, pair_tables
from nucleate.potentials.spp import shipped_library

_CELLS = {
    "triclinic": ((4, 5, 6), (80, 95, 103)), "monoclinic": ((4, 5, 6), (90, 105, 90)),
    "orthorhombic": ((4, 5, 6), (90, 90, 90)), "tetragonal": ((4, 4, 6), (90, 90, 90)),
    "hexagonal": ((4, 4, 6), (90, 90, 120)), "cubic": ((5, 5, 5), (90, 90, 90)),
}  # fmt: skip


def grid_for(number: int) -> Grid:
    shape = fitting_shape(number, (4.0, 4.0, 4.0))
    return Grid(cell_from_parameters(*_CELLS[crystal_system(number)]), shape)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [1, 2, 12, 15, 62, 88, 136, 139, 148, 166, 194, 199, 205, 225])
def test_orbits_are_those_of_exact_arithmetic(number: int) -> None:
    grid = grid_for(number)
    found = {frozenset(members.tolist()) for members in orbits_of(number, grid).members}
    assert found == plain_orbits(number, grid.shape)
    assert found == {frozenset(orbit) for orbit in recomputed_orbits(number, grid.shape)}


@pytest.mark.parametrize("number", range(1, 231, 7))
def test_operations_are_those_of_another_program(number: int) -> None:
    gemmi = pytest.importorskip("gemmi")
    rotations, shifts = operations(number)
    ours = {(r.tobytes(), tuple(t)) for r, t in zip(rotations, shifts.tolist(), strict=True)}
    group = gemmi.find_spacegroup_by_number(number)
    if group.qualifier == "" or centring(number) == len(group.operations().cen_ops):
        theirs = group.operations()
        assert len(ours) == len(theirs)


def test_groups_that_do_not_fit_are_refused() -> None:
    cubic = Grid(np.eye(3) * 4.0, (3, 3, 3))
    with pytest.raises(InputError, match="Use 4x4x4"):
        orbits_of(227, cubic)
    with pytest.raises(InputError, match="crystal system"):
        orbits_of(194, Grid(np.eye(3) * 4.0, (6, 6, 6)))
    with pytest.raises(InputError, match="1 to 230"):
        operations(231)
    assert divisors(227) == (4, 4, 4)


@settings(max_examples=25)
@given(small_grids(most=18), seeds, st.sampled_from(["oxide", "metal", "proxy"]))
def test_tables_give_the_energy_of_the_model(grid: Grid, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    counts = {"O": 3, "Sr": 1, "Ti": 1} if kind == "oxide" else {"Cu": 2, "Au": 2}
    assume(grid.size >= sum(counts.values()))
    source = {"oxide": OXIDE, "metal": METAL, "proxy": shipped_library()}[kind]
    numbers = sorted(numbers_of(counts))
    model = source.model(numbers)
    tables = pair_tables(model, grid)
    points = rng.choice(grid.size, size=len(numbers), replace=False)
    kinds = np.searchsorted(model.elements, numbers)
    number = np.bincount(kinds, minlength=len(model.elements))
    total = constant_energy(model, grid, number) + tables.single[kinds].sum()
    for i in range(len(numbers)):
        gap = grid.points[points[i + 1 :]] - grid.points[points[i]]
        total += tables.pair[kinds[i], kinds[i + 1 :], grid.index(gap)].sum()
    expected = model.evaluate(crystal_on(grid, numbers, points.tolist())).energy
    assert total == pytest.approx(expected, rel=1e-9, abs=1e-7)


@settings(max_examples=25)
@given(small_grids(), seeds, st.sampled_from([1, 2]))
def test_permutations_keep_energies(grid: Grid, seed: int, number: int) -> None:
    orbits = orbits_of(number, grid)
    moves = permutations(number, grid, orbits)
    assert (np.sort(moves, axis=1) == np.arange(orbits.first.size)).all()
    assert (orbits.size[moves] == orbits.size).all()
    rng = np.random.default_rng(seed)
    model = METAL.model([29, 79])
    chosen = rng.choice(orbits.first.size, size=min(3, orbits.first.size), replace=False)
    types = rng.integers(0, 2, size=chosen.size)
    energies = []
    for move in moves[rng.integers(0, len(moves), size=4)]:
        members = [orbits.members[o] for o in move[chosen]]
        numbers = [(29, 79)[t] for t, m in zip(types, members, strict=True) for _ in m]
        crystal = crystal_on(grid, numbers, np.concatenate(members).tolist())
        energies.append(model.evaluate(crystal).energy)
    assert energies == pytest.approx([energies[0]] * 4, rel=1e-9, abs=1e-7)


def test_a_primitive_cubic_grid_has_all_its_isometries() -> None:
    grid = Grid(np.eye(3) * 4.0, (3, 3, 3))
    assert len(permutations(1, grid, orbits_of(1, grid))) == 48 * 27


@pytest.mark.parametrize("number", [1, 2, 62, 141, 194, 206, 227, 230])
def test_generators_make_the_whole_group(number: int) -> None:
    rotations, shifts = operations(number)
    few = generators(number)
    assert len(few) <= 8
    known = {(np.eye(3, dtype=np.int64).tobytes(), np.zeros(3, dtype=np.int64).tobytes())}
    while True:
        more = set(known)
        for r, t in known:
            matrix, shift = np.frombuffer(r, np.int64).reshape(3, 3), np.frombuffer(t, np.int64)
            for g in few:
                image = (rotations[g] @ shift + shifts[g]) % 24
                more.add(((rotations[g] @ matrix).tobytes(), image.tobytes()))
        if more == known:
            break
        known = more
    assert len(known) == len(rotations)


@pytest.mark.parametrize(("formula", "group"), [("Ca3Ti2O7", 139), ("Al2O3", 167), ("NaCl", 225)])
def test_primitive_cells_hold_whole_formula_units(formula: str, group: int) -> None:
    composition = Composition.from_formula(formula)
    tasks = tasks_of(composition, max_atoms=2 * composition.n_atoms, groups=(group,))
    assert {task.formula_units for task in tasks} == {centring(group), 2 * centring(group)}
