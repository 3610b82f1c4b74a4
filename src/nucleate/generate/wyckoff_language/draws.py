"""Words and bins that are drawn from what the network says, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.wyckoff_language.forward import log_softmax
from nucleate.generate.wyckoff_language.settings import COARSE, FINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.generate.wyckoff_language.assignments import Manner


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
    raw = logits.astype(np.float64)
    pick = np.where(given < 0, drawn_columns(manner.log_shares(raw), rng), given)
    plain = log_softmax(raw)
    return pick, plain[np.arange(pick.size), pick]


def drawn_columns(log_shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a column for each row, drawn by the exponentials of the row."""
    edges = np.cumsum(np.exp(log_shares), axis=1)
    goal = rng.random(len(edges)) * edges[:, -1]
    return np.minimum((edges <= goal[:, None]).sum(axis=1), edges.shape[1] - 1)
