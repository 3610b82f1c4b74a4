"""Every arrangement of a problem, one by one: a proof without a solver where there are few.

Elements are placed one after another, each on sets of orbits in a fixed order, so that no set is
met twice. A branch ends where atoms come too close, where the orbits left cannot make up the
number of atoms, where the first element's set is an image of one met before, or where even the
cheapest way to place the last element lies above the best arrangements known.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.exact.problem import subset_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.exact.problem import Problem

_CHUNK = 1_000_000
"""Steps between two looks at the clock."""


@dataclass(frozen=True, slots=True, eq=False)
class Enumeration:
    """The outcome of going through every arrangement.

    Attributes
    ----------
    complete : bool
        Whether none was left out; only then the energies are proven.
    found : list of (float, ndarray)
        The lowest arrangements, no two of them images of each other: energy in eV per cell and
        the variables that are 1.
    met : int
        Arrangements whose energy was computed.
    steps : int
        Placements tried.
    seconds : float
        Wall time.
    """

    complete: bool
    found: list[tuple[float, NDArray[np.int64]]]
    met: int
    steps: int
    seconds: float


def count_arrangements(problem: Problem) -> float:
    """Return how many arrangements there are at most: all with the right numbers of atoms.

    Atoms that come too close and symmetry images are counted too.
    """
    ways = np.zeros(tuple(problem.counts + 1))
    ways[(0,) * problem.counts.size] = 1.0
    for orbit in np.unique(problem.orbit):
        new = ways.copy()
        for u in np.flatnonzero(problem.orbit == orbit):
            axis, size = int(problem.kind[u]), int(problem.size[u])
            target, source = [slice(None)] * ways.ndim, [slice(None)] * ways.ndim
            target[axis], source[axis] = slice(size, None), slice(None, -size)
            new[tuple(target)] += ways[tuple(source)]
        ways = new
    return float(ways[tuple(problem.counts)])


def enumerate_arrangements(
    problem: Problem,
    *,
    keep: int = 1,
    seconds: float = 60.0,
    ceiling: float = np.inf,
) -> Enumeration:
    """Return the lowest arrangements by going through all.

    Parameters
    ----------
    problem
        What to place where.
    keep
        How many to return.
    seconds
        Wall time after which to give up.
    ceiling
        Energy in eV per cell above which arrangements are of no interest; only branches that lie
        above it entirely are skipped.
    """
    begun = time.perf_counter()
    if problem.is_empty or problem.n_variables == 0:
        return Enumeration(True, [], 0, 0, 0.0)
    search = _Search(problem, keep, ceiling)
    complete = search.run(begun + seconds)
    return Enumeration(
        complete, search.found(), int(search.counters[1]), int(search.counters[0]),
        time.perf_counter() - begun,
    )  # fmt: skip


class _Search:
    """Arrays of a depth-first search that can pause."""

    def __init__(self, problem: Problem, keep: int, ceiling: float) -> None:
        self._problem = problem
        kinds = _order_of_elements(problem)
        rank = np.argsort(kinds)
        order = np.lexsort((problem.orbit, -problem.size, rank[problem.kind]))
        self._order = order
        place = np.argsort(order)
        kind = rank[problem.kind[order]]
        ends = np.searchsorted(kind, np.arange(kinds.size + 1))
        counts = problem.counts[kinds]
        size = problem.size[order]
        n, depth = order.size, int(counts.sum()) + 2
        tails = np.zeros((n + 1, int(counts.max()) + 1), dtype=bool)
        for k, count in enumerate(counts):
            _fill_tails(tails, size, int(ends[k]), int(ends[k + 1]), int(count))
        quadratic = np.ascontiguousarray(problem.quadratic[np.ix_(order, order)])
        images = place[problem.images[:, order]]
        self._static = (
            ends, counts, size, tails, quadratic,
            np.ascontiguousarray(problem.conflict[np.ix_(order, order)]), images,
            self._own_floor(kinds, order, ends),
        )  # fmt: skip
        self._field = np.zeros((depth, n))
        self._field[0] = problem.linear[order]
        self._blocked = np.zeros((depth, n), dtype=bool)
        self._stack = np.zeros((depth, 4), dtype=np.int64)  # kind, atoms left, next place, chosen
        self._stack[0, :2] = 0, counts[0]
        self._energy = np.zeros(depth)
        self._top = np.full(keep, ceiling - problem.constant)
        self._sets = np.full((keep, depth), -1, dtype=np.int64)
        self.counters = np.zeros(3, dtype=np.int64)  # steps, arrangements, depth

    def _own_floor(
        self, kinds: NDArray[np.int64], order: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> float:
        """Return a lower bound of the energy of the last element's pairs among themselves."""
        problem, last = self._problem, int(kinds[-1])
        part = order[ends[-2] : ends[-1]]
        pairs = problem.quadratic[np.ix_(part, part)]
        count = int(problem.counts[last])
        floors = [
            _cheapest(pairs[i], problem.size[part], count - int(problem.size[u]))
            / int(problem.size[u])
            for i, u in enumerate(part)
        ]
        return float(0.5 * count * min(floors)) if floors else 0.0

    def run(self, deadline: float) -> bool:
        """Search until the end or the deadline; return whether it is complete."""
        while True:
            done = _search(
                *self._static, self._field, self._blocked, self._stack, self._energy, self._top,
                self._sets, self.counters, _CHUNK,
            )  # fmt: skip
            if done or time.perf_counter() > deadline:
                return bool(done)

    def found(self) -> list[tuple[float, NDArray[np.int64]]]:
        """Return the arrangements kept, lowest first, in the variables of the problem."""
        result = []
        for row in self._sets:
            if row[0] >= 0:
                chosen = np.sort(self._order[row[row >= 0]])
                result.append((self._problem.energy(chosen), chosen))
        return sorted(result, key=lambda pair: (pair[0], pair[1].tolist()))


