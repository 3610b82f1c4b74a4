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

FLOOR = 1e-3
"""Least weight that counts; that of structures without a known type."""

CAP_EV_PER_ATOM = 0.15
"""Energy differences count logarithmically from about here on, as unphysical minima are deep."""

SHARPNESS = 1.0
"""Factor on the score in units of :data:`PRIOR_EV_PER_ATOM`."""


def score(enthalpy: float, weight: float) -> float:
    """Return E - 20 meV ln w in eV/atom; the lower, the likelier.

    Parameters
    ----------
    enthalpy
        eV/atom from any zero.
    weight
        Prior weight.
    """
    return enthalpy - PRIOR_EV_PER_ATOM * float(np.log(max(weight, FLOOR)))


def probabilities(enthalpies: Sequence[float], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return the probability of each structure of a list to be the observed one, shape (n,).

    Parameters
    ----------
    enthalpies
        eV/atom, of one model.
    weights
        Prior weights.
    """
    if not len(enthalpies):
        return np.zeros(0)
    prior = np.log(np.maximum(weights, FLOOR))
    above = np.asarray(enthalpies) - np.min(enthalpies)
    energy = CAP_EV_PER_ATOM * np.log1p(above / CAP_EV_PER_ATOM)
    logits = SHARPNESS * (prior - energy / PRIOR_EV_PER_ATOM)
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()
