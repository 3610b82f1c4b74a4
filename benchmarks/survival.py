"""Times of searches of which some were cut off: medians by Kaplan and Meier, and intervals."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import CensoredData, ecdf

if TYPE_CHECKING:
    from collections.abc import Sequence


def censored(rows: Sequence[dict[str, Any]], key: str) -> CensoredData:
    """Return the values of a key; those of rows that are not ``reached`` are lower bounds."""
    ended = [float(row[key]) for row in rows if int(row["reached"])]
    cut = [float(row[key]) for row in rows if not int(row["reached"])]
    return CensoredData(uncensored=ended, right=cut)


def median(data: CensoredData, level: float = 0.5) -> float:
    """Return when the survival function by Kaplan and Meier falls to a level; inf if never."""
    survival = ecdf(data).sf
    below = np.flatnonzero(survival.probabilities <= level)
    return float(survival.quantiles[below[0]]) if below.size else np.inf


def in_words(rows: Sequence[dict[str, Any]], key: str) -> str:
    """Return the median with its 95 % interval (from that of the survival function).

    The interval is left out where too few rows came there for any bound.
    """
    data = censored(rows, key)
    survival = ecdf(data).sf
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # undefined bounds
        interval = survival.confidence_interval(method="log-log")
    ends = []
    for bound in (interval.low, interval.high):
        below = np.flatnonzero(np.nan_to_num(bound.probabilities, nan=1.0) <= 0.5)
        ends.append(_rounded(bound.quantiles[below[0]]) if below.size else "…")
    middle, most = median(data), max(float(row[key]) for row in rows)
    words = _rounded(middle) if np.isfinite(middle) else f"> {most:,g}"
    return words if ends == ["…", "…"] else f"{words} ({ends[0]}-{ends[1]})"


def _rounded(value: float) -> str:
    """Return a value to three digits."""
    return f"{float(f'{value:.3g}'):,g}"
