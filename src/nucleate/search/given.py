"""Candidates that somebody else proposes, put to a search that is already known to a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.search.search import Trial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nucleate.crystal.candidate import Candidate, Origin
    from nucleate.search.record import Record, SearchUpdate
    from nucleate.search.search import Search, SearchProgress

COMPLETE = "complete"
"""Why it is over when all of them are done."""

Key = tuple[str, tuple[int, ...], tuple[tuple[str, str], ...]]


class GivenCandidates:
    """Asks for given candidates only, and passes them to the search of the run like its own.

    A candidate whose origin a run holds already is not asked for again.

    Parameters
    ----------
    search : Search
        That of the run.
    candidates : iterable of Candidate
        Their origins must differ.
    """

    def __init__(self, search: Search, candidates: Iterable[Candidate]) -> None:
        self._search = search
        self._left = {_key(item.origin): item for item in candidates}
        self._own = set(self._left)
        self._numbers: set[int] = set()
        self._next = 0
        self._untold = 0
        self.records: list[Record] = []

    @property
    def progress(self) -> SearchProgress:
        """How far it is."""
        return replace(self._search.progress, exhausted=not self._left)

    def ask(self) -> Trial | None:
        """Return the next candidate; None if there is none left."""
        for candidate in list(self._left.values()):
            trial = Trial(self._next, candidate)
            self.restore(trial)
            return trial
        return None

    def restore(self, trial: Trial) -> None:
        """Take note of a trial that was asked for."""
        key = _key(trial.candidate.origin)
        self._left.pop(key, None)
        if key in self._own and trial.number not in self._numbers:
            self._numbers.add(trial.number)
            self._untold += 1
        self._next = max(self._next, trial.number + 1)
        self._search.restore(trial)

    def tell(self, record: Record) -> SearchUpdate:
        """Tell the search of the run, and keep the record if it is one of the candidates."""
        if record.number in self._numbers:
            self._untold -= 1
            self.records.append(record)
        return self._search.tell(record)

    def stop_reason(self) -> str | None:
        """Return that all candidates are done when they are."""
        return COMPLETE if not self._left and not self._untold else None


def _key(origin: Origin) -> Key:
    detail = sorted((name, str(value)) for name, value in origin.detail.items())
    return origin.source, origin.parents, tuple(detail)
