"""Good arrangements by simulated annealing: starts for the solver, and its rivals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.exact.problem import Problem

_CLASH = 1e4  # eV: what two atoms at a forbidden distance cost while annealing
_HOT, _COLD = 30.0, 0.05  # eV
_WORK = 3e8  # energies between orbits that are summed in one call


def anneal(
    problem: Problem, *, sweeps: int = 60, restarts: int = 24, rng: np.random.Generator
) -> list[tuple[float, NDArray[np.int64]]]:
    """Return different arrangements without clashes, lowest energy first.

    Parameters
    ----------
    problem
        What to place where.
    sweeps
        Trials per orbit and restart.
    restarts
        Random starts, fewer on large grids; each may give one arrangement.
    rng
        The only source of randomness.

    Returns
    -------
    list of (float, ndarray)
        Energy in eV per cell and the variables that are 1; no two are images of each other.
    """
    n_orbits = int(problem.orbits.first.size)
    n_kinds = problem.counts.size
    lookup = np.full((n_kinds + 1, n_orbits), -1, dtype=np.int64)
    lookup[problem.kind, problem.orbit] = np.arange(problem.n_variables)
    cost = np.where(problem.conflict, _CLASH, problem.quadratic)
    best: dict[bytes, tuple[float, NDArray[np.int64]]] = {}
    for _ in range(max(4, min(restarts, int(_WORK / (sweeps * n_orbits**2))))):
        start = _random_fill(problem, lookup, rng)
        if start is None:
            continue
        draws = rng.random((sweeps * n_orbits, 3))
        held = _anneal(start, lookup, problem.orbits.size, problem.linear, cost, draws, _HOT, _COLD)
        chosen = np.sort(lookup[held[held < n_kinds], np.flatnonzero(held < n_kinds)])
        if problem.is_arrangement(chosen):
            image = np.sort(problem.images[:, chosen], axis=1)
            head = image[np.lexsort(image.T[::-1])[0]]
            best.setdefault(head.tobytes(), (problem.energy(head), head))
    return sorted(best.values(), key=lambda pair: (pair[0], pair[1].tolist()))


def _random_fill(
    problem: Problem, lookup: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64] | None:
    """Return an element index for each orbit, right in number; None after many failures."""
    order = np.argsort(problem.counts, kind="stable")
    for _ in range(40):
        draws = rng.random((2, order.size, lookup.shape[1]))
        held = _filled(order, problem.counts, problem.orbits.size, lookup, draws)
        if held.size:
            return held
    return None


@njit(cache=True)
def _filled(order, counts, sizes, lookup, draws):
    """Put each element on random free orbits whose sizes add up to its number; empty if none do."""
    n_kinds, n_orbits = order.size, lookup.shape[1]
    held = np.full(n_orbits, n_kinds, np.int64)
    for row in range(n_kinds):
        k = order[row]
        left = counts[k]
        ranked = np.argsort(draws[0, row])
        free = ranked[(held[ranked] == n_kinds) & (lookup[k, ranked] >= 0)]
        tails = np.zeros((free.size + 1, left + 1), np.bool_)
        tails[free.size, 0] = True
        for m in range(free.size - 1, -1, -1):
            size = sizes[free[m]]
            for total in range(left + 1):
                more = total >= size and tails[m + 1, total - size]
                tails[m, total] = tails[m + 1, total] or more
        if not tails[0, left]:
            return held[:0]
        for m in range(free.size):
            if left == 0:
                break
            size = sizes[free[m]]
            take = size <= left and tails[m + 1, left - size]
            if take and (not tails[m + 1, left] or draws[1, row, m] < 0.7):
                held[free[m]] = k
                left -= size
    return held


@njit(cache=True)
def _field(lookup, linear, cost, held, k, orbit, skip, empty):
    """Return the energy of element k on an orbit, all other orbits but ``skip`` as they are."""
    u = lookup[k, orbit]
    if u < 0:
        return 1e8
    total = linear[u]
    for other in range(held.size):
        kind = held[other]
        if kind != empty and other not in (orbit, skip):
            v = lookup[kind, other]
            if v >= 0:
                total += cost[u, v]
    return total


@njit(cache=True)
def _anneal(held, lookup, size, linear, cost, draws, hot, cold):
    """Exchange the contents of two orbits of one size; return the best contents met."""
    n, empty = held.size, lookup.shape[0] - 1
    energy = lowest = 0.0
    best = held.copy()
    for step in range(draws.shape[0]):
        temperature = hot * (cold / hot) ** (step / draws.shape[0])
        a = min(int(draws[step, 0] * n), n - 1)
        b = min(int(draws[step, 1] * n), n - 1)
        if a == b or held[a] == held[b] or size[a] != size[b]:
            continue
        p, q = held[a], held[b]
        change = 0.0
        if p != empty:
            change -= _field(lookup, linear, cost, held, p, a, b, empty)
            change += _field(lookup, linear, cost, held, p, b, a, empty)
        if q != empty:
            change -= _field(lookup, linear, cost, held, q, b, a, empty)
            change += _field(lookup, linear, cost, held, q, a, b, empty)
        if p != empty and q != empty:
            change -= cost[lookup[p, a], lookup[q, b]]
            if lookup[p, b] >= 0 and lookup[q, a] >= 0:
                change += cost[lookup[p, b], lookup[q, a]]
        if change <= 0.0 or draws[step, 2] < np.exp(-change / temperature):
            held[a], held[b] = q, p
            energy += change
            if energy < lowest - 1e-9:
                lowest = energy
                best[:] = held
    return best
