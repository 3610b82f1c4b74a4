"""The problem as a mixed-integer linear program: RLT-1 with conflict cliques, in sparse form.

A product ``y_uv`` stands for ``x_u x_v`` (Adams and Sherali, Oper. Res. 38, 217, 1990). With the
counts as equations, each of them times each variable gives

    sum over v of element t of  s_v y_uv  =  (n_t - s_u [t is the element of u]) x_u

and each clique K of variables that exclude each other gives, times each variable,

    sum over v in K of  y_uv  <=  x_u

of which only as many are kept as are needed for each product to be in one of them from both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.exact.problem import Problem


@dataclass(frozen=True, slots=True, eq=False)
class LinearProgram:
    """Rows ``lower <= A z <= upper`` in compressed form; the first columns are 0/1 variables.

    Attributes
    ----------
    n_binary : int
        Number of 0/1 columns; the others are products between 0 and 1.
    cost : ndarray of float64, shape (n_columns,)
        Objective in eV.
    column_lower : ndarray of float64, shape (n_columns,)
        Lower bounds of the columns: 1 where symmetry fixes a variable.
    first : ndarray of int32, shape (n_products,)
    second : ndarray of int32, shape (n_products,)
        Variables of each product.
    start : ndarray of int32, shape (n_rows + 1,)
    index : ndarray of int32, shape (n_entries,)
    value : ndarray of float64, shape (n_entries,)
        The matrix, row by row.
    lower, upper : ndarray of float64, shape (n_rows,)
    """

    n_binary: int
    cost: NDArray[np.float64]
    column_lower: NDArray[np.float64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    start: NDArray[np.int32]
    index: NDArray[np.int32]
    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.lower.size)

    def point(self, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the values of all columns where the variables ``chosen`` are 1."""
        x = np.zeros(self.n_binary)
        x[chosen] = 1.0
        return np.concatenate([x, x[self.first] * x[self.second]])


class _Rows:
    """Blocks of rows that are put together at the end."""

    def __init__(self) -> None:
        self.blocks: list[tuple[np.ndarray, ...]] = []

    def add(self, row: np.ndarray, column: np.ndarray, value: np.ndarray, lower: np.ndarray,
            upper: np.ndarray) -> None:  # fmt: skip
        self.blocks.append((row, column, value, lower, upper))

    def add_set(self, columns: np.ndarray, lower: float, upper: float) -> None:
        ones = np.ones(columns.size)
        row = np.zeros(columns.size, dtype=np.int64)
        self.add(row, columns, ones, np.array([lower]), np.array([upper]))

    def assembled(self) -> tuple[np.ndarray, ...]:
        from scipy.sparse import coo_array

        offsets = np.cumsum([0, *(block[3].size for block in self.blocks)])
        rows = np.concatenate([b[0] + o for b, o in zip(self.blocks, offsets, strict=False)])
        columns, values, lower, upper = (
            np.concatenate([block[k] for block in self.blocks]) for k in (1, 2, 3, 4)
        )
        matrix = coo_array((values, (rows, columns)), shape=(offsets[-1], columns.max() + 1))
        packed = matrix.tocsr()
        return packed.indptr, packed.indices, packed.data, lower, upper


def linear_program(
    problem: Problem, excluded: Sequence[NDArray[np.int64]] = (), *, break_symmetry: bool = True
) -> LinearProgram:
    """Return the linear program of a problem.

    Parameters
    ----------
    problem
        What to place where.
    excluded
        Arrangements (their variables) to leave out together with all their symmetry images.
    break_symmetry
        Ask only for one of each set of symmetry-equivalent arrangements.
    """
    n = problem.n_variables
    free = np.triu(~problem.conflict, 1)
    first, second = (array.astype(np.int32) for array in np.nonzero(free))
    cost = np.concatenate([problem.linear, problem.quadratic[first, second]])
    rows = _Rows()
    cliques = clique_cover(problem.conflict)
    for k, count in enumerate(problem.counts):
        of_kind = np.flatnonzero(problem.kind == k)
        row = np.zeros(of_kind.size, dtype=np.int64)
        total = np.array([float(count)])
        rows.add(row, of_kind, problem.size[of_kind].astype(float), total, total)
    for clique in cliques:
        rows.add_set(clique, -np.inf, 1.0)
    _add_products(rows, problem, first, second, _vertex_cover(cliques, n))
    lower = np.zeros(cost.size)
    heads = representatives(problem) if break_symmetry else np.arange(0)
    if heads.size == 1:
        lower[heads] = 1.0
    elif heads.size:
        rows.add_set(heads, 1.0, np.inf)
    for chosen in excluded:
        for image in symmetry_images(problem, chosen):
            if not heads.size or np.isin(heads, image).any():
                rows.add_set(image, -np.inf, image.size - 1.0)
    start, index, value, low, high = rows.assembled()
    return LinearProgram(
        n, cost, lower, first, second, start.astype(np.int32), index.astype(np.int32), value, low,
        high,
    )  # fmt: skip


