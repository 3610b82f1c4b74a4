"""A model of the lowest energy over composition: a Gaussian process.

The lowest formation energy of composition i is ``m + g(z_i) + u_i``: a mean, a smooth function of
composition features and a part of its own that no other composition tells of. What a search has
found is higher than the lowest energy by an unknown fall, which has an exponential distribution
with the mean that :mod:`nucleate.mapping.falls` expects. It enters by its first two moments: the
observation is shifted by the mean and has it as its standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from nucleate.crystal.elements import element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MEAN_SPREAD = 1.0
"""eV/atom; standard deviation that is assumed of the mean."""

PRIOR = {
    "amplitude": (0.3, 1.5),
    "fraction_length": (0.5, 0.7),
    "statistics_length": (3.0, 0.7),
    "own": (0.05, 0.7),
}
"""Median (eV/atom, or lengths of features) and spread of the logarithm of each hyperparameter."""

MOST_FITTED = 100
"""Compositions by which hyperparameters are fitted."""

_LEAST_NOISE = 1e-4
_JITTER = 1e-8


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Of the Gaussian process.

    Attributes
    ----------
    amplitude, own : float
        Standard deviation of the smooth part and of the part of each composition, in eV/atom.
    fraction_length, statistics_length : float
        Correlation length in atomic fractions, and in statistics of the elements (unit variance).
    """

    amplitude: float = PRIOR["amplitude"][0]
    fraction_length: float = PRIOR["fraction_length"][0]
    statistics_length: float = PRIOR["statistics_length"][0]
    own: float = PRIOR["own"][0]


@dataclass(frozen=True, eq=False)
class Landscape:
    """Posterior of the lowest energies of all compositions.

    Attributes
    ----------
    mean : ndarray of float64, shape (n,)
        Formation energies in eV/atom.
    covariance : ndarray of float64, shape (n, n)
        (eV/atom)^2.
    bound : ndarray of float64, shape (n,)
        Energy of the best structure found, which the lowest cannot exceed; infinite without one.
    hyperparameters : Hyperparameters
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    bound: NDArray[np.float64]
    hyperparameters: Hyperparameters

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviations in eV/atom, shape (n,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    def samples(self, number: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return joint samples of the lowest energies in eV/atom, shape (number, n).

        None is above the best structure found.
        """
        n = len(self.mean)
        scale = max(float(np.trace(self.covariance)) / n, 1e-12)
        root = cholesky(self.covariance + _JITTER * scale * 100.0 * np.eye(n), lower=True)
        drawn = self.mean + rng.normal(size=(number, n)) @ root.T
        return np.minimum(drawn, self.bound)


