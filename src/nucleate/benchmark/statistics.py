"""Intervals for means of a few runs and for success rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES = 4000


def bootstrap_interval(
    values: Sequence[float], *, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean; of one value, that value twice.

    With three runs it is narrower than the truth: it can only hold what has been seen.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size < 2:
        return float(data[0]), float(data[0])
    means = rng.choice(data, size=(RESAMPLES, data.size)).mean(axis=1)
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a success rate; (0, 1) for no trial."""
    if trials == 0:
        return 0.0, 1.0
    found = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
