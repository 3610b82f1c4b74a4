"""Words and bins that are drawn from what the network says; import where needed (numba)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.generate.wyckoff_language.settings import COARSE, FINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.generate.wyckoff_language.assignments import Manner


ALL_REFUSED = 1e-4
"""Chance that every word drawn for a row is refused; one is with 1 - ``top_p`` at most."""


def bins_of(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bins of free coordinates in [0, 1), and the parts of the bins."""
    place = values * COARSE
    near = np.floor(place + 0.5)
    fine = np.floor((place - near + 0.5) * FINE).astype(np.int64)
    return near.astype(np.int64) % COARSE, np.clip(fine, 0, FINE - 1)


def chosen_columns(
    logits: NDArray[np.float32],
    manner: Manner,
    rng: np.random.Generator,
    given: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return what is given or (where that is -1) drawn from rows of logits.

    Also its log-likelihood at temperature 1.
    """
    pick, logs = given.copy(), np.empty(len(given))
    rolls = rng.random((len(given), _attempts(manner.top_p)))
    _choose(logits, manner.temperature, manner.top_p, rolls, pick, logs)
    return pick, logs


def _attempts(top_p: float) -> int:
    """Return how often a column is drawn; where only the likeliest can be accepted, once."""
    if top_p >= 1.0 or top_p <= 1.0 / COARSE:
        return 1
    return math.ceil(math.log(ALL_REFUSED) / math.log1p(-top_p))


@njit(cache=True)
def _choose(logits, temperature, top_p, rolls, pick, logs):
    """Choose a column of each row where none is given.

    A column is refused where those that are likelier have a share of ``top_p`` together: what is
    accepted is distributed as if the unlikely ones had been cut off, without sorting any row. Where
    every attempt is refused, the likeliest is taken.
    """
    n, size = logits.shape
    shares = np.empty(size)
    for row in range(n):
        top = logits[row, 0]
        for k in range(1, size):
            top = max(top, logits[row, k])
        plain, total, best = 0.0, 0.0, 0
        for k in range(size):
            off = np.float64(logits[row, k] - top)
            plain += np.exp(off)
            shares[k] = np.exp(off / temperature)
            total += shares[k]
            if off == 0.0:
                best = k
        if pick[row] < 0:
            pick[row] = best
            for roll in rolls[row]:
                found, goal = size - 1, roll * total
                for k in range(size):
                    goal -= shares[k]
                    if goal < 0.0:
                        found = k
                        break
                likelier = 0.0
                for k in range(size):
                    if shares[k] > shares[found]:
                        likelier += shares[k]
                if likelier < top_p * total:
                    pick[row] = found
                    break
        logs[row] = np.float64(logits[row, pick[row]] - top) - np.log(plain)


def drawn_columns(log_shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a column for each row, drawn by the exponentials of the row."""
    edges = np.cumsum(np.exp(log_shares), axis=1)
    goal = rng.random(len(edges)) * edges[:, -1]
    return np.minimum((edges <= goal[:, None]).sum(axis=1), edges.shape[1] - 1)
