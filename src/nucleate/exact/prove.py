"""Prove one grid: its k lowest arrangements, and a bound that nothing on it lies below."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.exact.anneal import anneal
from nucleate.exact.certificate import Found, Proof
from nucleate.exact.exhaustive import count_arrangements, enumerate_arrangements
from nucleate.exact.solver import TOLERANCE, Limits, Progress, Solution, Status, check_memory, solve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nucleate.exact.problem import Problem

FEW = 1e11
"""Arrangements up to which all of them are tried first for most of the time."""

VERY_FEW = 1e6
"""Arrangements up to which annealing would only cost time."""

_FIRST_SHARE = 0.1
Ranked = list[tuple[float, "NDArray[np.int64]"]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a problem; energies in eV per cell.

    Attributes
    ----------
    status : Status
        ``optimal`` and ``no arrangement`` are complete proofs.
    method : str
        ``enumeration``, ``HiGHS`` or ``none``.
    bound : float or None
        No arrangement lies below it; None where nothing was proven.
    ranked : list of (float, ndarray)
        The lowest arrangements known, no two of them images of each other.
    n_proven : int
        How many of them, from the lowest, are proven to be the lowest of all.
    solve_s : float
        Seconds of annealing, enumeration and solver.
    steps : int
        Placements tried, or nodes of the solver.
    """

    status: Status
    method: str
    bound: float | None
    ranked: Ranked = field(repr=False)
    n_proven: int
    solve_s: float
    steps: int


