"""Solve a problem with HiGHS: the lowest arrangement, and a bound that nothing lies below."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError, MissingDependencyError
from nucleate.exact.linearise import LinearProgram, linear_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.exact.problem import Problem

TOLERANCE = 1e-6
"""Of an energy: solver tolerances make no proof finer than this (relative, and in eV)."""


class Status(StrEnum):
    """How a solution ended."""

    OPTIMAL = "optimal"
    TIME = "time limit"
    MEMORY = "memory limit"
    INFEASIBLE = "no arrangement"
    FAILED = "solver failed"


@dataclass(frozen=True, slots=True)
class Limits:
    """When the solver stops.

    Attributes
    ----------
    seconds : float
        Wall time of one solution.
    memory_mb : float
        Memory of the process; larger problems are refused, growing ones are stopped.
    threads : int
        Threads of the solver.
    cpu_seconds : float
        Processor time of one solution, for machines that are shared.
    """

    seconds: float = 60.0
    memory_mb: float = 4000.0
    threads: int = 1
    cpu_seconds: float = float("inf")


@dataclass(frozen=True, slots=True)
class Progress:
    """What the solver knows while it runs; energies in eV per cell.

    Attributes
    ----------
    seconds : float
    bound, best : float
        Proven so far, and lowest arrangement so far (infinite before there is one).
    nodes : int
        Nodes of the search tree.
    """

    seconds: float
    bound: float
    best: float
    nodes: int

    @property
    def gap(self) -> float:
        """Best minus bound in eV."""
        return self.best - self.bound


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What was found and proven.

    Attributes
    ----------
    status : Status
        Only ``optimal`` and ``no arrangement`` are complete proofs.
    bound : float or None
        No arrangement (but those excluded) lies below it, in eV per cell; None where nothing was
        proven.
    energy : float or None
        Energy of ``chosen`` in eV per cell.
    chosen : ndarray of int64 or None
        Variables that are 1.
    build_s, solve_s : float
        Seconds to make the linear program and to solve it.
    nodes : int
        Nodes of the search tree.
    n_rows, n_products : int
        Size of the linear program.
    """

    status: Status
    bound: float | None
    energy: float | None
    chosen: NDArray[np.int64] | None
    build_s: float
    solve_s: float
    nodes: int
    n_rows: int
    n_products: int
    history: tuple[Progress, ...] = field(default=(), repr=False)

    @property
    def gap(self) -> float | None:
        """Energy minus bound in eV, where both are known."""
        if self.bound is None or self.energy is None:
            return None
        return max(0.0, self.energy - self.bound)


