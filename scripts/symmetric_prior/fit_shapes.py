"""Fit the shapes of conventional cells: Gaussian mixtures with the number of atoms."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.generate.symmetric_cells import SHAPE_SIZE, shape_of
from nucleate.generate.wyckoff import crystal_system, symbol

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPONENTS, FEWEST_OWN, PER_COMPONENT = 6, 100, 40
RIDGE = 1e-3
ITERATIONS, TOLERANCE = 200, 1e-5


def fit_shapes(observed: list[dict[str, Any]], weight: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the mixtures, one a space group where it has enough structures, else one a lattice.

    The last coordinate of every component is the logarithm of the atoms in the primitive cell.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    lattices: dict[tuple[str, str], list[int]] = defaultdict(list)
    for k, row in enumerate(observed):
        if SHAPE_SIZE[crystal_system(row["group"])]:
            groups[row["group"]].append(k)
            lattices[lattice_of(row["group"])].append(k)
    points = [
        np.append(shape_of(row["group"], row["cell"]), np.log(sum(row["counts"])))
        for row in observed
    ]
    model_of = np.full(231, -1, dtype=np.int16)
    start, means, covariances, shares = [0], [], [], []

    def add(rows: list[int]) -> int:
        x = np.array([points[k] for k in rows])
        size = int(np.clip(len(rows) // PER_COMPONENT, 1, COMPONENTS))
        share, mean, covariance = mixture(x, weight[rows], size)
        for k in range(share.size):
            padded_mean, padded = np.zeros(6), np.zeros((6, 6))
            padded_mean[: x.shape[1]] = mean[k]
            padded[: x.shape[1], : x.shape[1]] = covariance[k]
            shares.append(share[k])
            means.append(padded_mean)
            covariances.append(padded)
        start.append(len(shares))
        return len(start) - 2

    pooled = {lattice: add(rows) for lattice, rows in lattices.items()}
    for number in range(2, 195):
        rows = groups.get(number, [])
        model_of[number] = add(rows) if len(rows) >= FEWEST_OWN else pooled[lattice_of(number)]
    print(f"shapes: {len(start) - 1} mixtures, {len(shares)} components")
    return {
        "shape_model": model_of,
        "shape_start": np.array(start, dtype=np.int16),
        "shape_share": np.array(shares, dtype=np.float32),
        "shape_mean": np.array(means, dtype=np.float32),
        "shape_covariance": np.array(covariances, dtype=np.float32),
    }


def lattice_of(number: int) -> tuple[str, str]:
    """Return the crystal system and the centring of a space group."""
    return crystal_system(number), symbol(number)[0]


def mixture(
    x: NDArray[Any], weight: NDArray[Any], size: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return shares, means and covariances by expectation maximisation."""
    rng = np.random.default_rng(0)
    n, d = x.shape
    mean = x[rng.choice(n, size, replace=False, p=weight / weight.sum())]
    spread = np.cov(x.T, aweights=weight).reshape(d, d) + RIDGE * np.eye(d)
    covariance = np.array([spread] * size)
    share = np.full(size, 1.0 / size)
    last = -np.inf
    for _ in range(ITERATIONS):
        log = np.stack([log_normal(x, mean[k], covariance[k]) for k in range(size)], axis=1)
        log += np.log(share)
        total = np.logaddexp.reduce(log, axis=1)
        part = np.exp(log - total[:, None]) * weight[:, None]
        mass = part.sum(axis=0) + 1e-9
        share = mass / mass.sum()
        mean = (part.T @ x) / mass[:, None]
        for k in range(size):
            gap = x - mean[k]
            scatter = (part[:, k, None] * gap).T @ gap + 10.0 * RIDGE * np.eye(d)
            covariance[k] = scatter / (mass[k] + 2.0) + RIDGE * np.eye(d)
        value = float(np.sum(total * weight) / weight.sum())
        if value - last < TOLERANCE:
            break
        last = value
    return share, mean, covariance


def log_normal(x: NDArray[Any], mean: NDArray[Any], covariance: NDArray[Any]) -> NDArray[Any]:
    """Return the logarithm of a Gaussian density at each row of ``x``."""
    lower = np.linalg.cholesky(covariance)
    y = np.linalg.solve(lower, (x - mean).T)
    constant = np.log(np.diag(lower)).sum() + 0.5 * mean.size * np.log(2.0 * np.pi)
    return -0.5 * np.sum(y**2, axis=0) - constant
