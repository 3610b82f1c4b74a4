"""How many candidates a search is asked for ahead of the last record that it received."""

from __future__ import annotations

WINDOW = "window"
"""Kind of the events of a store that say how many."""

QUEUED_PER_WORKER = 1
"""Candidates kept ready, so that no worker waits for one to be drawn. If as many wait for a later
tier, no more are drawn: a search learns from what has come to its end."""

PER_FURTHER_WORKER = 12
"""Candidates for each worker but the first.

A search receives records in the order of their numbers, so a structure that takes long holds up the
search until no further candidate may be asked for, and then the other workers. The longest
relaxations take ten to fifteen times as long as the mean.
"""


def window_for(capacity: int, workers: int) -> int:
    """Return how many candidates are asked for ahead.

    Parameters
    ----------
    capacity
        Crystals that the tiers hold at a time.
    workers
        How many compute at the same time.
    """
    held = capacity + capacity // 2 + QUEUED_PER_WORKER * workers
    return max(held, PER_FURTHER_WORKER * (workers - 1))