def features_of(
    counts: NDArray[np.int64], elements: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return atomic fractions and statistics of the elements of compositions.

    Parameters
    ----------
    counts
        Atoms of each element, (n, n_elements).
    elements
        Symbols.

    Returns
    -------
    fractions : ndarray of float64, shape (n, n_elements)
    statistics : ndarray of float64, shape (n, 4)
        Mean and standard deviation, over the atoms, of electronegativity and covalent radius,
        scaled to unit variance over the compositions.
    """
    fractions = counts / counts.sum(axis=1, keepdims=True)
    data = [element(symbol) for symbol in elements]
    values = np.array([[item.electronegativity or 1.5, item.covalent_radius] for item in data])
    means = fractions @ values
    spreads = np.sqrt(np.maximum(fractions @ values**2 - means**2, 0.0))
    statistics = np.concatenate([means, spreads], axis=1)
    width = statistics.std(axis=0)
    return fractions, (statistics - statistics.mean(axis=0)) / np.where(width > 0.0, width, 1.0)


def fitted(
    features: tuple[NDArray[np.float64], NDArray[np.float64]],
    found: NDArray[np.float64],
    falls: NDArray[np.float64],
    hyperparameters: Hyperparameters | None = None,
    *,
    n_given: int = 0,
) -> Landscape:
    """Return the posterior after what was found.

    Parameters
    ----------
    features
        Of all compositions, by :func:`features_of`.
    found
        Formation energy of the best structure of each, NaN where there is none, (n,).
    falls
        How far each is expected to fall still, eV/atom, (n,).
    hyperparameters
        Of an earlier fit; found by their largest posterior probability where None.
    n_given
        How many of the first have their energy by definition, as the corners have 0: they hold the
        landscape but say nothing of how far it varies, and of these alone the prior is left.
    """
    seen = np.flatnonzero(np.isfinite(found))
    squares = _squares(features)
    height = found[seen] - falls[seen]
    noise = falls[seen] ** 2 + _LEAST_NOISE**2
    if hyperparameters is None:
        hyperparameters = _most_probable(squares, seen, height, noise, n_given)
    prior = _covariance(squares, hyperparameters)
    bound = np.where(np.isfinite(found), found, np.inf)
    if not seen.size:
        return Landscape(np.zeros(len(found)), prior, bound, hyperparameters)
    among = prior[np.ix_(seen, seen)] + np.diag(noise)
    lower = cholesky(among, lower=True)
    half = solve_triangular(lower, prior[seen], lower=True)
    weights = solve_triangular(lower, height, lower=True)
    return Landscape(half.T @ weights, prior - half.T @ half, bound, hyperparameters)


def _squares(
    features: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return squared distances in fractions and in statistics, each (n, n)."""
    tables = []
    for block in features:
        norms = (block**2).sum(axis=1)
        tables.append(np.maximum(norms[:, None] + norms - 2.0 * block @ block.T, 0.0))
    return tables[0], tables[1]


def _covariance(
    squares: tuple[NDArray[np.float64], NDArray[np.float64]], at: Hyperparameters
) -> NDArray[np.float64]:
    """Return the prior covariance of the lowest energies: Matérn 5/2, mean, own part."""
    r = np.sqrt(squares[0] / at.fraction_length**2 + squares[1] / at.statistics_length**2)
    smooth = (1.0 + np.sqrt(5.0) * r + 5.0 / 3.0 * r**2) * np.exp(-np.sqrt(5.0) * r)
    table = at.amplitude**2 * smooth + MEAN_SPREAD**2
    table[np.diag_indices_from(table)] += at.own**2
    return table


def _most_probable(
    squares: tuple[NDArray[np.float64], NDArray[np.float64]],
    seen: NDArray[np.int64],
    height: NDArray[np.float64],
    noise: NDArray[np.float64],
    n_given: int,
) -> Hyperparameters:
    """Return the hyperparameters of the largest posterior probability.

    From evenly chosen compositions where there are more than :data:`MOST_FITTED`.
    """
    medians = np.log([median for median, _ in PRIOR.values()])
    n_first = int((seen < n_given).sum())
    if n_first == seen.size:
        return Hyperparameters()
    chosen = np.unique(np.linspace(0, seen.size - 1, min(seen.size, MOST_FITTED)).astype(int))
    chosen = np.union1d(np.arange(n_first), chosen)
    rows = np.ix_(seen[chosen], seen[chosen])
    near = squares[0][rows], squares[1][rows]
    result = minimize(
        _loss,
        medians,
        args=(near, height[chosen], noise[chosen], n_first),
        jac=True,
        method="L-BFGS-B",
        bounds=[(median - 3.0, median + 3.0) for median in medians],
        options={"maxiter": 25},
    )
    return Hyperparameters(*np.exp(result.x).tolist())


def _loss(
    logs: NDArray[np.float64],
    squares: tuple[NDArray[np.float64], NDArray[np.float64]],
    height: NDArray[np.float64],
    noise: NDArray[np.float64],
    n_first: int = 0,
) -> tuple[float, NDArray[np.float64]]:
    """Return minus the log posterior density and its gradient in the logarithms.

    Of the likelihood of all but the first ``n_first``, given these.
    """
    loss, gradient = _surprise(logs, squares, height, noise)
    if n_first:
        first = (squares[0][:n_first, :n_first], squares[1][:n_first, :n_first])
        known = _surprise(logs, first, height[:n_first], noise[:n_first])
        loss, gradient = loss - known[0], gradient - known[1]
    medians = np.log([median for median, _ in PRIOR.values()])
    spreads = np.array([spread for _, spread in PRIOR.values()])
    away = (logs - medians) / spreads
    return loss + float(0.5 * away @ away), gradient + away / spreads


def _surprise(
    logs: NDArray[np.float64],
    squares: tuple[NDArray[np.float64], NDArray[np.float64]],
    height: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Return minus the log likelihood, but for a constant, and its gradient in the logarithms."""
    amplitude, fraction, statistics, own = np.exp(logs)
    parts = squares[0] / fraction**2, squares[1] / statistics**2
    r = np.sqrt(parts[0] + parts[1])
    decay = np.exp(-np.sqrt(5.0) * r)
    smooth = amplitude**2 * (1.0 + np.sqrt(5.0) * r + 5.0 / 3.0 * r**2) * decay
    slope = amplitude**2 * 5.0 / 3.0 * (1.0 + np.sqrt(5.0) * r) * decay
    table = smooth + MEAN_SPREAD**2
    table[np.diag_indices_from(table)] += own**2 + noise
    factor = cho_factor(table, lower=True)
    weights = cho_solve(factor, height)
    inverse = cho_solve(factor, np.eye(len(height)))
    outer = inverse - np.outer(weights, weights)
    derivatives = (2.0 * smooth, slope * parts[0], slope * parts[1])
    gradient = np.array([0.5 * np.sum(outer * d) for d in derivatives] + [own**2 * np.trace(outer)])
    loss = 0.5 * height @ weights + np.log(np.diag(factor[0])).sum()
    return float(loss), gradient
