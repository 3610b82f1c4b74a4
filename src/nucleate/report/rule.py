"""How likely each structure of a list is the observed one, from energies and the prior.

The rule and its test are in docs/explanation/ranking.md; it was fitted by
``benchmarks/ranking.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PRIOR_EV_PER_ATOM = 0.020
"""eV/atom for which a factor e in the prior weight stands."""

FLOOR = 0.0021
"""Least weight that counts; that of structures without a known type."""

TAIL_EV_PER_ATOM = 0.1
"""Energy differences count logarithmically from about here on, as unphysical minima are deep."""

SHARPNESS = 0.97
"""Factor on the score in units of :data:`PRIOR_EV_PER_ATOM`."""

NONE_WEIGHT = 0.0337
"""Weight, to the power of the sharpness, of the chance that none of a list is the observed one."""


def scores(enthalpies: Sequence[float], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return the score of each structure of a list in eV/atom; the lower, the likelier.

    It is E - 20 meV ln w for structures that are close in energy.

    Parameters
    ----------
    enthalpies
        eV/atom, of one model.
    weights
        Prior weights.

    Returns
    -------
    ndarray of float64, shape (n,)
        Relative to the lowest in energy.
    """
    if not len(enthalpies):
        return np.zeros(0)
    above = np.asarray(enthalpies, dtype=np.float64) - np.min(enthalpies)
    energy = TAIL_EV_PER_ATOM * np.log1p(above / TAIL_EV_PER_ATOM)
    return energy - PRIOR_EV_PER_ATOM * np.log(np.maximum(weights, FLOOR))


def probabilities(enthalpies: Sequence[float], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return the probability of each structure of a list to be the observed one, shape (n,).

    Their sum is below 1: the observed structure may not be in the list.

    Parameters
    ----------
    enthalpies
        eV/atom, of one model.
    weights
        Prior weights.
    """
    odds = np.exp(-SHARPNESS * scores(enthalpies, weights) / PRIOR_EV_PER_ATOM)
    return odds / (odds.sum() + NONE_WEIGHT)
