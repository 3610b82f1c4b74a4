"""How many structures of a run are finished, and whether all of the first ones failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.relax.outcome import Failed

if TYPE_CHECKING:
    from collections import Counter

    from nucleate.search.record import Record

FIRST_FAILURES = 10
"""If this number of structures fail before one succeeds, a search stops."""


class Tally:
    """Counts the structures of a run.

    Parameters
    ----------
    failures : Counter
        Where failures are counted by reason.

    Attributes
    ----------
    n_finished : int
        Structures that went to a tier.
    n_screened : int
        Structures that were considered with a surrogate only.
    n_relaxed : int
        Those that went to a tier with an energy.
    """

    def __init__(self, failures: Counter[str]) -> None:
        self.n_finished = self.n_screened = 0
        self.n_relaxed = 0
        self._failures = failures
        self._first_failure: Failed | None = None

    def count(self, record: Record) -> bool:
        """Count a record; return False for one that no tier has seen, which does not count."""
        if not record.outcomes:
            return False
        if record.is_screened:
            self.n_screened += 1
            return False
        self.n_finished += 1
        self.n_relaxed += record.relaxed is not None
        failure = record.failure
        if failure is not None and isinstance(failure.outcome, Failed):
            self._failures[str(failure.outcome.reason)] += 1
            self._first_failure = self._first_failure or failure.outcome
        return True

    def error_of_all(self) -> str:
        """Return the first error if all the first structures failed, else an empty text."""
        if self.n_relaxed or self.n_finished < FIRST_FAILURES:
            return ""
        failure = self._first_failure
        return "" if failure is None else f"{failure.reason}: {failure.message}"