def _order_of_elements(problem: Problem) -> NDArray[np.int64]:
    """Return the elements in the order of placing: few ways first, the most numerous last."""
    ways = []
    for k, count in enumerate(problem.counts):
        total = np.zeros(int(count) + 1)
        total[0] = 1.0
        for size in problem.size[problem.kind == k]:
            total[size:] = total[size:] + total[: total.size - size].copy()
        ways.append(total[-1])
    return np.array(sorted(range(len(ways)), key=lambda k: (ways[k], k)), dtype=np.int64)


def _fill_tails(
    tails: NDArray[np.bool_], size: NDArray[np.int64], begin: int, end: int, count: int
) -> None:
    """Say at each place of an element which numbers of atoms the places from there can make."""
    current = subset_sums(size[:0], count)
    for p in range(end - 1, begin - 1, -1):
        current = current.copy()
        if size[p] <= count:
            current[size[p] :] |= current[: count + 1 - size[p]].copy()
        tails[p, : count + 1] = current


def _cheapest(cost: NDArray[np.float64], size: NDArray[np.int64], count: int) -> float:
    """Return a lower bound of the cost of sets whose sizes add up to ``count`` (fractional)."""
    order = np.argsort(cost / size)
    total, left = 0.0, float(count)
    for k in order:
        part = min(1.0, left / size[k])
        total += part * float(cost[k])
        left -= part * float(size[k])
        if left <= 0.0:
            break
    return float(total)


@njit(cache=True)
def _sort(values, n):
    for k in range(1, n):
        value, m = values[k], k
        while m > 0 and values[m - 1] > value:
            values[m] = values[m - 1]
            m -= 1
        values[m] = value


@njit(cache=True)
def _is_first_image(images, chosen, n):
    """Return whether no image of a sorted set comes before it."""
    image = np.empty(n, np.int64)
    for row in range(1, images.shape[0]):
        for k in range(n):
            image[k] = images[row, chosen[k]]
        _sort(image, n)
        for k in range(n):
            if image[k] < chosen[k]:
                return False
            if image[k] > chosen[k]:
                break
    return True


