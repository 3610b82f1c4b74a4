"""Intervals for means of a few runs and for success rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

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


def wilson_interval(successes: int, trials: int, *, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's interval of a success rate, by default at 95 %; (0, 1) for no trial.

    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).
    """
    if trials == 0:
        return 0.0, 1.0
    rate, square = successes / trials, z * z
    middle = (rate + square / (2.0 * trials)) / (1.0 + square / trials)
    spread = rate * (1.0 - rate) / trials + square / (4.0 * trials * trials)
    half = z * math.sqrt(spread) / (1.0 + square / trials)
    return max(middle - half, 0.0), min(middle + half, 1.0)
