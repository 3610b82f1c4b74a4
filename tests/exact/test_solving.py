from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.exact.systems import (
    METAL,
    OXIDE,
    by_number,
    crystal_on,
    distances,
    numbers_of,
    shortest,
    small_grids,
)
from tests.strategies import seeds

from nucleate.errors import InputError
from nucleate.exact.anneal import anneal
from nucleate.exact.exhaustive import count_arrangements, enumerate_arrangements
from nucleate.exact.grid import Grid
from nucleate.exact.linearise import linear_program, symmetry_images
from nucleate.exact.problem import Problem, build_problem
from nucleate.exact.prove import prove, require_possible
from nucleate.exact.solver import Limits, Status, check_memory, solve

pytest.importorskip("highspy")


def problem_on(grid: Grid, counts: dict[str, int], group: int, limit: float) -> Problem:
    source = OXIDE if "O" in counts else METAL
    model = source.model(numbers_of(counts))
    return build_problem(model, grid, group, by_number(counts), distances(limit))


def every_energy(problem: Problem) -> list[float]:
    """Energies of all arrangements, found orbit set by orbit set."""
    parts = []
    for k, count in enumerate(problem.counts):
        own = np.flatnonzero(problem.kind == k)
        parts.append(
            [
                s
                for m in range(1, len(own) + 1)
                for s in combinations(own.tolist(), m)
                if problem.size[list(s)].sum() == count
            ]
        )
    sets: list[tuple[int, ...]] = [()]
    for part in parts:
        sets = [one + two for one in sets for two in part]
    right = [np.array(s) for s in sets if problem.is_arrangement(np.array(s))]
    return sorted(problem.energy(chosen) for chosen in right)


@settings(max_examples=20)
@given(small_grids(most=8), st.sampled_from([1, 2]), st.floats(0.5, 2.0))
def test_bounds_are_the_lowest_of_all(grid: Grid, group: int, limit: float) -> None:
    counts = {"Cu": 2, "Au": 2}
    problem = problem_on(grid, counts, group, limit)
    energies = every_energy(problem)
    every = enumerate_arrangements(problem, keep=3)
    solution = solve(problem)
    outcome = prove(problem, keep=3, rng=np.random.default_rng(0))
    assert every.complete
    if not energies:
        assert not every.found
        assert solution.status == Status.INFEASIBLE
        assert outcome.status == Status.INFEASIBLE
        return
    assert every.found[0][0] == pytest.approx(energies[0], rel=1e-9, abs=1e-8)
    assert solution.status == Status.OPTIMAL
    assert solution.energy == pytest.approx(energies[0], rel=1e-6, abs=1e-5)
    assert solution.bound is not None
    assert solution.bound <= energies[0] + 1e-9
    levels = [every.found[0][0]]
    for energy, _ in every.found:  # the levels kept are the lowest ones, none left out
        if energy > levels[-1] + 1e-6:
            levels.append(energy)
    spectrum = [energies[0]]
    for energy in energies:
        if energy > spectrum[-1] + 1e-6:
            spectrum.append(energy)
    assert levels == pytest.approx(spectrum[: len(levels)], rel=1e-9, abs=1e-7)
    assert [e for e, _ in outcome.ranked] == pytest.approx([e for e, _ in every.found])


@settings(max_examples=10)
@given(small_grids(most=12), seeds)
def test_energies_and_contacts_are_those_of_the_crystal(grid: Grid, seed: int) -> None:
    counts = {"Sr": 1, "Ti": 1, "O": 3}
    problem = problem_on(grid, counts, 1, 1.6)
    found = anneal(problem, restarts=6, rng=np.random.default_rng(seed))
    model = OXIDE.model(numbers_of(counts))
    for energy, chosen in found:
        crystal = problem.crystal(chosen)
        assert energy == pytest.approx(model.evaluate(crystal).energy, rel=1e-9)
        if np.linalg.cond(grid.cell) < 4.0:
            assert shortest(crystal) >= 1.6 - 1e-6


