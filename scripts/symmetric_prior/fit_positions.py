"""Fit the weights of orbits: a log-linear model with exact normalisation.

For each observed assignment A of a composition in its space group the log-likelihood is
``log w(A) - log sum over all assignments w``; the sum and its derivatives (expected numbers of
orbits) come from the subset-convolution tables of :mod:`nucleate.generate.wyckoff_counting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy.optimize import minimize

from nucleate.generate.symmetric_prior import SymmetricPrior, positions
from nucleate.generate.wyckoff_counting import _fixed_masks, _free_ladder, _totals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Observation = dict[str, Any]

RIDGE_POSITION, RIDGE_ELEMENT, RIDGE_ROLE, RIDGE_SHARED = 0.5, 2.0, 2.0, 0.2
ITERATIONS = 150
N_ELEMENTS = 104


class PositionFit:
    """The likelihood of the observed assignments as a function of all parameters."""

    def __init__(self, observed: list[Observation], weight: NDArray[Any], table: Any) -> None:
        places = positions()
        self.weight = weight
        self.group = np.array([row["group"] for row in observed])
        sizes = np.array([len(row["numbers"]) for row in observed])
        self.start = np.concatenate([[0], np.cumsum(sizes)])
        self.numbers = np.concatenate([row["numbers"] for row in observed])
        self.counts = np.concatenate([row["counts"] for row in observed])
        self.roles = np.concatenate([roles_of(row, table) for row in observed])
        self.shared = shared_features()
        shape = (places.multiplicity.size, self.roles.shape[1])
        self.seen_position = np.zeros(shape[0])
        self.seen_element = np.zeros((N_ELEMENTS, places.features.shape[1]))
        self.seen_role = np.zeros(shape)
        for k, row in enumerate(observed):
            self._count(row, self.weight[k], self.roles[self.start[k] : self.start[k + 1]])
        n_shared, n_roles = self.shared.shape[1], shape[1]
        self.shapes = [
            (n_shared,),
            (shape[0],),
            self.seen_element.shape,
            (n_shared, n_roles),
            shape,
        ]

    def _count(self, row: Observation, weight: float, roles: NDArray[Any]) -> None:
        places = positions()
        share = weight / len(row["assignments"])
        role = dict(zip(row["numbers"], roles, strict=True))
        for assignment in row["assignments"]:
            for number, index in assignment:
                place = places.start[row["group"]] + index
                self.seen_position[place] += share
                self.seen_element[number] += share * places.features[place]
                self.seen_role[place] += share * role[number]

    def parameters(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """Return shared bias, own bias, elements, shared roles and own roles."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        parts = np.split(flat, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def objective(self, flat: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        """Return the penalised negative log-likelihood a structure, and its gradient."""
        places = positions()
        common, own, elements, common_roles, own_roles = self.parameters(flat)
        bias = self.shared @ common + own
        roles = self.shared @ common_roles + own_roles
        total, d_bias, d_elements, d_roles = sweep(
            self.group, self.start, self.numbers, self.counts, self.roles, self.weight,
            places.start, places.multiplicity, places.fixed, places.features,
            bias, elements, roles,
        )  # fmt: skip
        value = total - self.seen_position @ bias - np.sum(self.seen_element * elements)
        value -= np.sum(self.seen_role * roles)
        value += 0.5 * RIDGE_POSITION * np.sum(own**2) + 0.5 * RIDGE_ELEMENT * np.sum(elements**2)
        value += 0.5 * RIDGE_ROLE * np.sum(own_roles**2)
        value += 0.5 * RIDGE_SHARED * np.sum(common_roles**2)
        d_bias -= self.seen_position
        d_roles -= self.seen_role
        gradient = [
            self.shared.T @ d_bias,
            d_bias + RIDGE_POSITION * own,
            d_elements - self.seen_element + RIDGE_ELEMENT * elements,
            self.shared.T @ d_roles + RIDGE_SHARED * common_roles,
            d_roles + RIDGE_ROLE * own_roles,
        ]
        norm = self.weight.sum()
        return value / norm, np.concatenate([part.ravel() for part in gradient]) / norm


def fit_positions(
    observed: list[Observation], weight: NDArray[Any], table: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Return ``position_bias``, ``position_roles`` and ``element_sites``."""
    problem = PositionFit(observed, weight, table)
    start = np.zeros(sum(int(np.prod(shape)) for shape in problem.shapes))
    result = minimize(
        problem.objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": ITERATIONS, "maxcor": 30},
    )
    common, own, elements, common_roles, own_roles = problem.parameters(result.x)
    print(f"positions: {result.fun:.4f} nats a structure with penalty, {result.nit} iterations")
    return {
        "position_bias": problem.shared @ common + own,
        "position_roles": problem.shared @ common_roles + own_roles,
        "element_sites": elements,
    }