def _add_products(
    rows: _Rows,
    problem: Problem,
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    groups: NDArray[np.int64],
) -> None:
    """Add both families of rows that tie the products to the variables."""
    n, n_kinds = problem.n_variables, problem.counts.size
    product = n + np.arange(first.size)
    owner = np.concatenate([first, second]).astype(np.int64)
    partner = np.concatenate([second, first]).astype(np.int64)
    column = np.concatenate([product, product])
    u, t = np.repeat(np.arange(n), n_kinds), np.tile(np.arange(n_kinds), n)
    left = problem.counts[t] - problem.size[u] * (problem.kind[u] == t)
    rows.add(
        np.concatenate([owner * n_kinds + problem.kind[partner], u * n_kinds + t]),
        np.concatenate([column, u]),
        np.concatenate([problem.size[partner].astype(float), -left.astype(float)]),
        np.zeros(n * n_kinds),
        np.zeros(n * n_kinds),
    )
    key = owner * (groups.max() + 1) + groups[partner]
    used, place = np.unique(key, return_inverse=True)
    head = used // (groups.max() + 1)
    rows.add(
        np.concatenate([place.reshape(-1), np.arange(used.size)]),
        np.concatenate([column, head]),
        np.concatenate([np.ones(column.size), -np.ones(used.size)]),
        np.full(used.size, -np.inf),
        np.zeros(used.size),
    )


def representatives(problem: Problem) -> NDArray[np.int64]:
    """Return variables of which every arrangement, or an image of it, has one that is 1.

    Some element sits somewhere, so after an isometry it sits on a representative of its class of
    variables; the element with the fewest classes is taken.
    """
    head = problem.images.min(axis=0)
    own = np.flatnonzero(head == np.arange(problem.n_variables))
    best = min(
        range(problem.counts.size),
        key=lambda k: (np.count_nonzero(problem.kind[own] == k), problem.counts[k]),
    )
    return own[problem.kind[own] == best]


def symmetry_images(problem: Problem, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the arrangements that isometries make of one, shape (n, n_chosen), all different."""
    return np.unique(np.sort(problem.images[:, chosen], axis=1), axis=0)


def clique_cover(conflict: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return sets of variables that exclude each other; each conflict is within one of them."""
    flat, ends = _cover(np.ascontiguousarray(conflict))
    return np.split(flat, ends[:-1]) if ends.size else []


@njit(cache=True)
def _cover(conflict):
    n = conflict.shape[0]
    covered = np.zeros((n, n), np.bool_)
    flat, ends = [0 for _ in range(0)], [0 for _ in range(0)]
    for u in range(n):
        for v in range(u + 1, n):
            if not conflict[u, v] or covered[u, v]:
                continue
            clique = [u, v]
            common = conflict[u] & conflict[v]
            while True:
                best, gain = -1, -1
                for w in range(n):
                    if not common[w]:
                        continue
                    new = 0
                    for member in clique:
                        if not covered[w, member]:
                            new += 1
                    if new > gain:
                        best, gain = w, new
                if best < 0:
                    break
                clique.append(best)
                common = common & conflict[best]
            for a in clique:
                for b in clique:
                    covered[a, b] = True
            clique.sort()
            flat.extend(clique)
            ends.append(len(flat))
    return np.array(flat, dtype=np.int64), np.array(ends, dtype=np.int64)


def _vertex_cover(cliques: list[NDArray[np.int64]], n: int) -> NDArray[np.int64]:
    """Return a clique for each variable, few in all; one of its own where it has none."""
    group = np.full(n, -1, dtype=np.int64)
    for k in sorted(range(len(cliques)), key=lambda k: -cliques[k].size):
        members = cliques[k]
        open_ones = members[group[members] < 0]
        if open_ones.size:
            group[open_ones] = k
    alone = np.flatnonzero(group < 0)
    group[alone] = len(cliques) + np.arange(alone.size)
    return group