def test_the_solver_proves_perovskite() -> None:
    grid = Grid(np.eye(3) * 3.9, (4, 4, 4))
    problem = problem_on(grid, {"Sr": 1, "Ti": 1, "O": 3}, 1, 1.35)
    news = []
    solution = solve(problem, Limits(seconds=60), on_progress=news.append)
    every = enumerate_arrangements(problem)
    assert solution.status == Status.OPTIMAL
    assert every.complete
    assert solution.energy == pytest.approx(every.found[0][0], rel=1e-8)
    assert solution.bound is not None
    assert solution.bound <= every.found[0][0]
    assert solution.gap == pytest.approx(0.0, abs=1e-3)


def test_excluded_arrangements_take_their_images_along() -> None:
    grid = Grid(np.eye(3) * 4.2, (2, 2, 2))
    problem = problem_on(grid, {"Cu": 2, "Au": 2}, 1, 1.0)
    every = enumerate_arrangements(problem, keep=4)
    first = solve(problem)
    assert first.chosen is not None
    second = solve(problem, excluded=[first.chosen])
    assert second.energy == pytest.approx(every.found[1][0])
    images = symmetry_images(problem, first.chosen)
    assert len(images) > 1
    assert all(problem.energy(i) == pytest.approx(first.energy) for i in images)


def test_the_linear_program_holds_at_every_arrangement() -> None:
    grid = Grid(np.array([[4.0, 0.0, 0.0], [1.0, 3.8, 0.0], [0.4, 0.9, 4.4]]), (2, 2, 2))
    problem = problem_on(grid, {"Cu": 2, "Au": 2}, 1, 1.0)
    program = linear_program(problem, break_symmetry=False)
    from scipy.sparse import csr_array

    shape = (program.n_rows, program.cost.size)
    matrix = csr_array((program.value, program.index, program.start), shape=shape)
    for _, chosen in anneal(problem, rng=np.random.default_rng(0)):
        point = program.point(chosen)
        rows = matrix @ point
        assert (rows >= program.lower - 1e-9).all()
        assert (rows <= program.upper + 1e-9).all()
        assert program.cost @ point + problem.constant == pytest.approx(problem.energy(chosen))


@pytest.mark.parametrize("limits", [Limits(seconds=0.01), Limits(cpu_seconds=0.05)])
def test_what_stops_early_is_not_proven(limits: Limits) -> None:
    grid = Grid(np.eye(3) * 7.8, (8, 8, 8))
    counts = {"Sr": 8, "Ti": 8, "O": 24}
    problem = problem_on(grid, counts, 195, 1.3)
    solution = solve(problem, limits)
    assert solution.status == Status.TIME
    if solution.bound is not None:
        assert solution.bound < -1267.36
    few = enumerate_arrangements(problem, seconds=60)
    assert few.complete
    assert few.found[0][0] < -1267.3
    with pytest.raises(InputError, match="memory_mb = 1"):
        check_memory(problem, Limits(memory_mb=1.0))


def test_a_grid_without_room_says_so() -> None:
    grid = Grid(np.eye(3) * 3.9, (2, 2, 2))
    problem = problem_on(grid, {"Sr": 1, "Ti": 1, "O": 3}, 1, 2.5)
    with pytest.raises(InputError, match="Use a finer grid"):
        require_possible(problem_on(grid, {"Sr": 1, "Ti": 1, "O": 3}, 1, 5.0))
    outcome = prove(problem, rng=np.random.default_rng(0))
    assert outcome.status == Status.INFEASIBLE
    assert outcome.bound is None


def test_counts_of_arrangements_are_right_without_contacts() -> None:
    grid = Grid(np.eye(3) * 6.0, (2, 2, 2))
    problem = problem_on(grid, {"Cu": 2, "Au": 2}, 1, 0.1)
    assert count_arrangements(problem) == 28 * 15
    assert len(every_energy(problem)) == 28 * 15
    crystal = crystal_on(grid, [29, 79], [0, 1])
    assert crystal.n_atoms == 2