@njit(cache=True)
def _keep(images, chosen, n, energy, top, sets):
    """Put an arrangement among the best, unless an image of it is there."""
    first, image = np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        first[k] = chosen[k]
    _sort(first, n)
    for row in range(1, images.shape[0]):
        for k in range(n):
            image[k] = images[row, chosen[k]]
        _sort(image, n)
        for k in range(n):
            if image[k] != first[k]:
                if image[k] < first[k]:
                    for m in range(n):
                        first[m] = image[m]
                break
    for slot in range(top.size):
        if sets[slot, 0] >= 0:
            same = True
            for k in range(n):
                if sets[slot, k] != first[k]:
                    same = False
                    break
            if same and (sets[slot, n] < 0):
                return
    slot = top.size - 1
    while slot > 0 and top[slot - 1] > energy:
        top[slot] = top[slot - 1]
        for k in range(sets.shape[1]):
            sets[slot, k] = sets[slot - 1, k]
        slot -= 1
    top[slot] = energy
    for k in range(sets.shape[1]):
        sets[slot, k] = first[k] if k < n else -1


@njit(cache=True)
def _floor(field, blocked, size, begin, end, count, rate, order):
    """Return the least cost of placing ``count`` atoms in the field, fractions allowed."""
    m = 0
    for v in range(begin, end):
        if not blocked[v]:
            value, k = field[v] / size[v], m
            while k > 0 and rate[k - 1] > value:
                rate[k], order[k] = rate[k - 1], order[k - 1]
                k -= 1
            rate[k], order[k] = value, v
            m += 1
    total, left = 0.0, float(count)
    for k in range(m):
        take = min(float(size[order[k]]), left)
        total += take * rate[k]
        left -= take
        if left <= 0.0:
            return total
    return np.inf


@njit(cache=True, nogil=True)
def _search(
    ends, counts, size, tails, quadratic, conflict, images, own_floor, field, blocked, stack,
    energy, top, sets, counters, budget,
):  # fmt: skip
    """Continue the search for so many steps; return whether it is complete."""
    last = counts.size - 1
    n = size.size
    depth = counters[2]
    limit = counters[0] + budget
    rate, order = np.empty(n), np.empty(n, np.int64)
    chosen = np.empty(stack.shape[0], np.int64)
    while counters[0] < limit:
        kind, left = stack[depth, 0], stack[depth, 1]
        end = ends[kind + 1]
        p = stack[depth, 2]
        found = -1
        while p < end and tails[p, left]:
            if size[p] <= left and not blocked[depth, p]:
                rest = left - size[p]
                if rest == 0 or (p + 1 < end and tails[p + 1, rest]):
                    found = p
                    break
            p += 1
        if found < 0:
            if depth == 0:
                counters[2] = 0
                return True
            depth -= 1
            continue
        counters[0] += 1
        stack[depth, 2] = found + 1
        stack[depth, 3] = found
        rest = left - size[found]
        value = energy[depth] + field[depth, found]
        if rest == 0 and kind == last:
            counters[1] += 1
            if value < top[-1]:
                for d in range(depth + 1):
                    chosen[d] = stack[d, 3]
                _keep(images, chosen, depth + 1, value, top, sets)
            continue
        if rest == 0 and kind == 0 and images.shape[0] > 1:
            for d in range(depth + 1):
                chosen[d] = stack[d, 3]
            if not _is_first_image(images, chosen, depth + 1):
                continue
        begin = ends[kind + 1] if rest == 0 else found + 1
        for v in range(begin, n):
            field[depth + 1, v] = field[depth, v] + quadratic[found, v]
            blocked[depth + 1, v] = blocked[depth, v] or conflict[found, v]
        if rest == 0 and kind == last - 1:
            least = _floor(
                field[depth + 1], blocked[depth + 1], size, begin, n, counts[last], rate, order
            )
            if value + least + own_floor > top[-1]:
                continue
        depth += 1
        energy[depth] = value
        stack[depth, 2] = begin
        if rest == 0:
            stack[depth, 0], stack[depth, 1] = kind + 1, counts[kind + 1]
        else:
            stack[depth, 0], stack[depth, 1] = kind, rest
    counters[2] = depth
    return False
