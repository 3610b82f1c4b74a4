"""A search over a list: every trial is asked for once, in order, and nothing is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.search.record import SearchUpdate
from nucleate.search.search import SearchProgress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nucleate.search.record import Record
    from nucleate.search.search import Trial

COMPLETE = "complete"
"""Why a list is over when all of it is done."""


class ListSearch:
    """Asks for given trials.

    Parameters
    ----------
    trials : iterable of Trial
        With numbers of their own; taken one by one, when they are asked for.
    """

    learns = False

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._trials = iter(trials)
        self._known: set[int] = set()
        self._left = 0
        self._is_drawn = False
        self._n_structures = 0

    @property
    def progress(self) -> SearchProgress:
        """How far it is."""
        return SearchProgress(self._n_structures, exhausted=self._is_drawn)

    def ask(self) -> Trial | None:
        """Return the next trial that was not restored; None if there is none left."""
        for trial in self._trials:
            if trial.number not in self._known:
                self.restore(trial)
                return trial
        self._is_drawn = True
        return None

    def restore(self, trial: Trial) -> None:
        """Take note of a trial that was asked for."""
        if trial.number not in self._known:
            self._known.add(trial.number)
            self._left += 1

    def tell(self, record: Record) -> SearchUpdate:
        """Count a record."""
        self._known.add(record.number)
        self._left -= 1
        self._n_structures += 1
        return SearchUpdate()

    def stop_reason(self) -> str | None:
        """Return that the list is complete when it is."""
        return COMPLETE if self._is_drawn and self._left == 0 else None