def prove(
    problem: Problem,
    limits: Limits | None = None,
    *,
    keep: int = 3,
    starts: Sequence[NDArray[np.int64]] = (),
    rng: np.random.Generator,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Find the lowest arrangements and prove as much as the limits allow.

    Annealing gives arrangements to beat, unless there are very few. Where there are few
    arrangements, or the solver has no memory for its linear program, every one is tried; else HiGHS
    solves the problem after a short attempt at that.

    Parameters
    ----------
    problem
        What to place where.
    limits
        Time, memory and threads for this problem.
    keep
        Arrangements wanted.
    starts
        Arrangements that are known already, as variables that are 1; others are ignored.
    rng
        Randomness of the annealing; proofs do not depend on it.
    on_progress
        Called with bound and best while the solver runs.
    """
    limits = limits or Limits()
    begun = time.perf_counter()
    if problem.n_variables == 0 or problem.is_empty:
        return Outcome(Status.INFEASIBLE, "enumeration", None, [], 0, 0.0, 0)
    ways = count_arrangements(problem)
    known = anneal(problem, restarts=200, rng=rng) if ways > VERY_FEW else []
    given = [(problem.energy(s), s) for s in starts if problem.is_arrangement(s)]
    known = _merged(problem, [*given, *known]) if given else known
    few = ways / problem.images.shape[0] <= FEW
    fits = problem.memory_mb <= limits.memory_mb
    share = limits.seconds if few or not fits else max(1.0, _FIRST_SHARE * limits.seconds)
    ceiling = known[keep - 1][0] + 1e-6 if len(known) >= keep else np.inf
    every = enumerate_arrangements(
        problem, keep=keep, seconds=min(share, limits.seconds), ceiling=ceiling
    )
    ranked = _merged(problem, [*every.found, *known])[:keep]
    spent = time.perf_counter() - begun
    if every.complete:
        status = Status.OPTIMAL if ranked else Status.INFEASIBLE
        bound = ranked[0][0] if ranked else None
        return Outcome(status, "enumeration", bound, ranked, len(ranked), spent, every.steps)
    if few or not fits or spent >= limits.seconds:
        return Outcome(Status.TIME, "none", None, ranked, 0, spent, every.steps)
    return _with_solver(problem, limits, ranked, keep, begun, on_progress)


def _with_solver(
    problem: Problem,
    limits: Limits,
    known: Ranked,
    keep: int,
    begun: float,
    on_progress: Callable[[Progress], None] | None,
) -> Outcome:
    """Let HiGHS find one arrangement after the other, each time without those before."""
    proven: Ranked = []
    first: Solution | None = None
    nodes = 0
    while len(proven) < keep:
        left = limits.seconds - (time.perf_counter() - begun)
        if left <= 0.0 and first is not None:
            break
        start = next((c for _, c in known if not _is_among(problem, c, proven)), None)
        solution = solve(
            problem, Limits(max(left, 0.1), limits.memory_mb, limits.threads), start=start,
            excluded=[chosen for _, chosen in proven], on_progress=on_progress,
        )  # fmt: skip
        first = first or solution
        nodes += solution.nodes
        if solution.energy is not None and solution.chosen is not None:
            known = _merged(problem, [(solution.energy, solution.chosen), *known])
        if solution.status != Status.OPTIMAL or solution.energy is None:
            break
        proven.append((solution.energy, solution.chosen))  # type: ignore[arg-type]
    assert first is not None
    ranked = _merged(problem, [*proven, *known])[:keep]
    bound = first.bound if not ranked or first.bound is None else min(first.bound, ranked[0][0])
    status = first.status
    if status == Status.INFEASIBLE and ranked:
        status = Status.FAILED  # an arrangement is known: the solver's proof is wrong
        bound = None
    return Outcome(
        status, "HiGHS" if bound is not None or status == Status.INFEASIBLE else "none", bound,
        ranked, len(proven), time.perf_counter() - begun, nodes,
    )  # fmt: skip


def _merged(problem: Problem, pairs: Ranked) -> Ranked:
    """Return arrangements in order of energy, one of each set of images."""
    found: dict[bytes, tuple[float, NDArray[np.int64]]] = {}
    for energy, chosen in pairs:
        images = np.sort(problem.images[:, chosen], axis=1)
        head = images[np.lexsort(images.T[::-1])[0]]
        found.setdefault(head.tobytes(), (energy, head))
    return sorted(found.values(), key=lambda pair: (round(pair[0], 6), pair[1].tolist()))


def _is_among(problem: Problem, chosen: NDArray[np.int64], others: Ranked) -> bool:
    return len(_merged(problem, [*others, (0.0, chosen)])) == len(_merged(problem, others))


def proof_of(problem: Problem, outcome: Outcome, *, formula_units: int, build_s: float) -> Proof:
    """Return the record of an outcome for a certificate."""
    symbols = {z: element(z).symbol for z in problem.elements}
    found = [
        Found(
            energy=energy,
            places={symbols[z]: p for z, p in problem.occupation(chosen).items()},
            proven=rank < outcome.n_proven,
        )
        for rank, (energy, chosen) in enumerate(outcome.ranked)
    ]
    rows = [tuple(float(x) for x in row) for row in problem.grid.cell]
    return Proof(
        formula_units=formula_units,
        space_group=problem.space_group,
        cell=(rows[0], rows[1], rows[2]),  # type: ignore[arg-type]
        grid=problem.grid.shape,
        counts={symbols[z]: int(n) for z, n in zip(problem.elements, problem.counts, strict=True)},
        orbits=[members.tolist() for members in problem.orbits.members],
        variables=problem.n_variables,
        products=problem.n_products,
        status=outcome.status.value,
        method=outcome.method,  # type: ignore[arg-type]
        bound=outcome.bound,
        found=found,
        build_s=build_s,
        solve_s=outcome.solve_s,
        steps=outcome.steps,
    )


def require_possible(problem: Problem) -> None:
    """Raise an `InputError` if a grid that the user asked for holds no arrangement at all.

    Raises
    ------
    InputError
        With the element that finds no place, and why.
    """
    from nucleate.exact.problem import subset_sums

    spacing = " x ".join(f"{value:.2f}" for value in problem.grid.spacing)
    for k, count in enumerate(problem.counts):
        sizes = problem.size[problem.kind == k]
        if not subset_sums(sizes, int(count))[count]:
            symbol = element(problem.elements[k]).symbol
            raise InputError(
                f"grid = {problem.grid.name}: no orbits of space group {problem.space_group} that "
                f"keep the least distances hold {count} {symbol} (sizes "
                f"{sorted(set(sizes.tolist()))}; "
                f"spacing {spacing} Å). Use a finer grid, another number of formula units, or a "
                "group of lower symmetry."
            )


__all__ = [
    "TOLERANCE", "Limits", "Outcome", "Status", "check_memory", "proof_of", "prove",
    "require_possible",
]  # fmt: skip