def roles_of(row: Observation, table: NDArray[Any]) -> NDArray[Any]:
    """Return the role features of a row's elements."""
    prior = SymmetricPrior.__new__(SymmetricPrior)
    prior._elements = table
    return prior.role_features(np.array(row["numbers"]), np.array(row["counts"]))


def shared_features() -> NDArray[Any]:
    """Return what positions of different groups have in common, shape (n_positions, 9)."""
    places = positions()
    freedom, order = places.freedom, places.features[:, 3]
    size = np.log(places.multiplicity)
    columns = [*(freedom == k for k in range(4)), order, size, size**2]
    columns += [(freedom == 0) * order, (freedom == 0) * size]
    return np.column_stack(columns).astype(np.float64)


@njit(cache=True)
def sweep(
    groups, first, numbers, counts, roles, weight,
    start, multiplicity, fixed, features,
    bias, elements, position_roles,
):  # fmt: skip
    """Return the summed log-normaliser and its derivatives by bias, elements and roles."""
    d_bias = np.zeros(bias.size)
    d_elements = np.zeros(elements.shape)
    d_roles = np.zeros(position_roles.shape)
    total = 0.0
    for i in range(groups.size):
        low, high = start[groups[i]], start[groups[i] + 1]
        k0, k1 = first[i], first[i + 1]
        scores = np.empty((k1 - k0, high - low))
        for a in range(k1 - k0):
            for p in range(low, high):
                scores[a, p - low] = (
                    bias[p]
                    + np.sum(elements[numbers[k0 + a]] * features[p])
                    + np.sum(roles[k0 + a] * position_roles[p])
                )
        value, expected = expected_orbits(
            counts[k0:k1], multiplicity[low:high], fixed[low:high], np.exp(scores)
        )
        total += weight[i] * value
        for a in range(k1 - k0):
            for p in range(low, high):
                share = weight[i] * expected[a, p - low]
                if share != 0.0:
                    d_bias[p] += share
                    d_elements[numbers[k0 + a]] += share * features[p]
                    d_roles[p] += share * roles[k0 + a]
    return total, d_bias, d_elements, d_roles


@njit(cache=True)
def expected_orbits(counts, multiplicity, fixed, weights):
    """Return the log-normaliser and the expected orbits of each element on each position."""
    masks = _fixed_masks(multiplicity, fixed)
    tables, totals = _totals(counts, multiplicity, fixed, weights, masks)
    places = np.flatnonzero(fixed)
    free = np.flatnonzero(~fixed)
    full = masks.size - 1
    expected = np.zeros(weights.shape)
    before = np.zeros(masks.size)
    before[0] = 1.0
    for e in range(counts.size):
        others = _convolved(before, totals[e + 1])
        ladder = _free_ladder(counts[e], multiplicity, free, weights[e])[free.size]
        for subset in range(masks.size):
            chance = tables[e, subset] * others[full ^ subset] / totals[0, full]
            if chance <= 0.0:
                continue
            for bit in range(places.size):
                if (subset >> bit) & 1:
                    expected[e, places[bit]] += chance
            rest = counts[e] - masks[subset]
            for place in free:
                factor = weights[e, place]
                left = rest - multiplicity[place]
                while left >= 0:
                    expected[e, place] += chance * factor * ladder[left] / ladder[rest]
                    factor *= weights[e, place]
                    left -= multiplicity[place]
        before = _convolved(before, tables[e])
    return np.log(totals[0, full]), expected


@njit(cache=True)
def _convolved(left, right):
    result = np.zeros(left.size)
    for whole in range(left.size):
        part = whole
        while True:
            result[whole] += left[part] * right[whole ^ part]
            if part == 0:
                break
            part = (part - 1) & whole
    return result