def solve(
    problem: Problem,
    limits: Limits | None = None,
    *,
    start: NDArray[np.int64] | None = None,
    excluded: Sequence[NDArray[np.int64]] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Solution:
    """Return the lowest arrangement of a problem and the bound that was proven.

    Parameters
    ----------
    problem
        What to place where.
    limits
        When to stop.
    start
        An arrangement to start from.
    excluded
        Arrangements to leave out, with their symmetry images.
    on_progress
        Called with every report of the solver.

    Raises
    ------
    InputError
        If the problem does not fit the memory.
    MissingDependencyError
        If highspy is not installed.
    """
    limits = limits or Limits()
    if problem.is_empty or problem.n_variables == 0:
        return Solution(Status.INFEASIBLE, None, None, None, 0.0, 0.0, 0, 0, 0)
    check_memory(problem, limits)
    begun = time.perf_counter()
    program = linear_program(problem, excluded)
    built = time.perf_counter()
    run = _Run(program, problem, limits, on_progress)
    run.solve(_usable(problem, program, start))
    return run.solution(built - begun, time.perf_counter() - built)


def check_memory(problem: Problem, limits: Limits) -> None:
    """Raise an `InputError` if a problem needs more memory than it may have."""
    if problem.memory_mb > limits.memory_mb:
        raise InputError(
            f"grid = {problem.grid.name} in space group {problem.space_group}: "
            f"{problem.n_variables} variables and {problem.n_products} products need about "
            f"{problem.memory_mb:.0f} MB, but memory_mb = {limits.memory_mb:.0f}. Use a coarser "
            "grid, a group of higher symmetry, or more memory."
        )


def _usable(
    problem: Problem, program: LinearProgram, start: NDArray[np.int64] | None
) -> NDArray[np.int64] | None:
    """Return the symmetry image of a start that the program allows."""
    if start is None or not problem.is_arrangement(start):
        return None
    images = np.sort(problem.images[:, start], axis=1)
    fixed = np.flatnonzero(program.column_lower[: program.n_binary] > 0.5)
    if not fixed.size:
        return start
    allowed = np.flatnonzero((images == fixed[0]).any(axis=1))
    return images[allowed[0]] if allowed.size else None


class _Run:
    """One run of HiGHS."""

    def __init__(
        self,
        program: LinearProgram,
        problem: Problem,
        limits: Limits,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._program, self._problem, self._limits = program, problem, limits
        self._on_progress = on_progress
        self._history: list[Progress] = []
        self._out_of_memory = self._out_of_time = False
        self._begun_cpu = time.process_time()
        self._highs = _loaded(program, problem.constant)
        for key, value in {
            "time_limit": float(limits.seconds), "threads": limits.threads,
            "mip_rel_gap": 1e-8, "mip_abs_gap": 1e-6, "mip_feasibility_tolerance": 1e-7,
            "primal_feasibility_tolerance": 1e-8, "dual_feasibility_tolerance": 1e-8,
        }.items():  # fmt: skip
            self._highs.setOptionValue(key, value)

    def solve(self, start: NDArray[np.int64] | None) -> None:
        import highspy

        if start is not None:
            solution = highspy.HighsSolution()
            solution.col_value = self._program.point(start).tolist()
            self._highs.setSolution(solution)
        self._highs.cbMipLogging += self._log
        self._highs.cbMipInterrupt += self._watch
        self._highs.solve()

    def _log(self, event: Any) -> None:
        out = event.data_out
        self._history.append(
            Progress(
                float(out.running_time),
                float(out.mip_dual_bound),
                float(out.mip_primal_bound),
                int(out.mip_node_count),
            )
        )
        if self._on_progress is not None:
            self._on_progress(self._history[-1])

    def _watch(self, event: Any) -> None:
        if resident_mb() > self._limits.memory_mb:
            self._out_of_memory = True
        if time.process_time() - self._begun_cpu > self._limits.cpu_seconds:
            self._out_of_time = True
        if self._out_of_memory or self._out_of_time:
            event.interrupt()

    def solution(self, build_s: float, solve_s: float) -> Solution:
        highs, problem = self._highs, self._problem
        import highspy

        model_status = highs.getModelStatus()
        info = highs.getInfo()
        status = Status.FAILED
        if model_status == highspy.HighsModelStatus.kOptimal:
            status = Status.OPTIMAL
        elif model_status == highspy.HighsModelStatus.kInfeasible:
            status = Status.INFEASIBLE
        elif model_status == highspy.HighsModelStatus.kTimeLimit:
            status = Status.TIME
        elif self._out_of_memory:
            status = Status.MEMORY
        elif self._out_of_time:
            status = Status.TIME
        chosen, energy = self._found()
        bound = float(info.mip_dual_bound)
        proven: float | None = None
        if status != Status.INFEASIBLE and np.isfinite(bound) and bound > -1e15:
            proven = bound - TOLERANCE * (1.0 + abs(bound))
            if energy is not None:
                proven = min(proven, energy)
        if status == Status.OPTIMAL and (
            energy is None or proven is None or energy - proven > 10 * TOLERANCE * (1 + abs(energy))
        ):
            status = Status.FAILED
        return Solution(
            status, proven, energy, chosen, build_s, solve_s, int(info.mip_node_count),
            self._program.n_rows, problem.n_products, tuple(self._history),
        )  # fmt: skip

    def _found(self) -> tuple[NDArray[np.int64] | None, float | None]:
        """Return the solver's arrangement where it is one, with its energy by the tables."""
        values = np.array(self._highs.getSolution().col_value)[: self._program.n_binary]
        if values.size != self._program.n_binary:
            return None, None
        chosen = np.flatnonzero(values > 0.5)
        if not self._problem.is_arrangement(chosen):
            return None, None
        return chosen, self._problem.energy(chosen)


def _loaded(program: LinearProgram, offset: float) -> Any:
    try:
        import highspy
    except ImportError as error:
        raise MissingDependencyError(
            "the solver HiGHS is not installed. Install it with: pip install 'nucleate[exact]'"
        ) from error
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = program.cost.size, program.n_rows
    lp.col_cost_, lp.offset_ = program.cost, offset
    lp.col_lower_ = program.column_lower
    lp.col_upper_ = np.ones(program.cost.size)
    lp.row_lower_, lp.row_upper_ = program.lower, program.upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = program.start, program.index
    lp.a_matrix_.value_ = program.value
    kinds = [highspy.HighsVarType.kInteger] * program.n_binary
    lp.integrality_ = kinds + [highspy.HighsVarType.kContinuous] * program.first.size
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    if highs.passModel(lp) == highspy.HighsStatus.kError:
        raise ValueError("HiGHS refuses the linear program")
    return highs


def resident_mb() -> float:
    """Return the memory that this process holds in MB; 0 where the system does not say."""
    from pathlib import Path

    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
